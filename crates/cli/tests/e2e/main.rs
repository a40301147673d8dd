//! End to end, through the real binary: separate directories, separate processes, real sockets.

mod abuse;
mod backups;
mod bad_input;
mod bind;
mod clocks;
mod crash;
mod disks;
mod doctor;
mod doctor_authority;
mod doctor_host;
mod estate;
mod files;
mod hostile;
mod hosts;
mod journal;
mod labs;
mod leaked;
mod life;
mod machine;
mod metrics;
mod names;
mod open_port;
mod publishers;
mod removing;
mod renewal;
mod rounds;
#[path = "../../../../testenv/postgres/server.rs"]
mod server;
mod shared_authority;
mod shared_table;
mod six_by_ten;
mod supervised;
mod thousand;
mod tls;
mod two_publishers;
mod users;
