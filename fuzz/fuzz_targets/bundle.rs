//! Any bytes are a bundle or refused, and what is read can be described and turned into material.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = countersign::bundle::parse(bytes) {
        let _ = countersign::bundle::inspect::describe(&bundle);
        let _ = countersign::verify::Material::from_bundle(&bundle);
    }
});
