//! Archives of images: whatever they hold is read or refused, and what is read is what it is called.

#![no_main]

use countersign::oci::ImageLayout;
use countersign::oci::reference::parse_digest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("our own file");
    let Ok(layout) = ImageLayout::open(file.path(), None) else { return };
    for entry in layout.entries() {
        let Some(digest) = parse_digest(&entry.digest) else { continue };
        if let Ok(Some(manifest)) = countersign::oci::Source::manifest(&layout, &entry.digest) {
            assert_eq!(manifest.digest, digest);
        }
        let _ = countersign::oci::Source::referrers(&layout, &digest);
        let _ = countersign::oci::Source::blob(&layout, entry, 1 << 20);
    }
});
