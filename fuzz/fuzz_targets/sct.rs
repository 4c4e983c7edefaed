//! Any bytes are the JSON of a certificate timestamp or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = countersign::verify::CertificateTimestamp::parse(bytes);
});
