//! Any text is a key URI or refused, and prints without panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(uri) = countersign_core::KeyUri::parse(text) {
        let _ = uri.to_string();
    }
});
