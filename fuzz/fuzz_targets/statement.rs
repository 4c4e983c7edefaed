//! Any bytes are an in-toto statement or an envelope, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = countersign::verify::Envelope::parse(bytes);
    if let Ok(statement) = countersign::verify::Statement::parse(bytes) {
        let _ = statement.hashes();
    }
});
