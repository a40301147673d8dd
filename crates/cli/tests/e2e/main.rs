//! End to end, through the real binary: separate directories, separate processes, real sockets.

mod bad_input;
mod bind;
mod clocks;
mod disks;
mod doctor;
mod doctor_authority;
mod doctor_host;
mod estate;
mod files;
mod hostile;
mod hosts;
mod labs;
mod leaked;
mod life;
mod metrics;
mod names;
mod open_port;
mod publishers;
mod removing;
mod renewal;
mod supervised;
mod thousand;
mod tls;
mod two_publishers;
mod users;
