//! What strangers send: whatever it is, it is read or refused, and what was read means what it says.

use proptest::prelude::*;

use super::challenge::choose;
use super::{Manifest, Reference};
use crate::verify::Claims;

const MANIFEST: &str = include_str!("../../fuzz/seeds/manifest/image");
const INDEX: &str = include_str!("../../fuzz/seeds/manifest/index");
const CLAIMS: &str = include_str!("../../fuzz/seeds/claims/one");
const NAME: &str = include_str!("../../fuzz/seeds/reference/whole");
const CHALLENGE: &str =
    r#"Basic realm="a, \"b", Bearer realm="https://r/t",service="s",scope="repository:a:pull""#;

/// Some bytes of a good text changed, cut or doubled.
fn changed(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (0..text.len(), any::<u8>(), 0u8..3);
    proptest::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte, kind) in changes {
            let at = at.min(bytes.len().saturating_sub(1));
            match kind {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn manifests_are_read_or_refused(bytes in prop_oneof![changed(MANIFEST), changed(INDEX)]) {
        if let Ok(manifest) = Manifest::parse(bytes, None) {
            let written = Manifest::write(&manifest.media_type, manifest.content.clone()).unwrap();
            let again = Manifest::parse(written.bytes, None).unwrap();
            prop_assert_eq!(again.layers(), manifest.layers());
            prop_assert_eq!(again.manifests(), manifest.manifests());
        }
    }

    #[test]
    fn names_are_read_or_refused_and_steer_no_path(bytes in changed(NAME)) {
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        if let Ok(read) = Reference::parse(&text) {
            let path = &read.repository.path;
            prop_assert!(!path.contains("..") && !path.contains("//") && !path.contains(['%', '?', '#', '\\', ' ']));
            prop_assert_eq!(Reference::parse(&read.to_string()).unwrap(), read);
        }
    }

    #[test]
    fn claims_and_challenges_are_read_or_refused(claims in changed(CLAIMS), challenge in changed(CHALLENGE)) {
        let _ = Claims::parse(&claims);
        if let Ok(text) = String::from_utf8(challenge) {
            let _ = choose([text.as_str()].into_iter());
        }
    }
}
