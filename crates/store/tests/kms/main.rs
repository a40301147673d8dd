//! Tests of the KMS host's store: one contract for every backend, faults, old databases, figures.
#![expect(
    clippy::unwrap_used,
    reason = "a test whose store or child process fails has failed"
)]

mod common;
mod contract;
mod counters;
mod counts;
mod faults;
mod figures;
mod golden;
mod killed;
mod postgres;
#[path = "../../../../testenv/postgres/server.rs"]
mod server;
#[path = "../shared/tears.rs"]
mod tears;
mod torn;
