//! End to end, through the real binary: separate directories, separate processes, real sockets.

mod bad_input;
mod clocks;
mod estate;
mod files;
mod hosts;
mod labs;
mod thousand;
