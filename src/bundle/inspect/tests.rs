//! Tests of descriptions. The expected texts are what Cosign v3.1.3 printed; `tests/vectors/bundle-inspect/make.sh` makes both sides.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::bundle::{legacy_json, parse};

const CHAIN: &str = include_str!("../../../tests/vectors/bundle-inspect/chain.sigstore.json");
const ED25519: &str = include_str!("../../../tests/vectors/bundle-inspect/ed25519.sigstore.json");
const ODD: &str = include_str!("../../../tests/vectors/bundle-inspect/odd.sigstore.json");

fn described(json: &str) -> String {
    describe(&parse(json.as_bytes()).unwrap())
}

/// The value of the first line with this label.
fn value<'a>(text: &'a str, label: &str) -> &'a str {
    let start = format!("- {label}:");
    let found = text.lines().find_map(|line| line.trim_start().strip_prefix(start.as_str()));
    found.unwrap_or_else(|| panic!("no {label} in\n{text}")).trim_start_matches(' ')
}

/// What a bundle holds under a pointer, as bytes.
fn bytes_at(json: &str, pointer: &str) -> Vec<u8> {
    let value: Value = serde_json::from_str(json).unwrap();
    LENIENT.decode(value.pointer(pointer).and_then(Value::as_str).unwrap()).unwrap()
}

fn leaf_der() -> Vec<u8> {
    bytes_at(CHAIN, "/verificationMaterial/x509CertificateChain/certificates/0/rawBytes")
}

fn timestamp_der() -> Vec<u8> {
    bytes_at(CHAIN, "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp")
}

fn part(describe: impl FnOnce(&mut Outline)) -> String {
    let mut outline = Outline::default();
    describe(&mut outline);
    outline.into_text()
}

#[test]
fn prints_what_cosign_prints_for_a_chain_with_log_entry_timestamp_and_attestation() {
    assert_eq!(described(CHAIN), include_str!("../../../tests/vectors/bundle-inspect/chain.txt"));
}

#[test]
fn prints_what_cosign_prints_for_a_certificate_with_an_ed25519_key() {
    assert_eq!(described(ED25519), include_str!("../../../tests/vectors/bundle-inspect/ed25519.txt"));
}

#[test]
fn prints_what_cosign_prints_for_a_public_key_hint() {
    assert_eq!(
        described(include_str!("../../../tests/vectors/bundle-inspect/key.sigstore.json")),
        include_str!("../../../tests/vectors/bundle-inspect/key.txt")
    );
}

#[test]
fn escapes_control_characters_of_strangers() {
    let text = described(ODD);
    assert_eq!(value(&text, "Common Name"), "Example Root");
    assert!(text.contains("- Common Name: red\\u{1b}[31m\\nname\\u{202e}\n"), "{text}");
    assert_eq!(value(&text, "OIDC Issuer"), "http://\\u{1b}[2J\\n- ");
    assert!(text.chars().all(|char| char == '\n' || !char.is_control()));
    let hint = "\\u001b]0;x\\u0007\\u009b\\u2066- Content:";
    let text = described(
        &include_str!("../../../tests/vectors/bundle-inspect/key.sigstore.json")
            .replace("a key, by name", hint),
    );
    assert_eq!(value(&text, "Hint"), "\\u{1b}]0;x\\u{7}\\u{9b}\\u{2066}- Content:");
}

#[test]
fn shows_the_names_that_cosign_leaves_out_and_says_what_is_unreadable() {
    let text = described(ODD);
    assert_eq!(value(&text, "DNS Name"), "build.example.com");
    assert!(text.contains("- IP Address: 192.0.2.7\n"), "{text}");
    assert!(text.contains("- IP Address: 2001:db8::7\n"), "{text}");
    assert_eq!(value(&text, "User Name"), "release");
    assert!(value(&text, "Subject").ends_with(",0.9.2342.19200300.100.1.1=#0c027231"), "{text}");
    assert!(value(&text, "Issuer (V2)").starts_with("unreadable ("), "{text}");
    assert_eq!(value(&text, "Signed Certificate Timestamps"), "unreadable (it ends early)");
}

