//! What an attestation says, and of what (numbers 9 and 11).

use countersign::verify::Check;
use serde_json::{Value, json};

use crate::support::{countersign, run, stderr};
use crate::verify::forge::bundles::{ARTIFACT, PREDICATE_TYPE, hex, statement};
use crate::verify::forge::{Case, Signer, WORLD, sha256};

#[test]
fn e2_09_another_type_no_attestation_and_none_that_can_be_read() {
    let signer = WORLD.signer();
    let case = Case::attested(&signer);
    case.accepted();
    let asking = |kind: &str| Case { predicate_type: Some(kind.to_owned()), ..case.clone() };
    for kind in [
        "https://forge.example/predicate/v2",
        "https://forge.example/Predicate/v1",
        "https://forge.example/predicate/v1/",
        "https://forge.example/predicate/v",
        "",
    ] {
        let refusal = asking(kind).refused(Check::PredicateType);
        assert_eq!(refusal.found(), PREDICATE_TYPE);
    }
    // A signature of the artifact says nothing about it.
    let signed = Case::logged(&signer);
    signed.accepted();
    Case { predicate_type: Some(PREDICATE_TYPE.to_owned()), ..signed }.refused(Check::PredicateType);
    // No signature in the envelope, two, and one that is none.
    let one = case.bundle.pointer("/dsseEnvelope/signatures/0").unwrap().clone();
    for list in [json!([]), json!([one, one]), json!([{}]), json!([null]), Value::Null] {
        case.with("/dsseEnvelope/signatures", list).unreadable("");
    }
}

#[test]
fn e2_09_a_malformed_statement() {
    let signer = Signer::bare();
    let good = statement(ARTIFACT);
    Case::stating(&signer, &good).accepted();
    let old = changed(&good, "_type", "https://in-toto.io/Statement/v0.1".into());
    Case::stating(&signer, &old).accepted();
    for (field, value) in [
        ("_type", "https://in-toto.io/Statement/v2".into()),
        ("_type", Value::Null),
        ("predicateType", "".into()),
        ("predicateType", json!(1)),
        ("subject", json!([])),
        ("subject", json!({})),
        ("subject", json!(["artifact"])),
        ("subject", json!([{"name": "artifact"}])),
        ("subject", json!([{"digest": {"sha256": 1}}])),
    ] {
        Case::stating(&signer, &changed(&good, field, value)).refused(Check::Statement);
    }
    for payload in ["", "{}", "null", "[]", "{\"_type\":", "not JSON", "\u{feff}{}"] {
        Case::sealing(&signer, payload.as_bytes()).refused(Check::Statement);
    }
    Case::sealing(&signer, b"\xff").refused(Check::Statement);
    Case::sealing(&signer, format!("{good}x").as_bytes()).refused(Check::Statement);
}

#[test]
fn e2_09_no_attestation_at_all() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("artifact"), ARTIFACT).unwrap();
    std::fs::write(directory.path().join("key.pub"), Signer::bare().key.pem()).unwrap();
    let mut command = countersign();
    command.current_dir(directory.path()).args(["verify-blob-attestation", "--insecure-ignore-tlog"]);
    let output = run(command.args(["--key", "key.pub", "artifact"]));
    let said = stderr(&output);
    assert!(!output.status.success() && said.contains("artifact.sigstore.json"), "{said}");
}

#[test]
fn e2_11_subjects() {
    let signer = WORLD.signer();
    let right = hex(&sha256(ARTIFACT));
    let wrong = hex(&sha256(b"another artifact"));
    let about = |subjects: Value| Case::stating(&signer, &changed(&statement(ARTIFACT), "subject", subjects));
    let subject = |name: &str, digest: &Value| json!({"name": name, "digest": digest});
    let (good, bad) = (json!({"sha256": right}), json!({"sha256": wrong}));
    about(json!([subject("artifact", &good)])).accepted();
    about(json!([subject("x", &bad), subject("y", &good)])).accepted();
    about(json!([subject("artifact", &json!({"sha256": right, "sha1": "00"}))])).accepted();
    for digest in [
        bad,
        json!({"sha1": "00", "md5": "00"}),
        json!({}),
        json!({"sha256": ""}),
        json!({"sha256": right[..62]}),
        // The right digest under a name that is not its algorithm's, and beside one that contradicts it.
        json!({"SHA256": right}),
        json!({"sha3-256": right}),
        json!({"sha256": right, "sha512": wrong}),
    ] {
        about(json!([subject("artifact", &digest)])).refused(Check::Subject);
    }
    let many = |count: usize| {
        let mut subjects = vec![subject("x", &json!({"sha256": wrong})); count - 1];
        subjects.push(subject("artifact", &good));
        about(subjects.into())
    };
    many(1024).accepted();
    many(1025).refused(Check::Statement);
    let digests = |count: usize| {
        let mut digests = good.clone();
        (1..count).for_each(|at| digests[format!("hash{at}")] = "00".into());
        about(json!([subject("artifact", &digests)]))
    };
    digests(32).accepted();
    digests(33).refused(Check::Statement);
}

fn changed(statement: &Value, field: &str, value: Value) -> Value {
    let mut statement = statement.clone();
    statement[field] = value;
    statement
}
