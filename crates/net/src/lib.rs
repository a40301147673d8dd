//! How muster talks.
