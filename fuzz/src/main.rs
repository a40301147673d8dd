//! The engine's side: one program for all targets, chosen by `MUSTER_FUZZ_TARGET`. Built by
//! `cargo xtask fuzz` alone, with coverage counters in every crate.
#![forbid(unsafe_code)]
#![no_main]

libfuzzer_sys::fuzz_target!(init: muster_fuzz::begin(), |bytes: &[u8]| {
    muster_fuzz::chosen().feed(bytes);
});
