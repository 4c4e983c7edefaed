//! Any bytes are a public key or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = countersign_core::PublicKey::from_pem_or_der(bytes);
});
