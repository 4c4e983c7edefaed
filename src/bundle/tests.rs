//! Tests of bundle reading and writing.

use countersign_core::HashAlgorithm;
use proptest::prelude::*;

use super::*;
use crate::verify::Material;

fn good() -> String {
    let (hint, digest) = (STANDARD.encode([7; 32]), HashAlgorithm::Sha256.digest(b"x"));
    let content = Content::Artifact(&digest, b"signature");
    let draft = Draft { signatory: Signatory::Hint(&hint), content, entries: &[], timestamps: &[] };
    String::from_utf8(draft.to_json()).unwrap()
}

fn refused(json: &str) -> Error {
    parse(json.as_bytes()).err().unwrap_or_else(|| panic!("accepted: {json}"))
}

#[test]
fn reads_what_it_writes() {
    let bundle = parse(good().as_bytes()).unwrap();
    let material = Material::from_bundle(&bundle).unwrap();
    assert_eq!(material.signature, b"signature");
    assert_eq!(material.digest, Some(HashAlgorithm::Sha256.digest(b"x")));
    assert_eq!(material.hint, Some(STANDARD.encode([7; 32])));
    let legacy = parse(&legacy_json(b"signature", None, None)).unwrap();
    assert_eq!(Material::from_bundle(&legacy).unwrap().signature, b"signature");
}

#[test]
fn refuses_every_truncation() {
    let json = good();
    for end in 0..json.len() {
        assert!(parse(&json.as_bytes()[..end]).is_err(), "cut at {end}");
    }
    refused(&format!("{json}x"));
}

/// E.2 7: of two equal keys one reader takes the first, another the last.
#[test]
fn refuses_a_repeated_key_at_any_depth() {
    let json = good();
    for (from, to) in [
        ("\"mediaType\":", "\"mediaType\":\"x\", \"mediaType\":"),
        ("\"hint\":", "\"hint\":\"x\", \"hint\":"),
        ("\"signature\":", "\"signature\":\"AAAA\", \"signature\":"),
        ("\"algorithm\":", "\"algorithm\":\"SHA2_512\", \"algorithm\":"),
    ] {
        assert!(refused(&json.replace(from, to)).to_string().contains("stands twice"), "{from}");
    }
}

/// E.2 5 and 7: two alternatives at once, and fields that no reader knows.
#[test]
fn refuses_two_alternatives_and_unknown_fields() {
    let json = good();
    refused(&json.replace("\"publicKey\":", "\"certificate\":{\"rawBytes\":\"AAAA\"}, \"publicKey\":"));
    refused(&json.replace("\"messageSignature\":", "\"dsseEnvelope\":{}, \"messageSignature\":"));
    refused(&json.replace("\"publicKey\":", "\"extra\":1, \"publicKey\":"));
    refused(&json.replace("\"mediaType\":", "\"extra\":1, \"mediaType\":"));
    refused(&json.replace("\"publicKey\":{\"hint\":\"", "\"tlogEntries\":[], \"x\":{\"hint\":\""));
}

#[test]
fn refuses_other_versions_and_kinds() {
    let json = good();
    assert_eq!(refused(&json.replace("v0.3", "v0.4")).kind(), ErrorKind::Unsupported);
    assert_eq!(refused(&json.replace("bundle.v0.3", "garlic")).kind(), ErrorKind::Unsupported);
    for json in ["{}", "[]", "null", "1", "\"x\"", "{\"mediaType\":1}", "{\"Data\":\"x\"}"] {
        refused(json);
    }
    assert!(refused("{\"Data\":\"x\"}").next_step().unwrap().contains("sigstore.json"));
}

/// E.2 7: base64 with bits that decode to nothing lets two texts mean one signature.
#[test]
fn refuses_base64_that_is_not_canonical() {
    let json = good();
    let canonical = STANDARD.encode(b"signature1");
    let json = json.replace(&STANDARD.encode(b"signature"), &canonical);
    assert!(parse(json.as_bytes()).is_ok());
    refused(&json.replace(&canonical, &canonical.replace("MQ==", "MR==")));
    let legacy = String::from_utf8(legacy_json(b"signature1", None, None)).unwrap().replace("MQ==", "MR==");
    assert!(Material::from_bundle(&parse(legacy.as_bytes()).unwrap()).is_err());
}

/// E.2 21: lists and depth are bounded.
#[test]
fn refuses_long_lists_and_deep_nesting() {
    let entries = vec!["{}"; MAX_LIST_ENTRIES + 1].join(",");
    let json = good();
    for field in [
        format!("\"tlogEntries\":[{entries}]"),
        format!("\"timestampVerificationData\":{{\"rfc3161Timestamps\":[{entries}]}}"),
    ] {
        let error = refused(&json.replace("\"publicKey\":", &format!("{field}, \"publicKey\":")));
        assert!(error.to_string().contains("more than 32"), "{error}");
    }
    refused(&("[".repeat(100_000) + &"]".repeat(100_000)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    /// Whatever is changed in a good bundle, reading ends in a value or an error.
    #[test]
    fn any_change_is_read_or_refused(at in 0_usize..400, bytes in proptest::collection::vec(any::<u8>(), 0..8), cut in 0_usize..8) {
        let mut json = good().into_bytes();
        let at = at.min(json.len());
        let end = (at + cut).min(json.len());
        json.splice(at..end, bytes);
        if let Ok(bundle) = parse(&json) {
            let _ = Material::from_bundle(&bundle);
            let _ = inspect::describe(&bundle);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _ = parse(text.as_bytes());
    }
}
