//! Every limit of the system, each with its unit in its name.
