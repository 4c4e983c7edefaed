//! A layout of our own making, and what is wrong with others.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

const MANIFEST: &str =
    r#"{"schemaVersion":2,"config":{"mediaType":"c","digest":"sha256:x","size":1},"layers":[]}"#;

/// A layout with one image and what refers to it, in a directory.
fn written() -> (tempfile::TempDir, Digest, Digest) {
    let directory = tempfile::tempdir().unwrap();
    let blobs = directory.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |text: &str| {
        let digest = HashAlgorithm::Sha256.digest(text.as_bytes());
        std::fs::write(blobs.join(digest.hex()), text).unwrap();
        digest
    };
    let image = put(MANIFEST);
    let subject = format!(r#""subject":{{"mediaType":"m","digest":"{image}","size":1}}"#);
    let referrer = put(&format!(r#"{{"schemaVersion":2,"artifactType":"a/b","layers":[],{subject}}}"#));
    put("no manifest");
    // What its name does not say refers to nothing.
    let other = HashAlgorithm::Sha256.digest(b"other");
    let text = format!(r#"{{"schemaVersion":2,"layers":[],{subject}}}"#);
    std::fs::write(blobs.join(other.hex()), text).unwrap();
    let entry = format!(
        r#"{{"mediaType":"m","digest":"{image}","size":{},"annotations":{{"{NAME}":"v1"}}}}"#,
        MANIFEST.len()
    );
    std::fs::write(
        directory.path().join("index.json"),
        format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#),
    )
    .unwrap();
    (directory, image, referrer)
}

fn archive(of: &Path, change: impl FnOnce(&mut tar::Builder<std::fs::File>)) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut builder = tar::Builder::new(file.reopen().unwrap());
    builder.append_dir_all(".", of).unwrap();
    change(&mut builder);
    builder.finish().unwrap();
    file
}

fn reads(layout: &ImageLayout, image: &Digest, referrer: &Digest) {
    assert_eq!(layout.manifest("v1").unwrap().unwrap().digest, *image);
    assert_eq!(layout.manifest(&image.to_string()).unwrap().unwrap().bytes, MANIFEST.as_bytes());
    assert!(layout.manifest("v2").unwrap().is_none());
    let listed = layout.referrers(image).unwrap().descriptors;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(
        (listed[0].digest.as_str(), listed[0].artifact_type.as_deref()),
        (&*referrer.to_string(), Some("a/b"))
    );
    assert!(layout.referrers(referrer).unwrap().descriptors.is_empty());
    let described = Descriptor::of("m", MANIFEST.as_bytes());
    assert_eq!(layout.blob(&described, 1000).unwrap(), MANIFEST.as_bytes());
    assert_eq!(layout.blob(&described, 10).unwrap_err().kind(), ErrorKind::Unsupported);
    let larger = Descriptor { size: described.size + 1, ..described };
    assert_eq!(layout.blob(&larger, 1000).unwrap_err().kind(), ErrorKind::Integrity);
    assert_eq!(layout.blob(&Descriptor::of("m", b"gone"), 1000).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn reads_directories_and_archives_alike() {
    let (directory, image, referrer) = written();
    reads(&ImageLayout::open(directory.path(), None).unwrap(), &image, &referrer);
    let packed = archive(directory.path(), |_| {});
    reads(&ImageLayout::open(packed.path(), None).unwrap(), &image, &referrer);
}

#[test]
fn files_that_were_changed_are_refused() {
    let (directory, image, referrer) = written();
    let path = directory.path().join("blobs/sha256").join(image.hex());
    std::fs::write(path, MANIFEST.replace("\"c\"", "\"d\"")).unwrap();
    let layout = ImageLayout::open(directory.path(), None).unwrap();
    for wanted in ["v1".to_owned(), image.to_string()] {
        assert_eq!(layout.manifest(&wanted).unwrap_err().kind(), ErrorKind::Integrity, "{wanted}");
    }
    let described = Descriptor::of("m", MANIFEST.as_bytes());
    assert_eq!(layout.blob(&described, 1000).unwrap_err().kind(), ErrorKind::Integrity);
    std::fs::remove_file(directory.path().join("blobs/sha256").join(referrer.hex())).unwrap();
    assert!(layout.referrers(&image).unwrap().descriptors.is_empty());
}

#[test]
fn what_is_no_layout_is_refused() {
    let (directory, ..) = written();
    let why = |path: &Path| ImageLayout::open(path, None).unwrap_err().to_string();
    let twice = archive(directory.path(), |builder| {
        builder.append_path_with_name(directory.path().join("index.json"), "index.json").unwrap();
    });
    assert!(why(twice.path()).contains("index.json twice"), "{}", why(twice.path()));
    let long = archive(directory.path(), |builder| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
    });
    assert!(why(long.path()).contains("a name beyond"), "{}", why(long.path()));
    let packed = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(packed.path(), b"\x1f\x8b\x08\0\0\0\0\0").unwrap();
    assert!(why(packed.path()).contains("compressed"), "{}", why(packed.path()));
    std::fs::write(packed.path(), "no archive").unwrap();
    assert!(why(packed.path()).starts_with("cannot read the image in "), "{}", why(packed.path()));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(ImageLayout::open(empty.path(), None).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(ImageLayout::open(&empty.path().join("gone"), None).unwrap_err().kind(), ErrorKind::NotFound);
    std::fs::write(empty.path().join("index.json"), MANIFEST).unwrap();
    assert!(why(empty.path()).contains("no index"), "{}", why(empty.path()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn archives_are_read_or_refused(changes in proptest::collection::vec((0usize..20_000, any::<u8>()), 1..6), cut in 0usize..40_000) {
        static GOOD: LazyLock<(Vec<u8>, Digest)> = LazyLock::new(|| {
            let (directory, image, _) = written();
            (std::fs::read(archive(directory.path(), |_| {}).path()).unwrap(), image)
        });
        let (good, image) = &*GOOD;
        let mut bytes = good.clone();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(cut.max(512));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        if let Ok(layout) = ImageLayout::open(file.path(), None) {
            if let Ok(Some(manifest)) = layout.manifest(&image.to_string()) {
                prop_assert_eq!(manifest.digest, *image);
            }
            for named in [layout.manifest("v1"), layout.manifest("v2")].into_iter().flatten().flatten() {
                prop_assert!(layout.entries().iter().any(|entry| entry.digest == named.digest.to_string()));
            }
            let _ = layout.referrers(image);
        }
    }
}