#[test]
fn warns_of_material_that_does_not_suit_the_version() {
    let v3 = described(&CHAIN.replace("+json;version=0.2", ".v0.3+json"));
    assert_eq!(value(&v3, "[!] WARNING"), "a v0.3 bundle holds one certificate, not a chain");
    let v2 = described(&ED25519.replace(".v0.3+json", "+json;version=0.2"));
    assert!(value(&v2, "[!] WARNING").contains("not one certificate"), "{v2}");
    let v1 = CHAIN.replace("version=0.2", "version=0.1");
    assert!(!described(&v1).contains("WARNING"));
    let no_promise =
        described(&v1.replace(r#""inclusionPromise":{"signedEntryTimestamp":"cHJvbWlzZQ=="},"#, ""));
    assert!(value(&no_promise, "[!] WARNING").contains("no inclusion promise"), "{no_promise}");
}

#[test]
fn warns_when_the_envelope_names_another_key_than_the_material() {
    let mut bundle: Value = serde_json::from_str(CHAIN).unwrap();
    let with_hint = |bundle: &mut Value, hint: &str| {
        bundle["verificationMaterial"] = serde_json::json!({ "publicKey": { "hint": hint } });
        described(&bundle.to_string())
    };
    assert!(value(&with_hint(&mut bundle, "other"), "[!] WARNING").contains("another key"));
    assert!(!with_hint(&mut bundle, "YSBrZXk=").contains("WARNING"));
    assert_eq!(value(&with_hint(&mut bundle, ""), "[!] WARNING"), "the hint is empty");
}

#[test]
fn says_why_a_statement_is_unreadable() {
    let with_payload = |payload: &str| {
        let mut bundle: Value = serde_json::from_str(CHAIN).unwrap();
        bundle["dsseEnvelope"]["payload"] = LENIENT.encode(payload).into();
        described(&bundle.to_string())
    };
    assert!(value(&with_payload("{"), "Payload Content (in-toto)").starts_with("unreadable (EOF"));
    let text = with_payload(r#"{"predicateType":1,"subject":[{"digest":{}},3]}"#);
    assert_eq!(value(&text, "Predicate Type"), "unreadable (not a string)");
    assert!(
        text.contains("- Subjects: 2\n      - Name:\n      - Name: unreadable (not a string)\n"),
        "{text}"
    );
    assert_eq!(value(&with_payload(r#"{"subject":{}}"#), "Subjects"), "unreadable (not a list)");
}

#[test]
fn describes_the_bundle_that_cosign_inspect_refuses() {
    let text = describe(&parse(&legacy_json(b"signature", None, None)).unwrap());
    assert!(value(&text, "Bundle Media Type").starts_with("none"), "{text}");
    assert_eq!(value(&text, "Signature"), "Present (9 bytes)");
    let certificate = sigstore_types::DerCertificate::new(leaf_der()).to_pem();
    let body = LENIENT.encode(r#"{"apiVersion":"0.0.1","kind":"hashedrekord"}"#);
    let bundle = serde_json::json!({
        "base64Signature": "?", "cert": LENIENT.encode(certificate),
        "rekorBundle": { "SignedEntryTimestamp": "cHJvbWlzZQ==", "Payload": {
            "body": body, "integratedTime": 1_700_000_000, "logIndex": 7, "logID": "c0ff\u{1b}" } }
    });
    let text = described(&bundle.to_string());
    assert_eq!(value(&text, "Email"), "release@example.com");
    for (label, expected) in [
        ("Log Index", "7"),
        ("Kind", "hashedrekord"),
        ("Integrated Time", "2023-11-14T22:13:20Z"),
        ("Signed Entry Timestamp", "Present (7 bytes)"),
        ("Canonicalized Body", "Present (44 bytes)"),
    ] {
        assert_eq!(value(&text, label), expected);
    }
    assert!(text.contains("\n      - Log ID: c0ff\\u{1b}\n"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("  - Signature: unreadable ("), "{text}");
    let text = described(r#"{"base64Signature":"","cert":"x","rekorBundle":[]}"#);
    assert!(value(text.as_str(), "Content").starts_with("unreadable ("), "{text}");
    assert_eq!(value(&text, "Log Index"), "unreadable (missing or of another type)");
}

#[test]
fn every_truncation_is_unreadable_and_none_panics() {
    let (leaf, response) = (leaf_der(), timestamp_der());
    for end in 0..leaf.len() {
        let text = part(|outline| certificate::describe(outline, &leaf[..end]));
        assert!(value(&text, "Certificate").starts_with("unreadable ("), "cut at {end}: {text}");
    }
    for end in 0..response.len() {
        let text = part(|outline| timestamp::describe(outline, &response[..end]));
        assert!(value(&text, "Time").starts_with("unreadable ("), "cut at {end}: {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_never_panic_nor_reach_the_terminal(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let (mut leaf, mut response) = (leaf_der(), timestamp_der());
        for (at, byte) in changes {
            let at_leaf = at.index(leaf.len());
            leaf[at_leaf] = byte;
            let at_response = at.index(response.len());
            response[at_response] = byte;
        }
        let text = part(|outline| {
            certificate::describe(outline, &leaf);
            timestamp::describe(outline, &response);
        });
        prop_assert!(text.lines().all(|line| line.trim_start().starts_with("- ")));
        prop_assert!(text.chars().all(|char| char == '\n' || !char.is_control()));
    }
}

/// The published bundles of other tools, where they are at hand.
#[test]
#[allow(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test says that it skips, and asks where the files are"
)]
fn describes_every_published_bundle() {
    let Some(folder) = std::env::var_os("COUNTERSIGN_VECTORS") else {
        eprintln!("SKIPPED: COUNTERSIGN_VECTORS is not set");
        return;
    };
    let mut described_count = 0;
    visit(Path::new(&folder), &mut |path| {
        // What the reader refuses, such as an unknown version, never comes to a description.
        let Ok(bundle) = parse(&std::fs::read(path).unwrap()) else { return };
        let Bundle::Sigstore(typed) = &bundle else { panic!("{} has no media type", path.display()) };
        let text = describe(&bundle);
        assert_eq!(value(&text, "Bundle Media Type"), typed.parts.media_type.as_str(), "{}", path.display());
        assert!(!text.contains("unreadable"), "{}:\n{text}", path.display());
        described_count += 1;
    });
    assert!(described_count > 0, "no bundle.sigstore.json in COUNTERSIGN_VECTORS");
}

fn visit(folder: &Path, act: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, act);
        } else if path.file_name().is_some_and(|name| name == "bundle.sigstore.json") {
            act(&path);
        }
    }
}
