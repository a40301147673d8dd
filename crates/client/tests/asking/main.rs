//! The client against hosts in this process that speak the real protocol over real sockets, with
//! real keys and real seals, and misbehave as they are told. Clocks and hardware are the tests'.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its estate up has failed"
)]

mod answers;
mod copies;
mod damage;
#[path = "../../../proto/tests/client_rules/estate.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the rules, which use all of it"
)]
mod estate;
mod finding;
mod local;
mod sdk;
mod service;
mod stub;
mod times;
mod verbs;
