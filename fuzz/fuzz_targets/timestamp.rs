//! Any bytes are an RFC 3161 response or refused, and never one about a signature that they do not name.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = countersign::verify::answers(bytes, b"signature", &[0x40; 8]);
});
