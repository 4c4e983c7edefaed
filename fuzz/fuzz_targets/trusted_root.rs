//! Any bytes are a trusted root or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = countersign::verify::Trust::parse(bytes);
});
