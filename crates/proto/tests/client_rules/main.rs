//! The client's rules against a publisher and hosts in a box: no clock, no network, no file.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its estate up has failed"
)]

mod asking;
mod discovering;
mod estate;
mod files;
mod golden;
mod judging;
mod removing;
