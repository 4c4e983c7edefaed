//! Tests of statements and predicates.

use countersign_core::HashAlgorithm;

use super::*;
use crate::verify::Statement;

#[test]
fn a_statement_is_read_as_it_was_made() {
    let digest = HashAlgorithm::Sha256.digest(b"artifact");
    let predicate = serde_json::json!({ "a": [1, "x"] });
    let statement = statement(Version::Old, "a \"b\"", &[digest], "https://example.com/type", &predicate);
    let read = Statement::parse(&statement).unwrap();
    assert_eq!((read.predicate_type.as_str(), &read.predicate), ("https://example.com/type", &predicate));
    assert_eq!(read.subjects[0].name, "a \"b\"");
    assert_eq!(read.subjects[0].digests, [("sha256".to_owned(), digest.hex())]);
}

#[test]
fn short_names_and_uris_are_types_and_nothing_else_is() {
    for (short, uri) in predicate::TYPES {
        assert_eq!(predicate::predicate_type(short).unwrap(), *uri);
        assert_eq!(predicate::predicate_type(uri).unwrap(), *uri);
    }
    assert_eq!(predicate::predicate_type("urn:x:y").unwrap(), "urn:x:y");
    for wrong in ["", "slsa", "Custom", "https:", ":x", "1x:y", "a b:c", "x:y z"] {
        let error = predicate::predicate_type(wrong).unwrap_err();
        assert!(error.to_string().contains("neither a known name nor a URI"), "{wrong}: {error}");
    }
}

#[test]
fn predicates_are_taken_as_their_type_wants_them() {
    let make = |name: &str, content: &[u8]| predicate::predicate(name, content, "2026-01-01T00:00:00Z");
    let custom = make("custom", b"any text").unwrap();
    assert_eq!(custom, serde_json::json!({ "Data": "any text", "Timestamp": "2026-01-01T00:00:00Z" }));
    assert_eq!(make("spdx", b"SPDXVersion: x").unwrap(), "SPDXVersion: x");
    let provenance = br#"{"buildDefinition":{},"runDetails":{},"extra":1}"#;
    assert_eq!(make("slsaprovenance1", provenance).unwrap()["extra"], 1);
    for (name, content, why) in [
        ("slsaprovenance1", &br#"{"a":1}"#[..], "it has no buildDefinition"),
        ("https://slsa.dev/provenance/v1", br#"{"a":1}"#, "it has no buildDefinition"),
        ("vsa", br#"{"verifier":{}}"#, "it has no verificationResult"),
        ("cyclonedx", b"[]", "no JSON object"),
        ("cyclonedx", b"{", "no JSON"),
        ("cyclonedx", br#"{"a":1,"a":2}"#, "no JSON"),
        ("spdx", b"\xff", "no UTF-8"),
    ] {
        let error = make(name, content).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
}
