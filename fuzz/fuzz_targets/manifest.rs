//! Manifests and indexes of registries: whatever is read is written again without a change that matters.

#![no_main]

use countersign::oci::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes.to_vec(), None) else { return };
    for part in manifest.layers().iter().chain(manifest.manifests()) {
        let _ = part.digest();
    }
    let written = Manifest::write(&manifest.media_type, manifest.content.clone());
    if let Ok(written) = written {
        let again = Manifest::parse(written.bytes, None).expect("what we write we read");
        assert_eq!(again.layers(), manifest.layers());
        assert_eq!(again.manifests(), manifest.manifests());
    }
});
