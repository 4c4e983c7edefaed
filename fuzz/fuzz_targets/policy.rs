//! Any bytes are a policy file or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = countersign::policy::parse(bytes);
});
