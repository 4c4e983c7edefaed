//! Names of images: one that is read has no part that steers a path, and reads back from how it is shown.

#![no_main]

use countersign::oci::Reference;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(reference) = Reference::parse(text) else { return };
    let path = &reference.repository.path;
    assert!(!path.contains("..") && !path.contains("//") && !path.contains(['%', '?', '#', '\\', ' ']));
    assert_eq!(Reference::parse(&reference.to_string()).expect("what we show we read"), reference);
});
