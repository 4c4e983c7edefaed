//! Any bytes are a certificate or refused; what one says of its holder, its timestamps and its path can be read.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(certificate) = countersign_core::Certificate::from_der(bytes) else { return };
    let _ = countersign::verify::Holder::of(&certificate);
    let _ = countersign::verify::CertificateTimestamp::embedded(&certificate);
    let now = jiff::Timestamp::UNIX_EPOCH;
    let _ = countersign::verify::chains(&certificate, std::slice::from_ref(&certificate), now);
});
