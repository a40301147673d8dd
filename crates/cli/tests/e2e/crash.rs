//! Crash tests: the real binary, ended by SIGKILL at each of its writes in turn, in the middle of
//! them, and told by each in turn that the disk is full, failing or read-only. What was acknowledged
//! stays, what was not is whole or absent, and a second try succeeds. `docs/src/results/crashes.md`
//! tells what a long run met.

mod backups;
mod ceremony;
mod commands;
mod faults;
mod read_only;
mod services;
mod torn;
mod walk;
