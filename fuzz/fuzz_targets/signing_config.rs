//! Any bytes are a signing config or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = countersign::services::config::parse(bytes, jiff::Timestamp::UNIX_EPOCH);
});
