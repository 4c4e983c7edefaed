//! `bundle create` and `bundle upgrade` beside Cosign's: the same JSON, and what either makes the other verifies.

use countersign_core::KeyType;
use serde_json::{Value, json};

use super::rig::{self, ARTIFACT, CHANGED, Rig, SIGN, VERIFY};
use crate::support::sigstore::Rekor1;
use crate::support::{succeed, vectors};

/// What both tools print. Cosign's `bundle create` writes the older name of version 0.3.
fn same(rig: &Rig, arguments: &[&str]) -> Value {
    let [ours, cosigns] = [rig.ours(arguments), rig.cosign(arguments)].map(|mut command| {
        let mut printed: Value = serde_json::from_slice(&succeed(&mut command).stdout).expect("JSON");
        let version = printed["mediaType"].as_str().expect("a media type").to_owned();
        assert!(version.contains("0.3"), "{version}");
        printed["mediaType"] = Value::Null;
        without_defaults(&mut printed);
        printed
    });
    assert!(ours == cosigns, "{arguments:?}:\n{ours}\n{cosigns}");
    ours
}

/// In protobuf's JSON zero and what is empty may be written or left out.
fn without_defaults(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, field| ![json!("0"), json!([]), json!({})].contains(field));
        fields.values_mut().for_each(without_defaults);
    }
    if let Value::Array(items) = value {
        items.iter_mut().for_each(without_defaults);
    }
}

fn verified_by_both(rig: &Rig, arguments: &[&str]) {
    for by_us in [true, false] {
        let verify = |artifact: &str| {
            let arguments = [arguments, &[artifact]].concat();
            let mut command = if by_us { rig.ours(&arguments) } else { rig.cosign(&arguments) };
            command.output().expect("it starts")
        };
        let answer = verify(ARTIFACT);
        assert!(answer.status.success(), "by us {by_us}: {}", rig::said(&answer));
        assert!(!verify(CHANGED).status.success(), "by us {by_us}: another file verifies");
    }
}

#[test]
fn a_signature_becomes_the_same_bundle() {
    let Some(rig) = Rig::new() else { return };
    for key in [KeyType::P256, KeyType::Rsa2048] {
        let (private, public) = (rig::sealed_by_ours(key), rig::public(key));
        let older =
            ["--new-bundle-format=false", "--output-signature", "signature", "--bundle", "older", ARTIFACT];
        succeed(&mut rig.ours(&[&SIGN[..], &["--key", &private], &older].concat()));
        for from in [["--signature", "signature"], ["--bundle", "older"]] {
            let create = ["bundle", "create", "--ignore-tlog", "--artifact", ARTIFACT, "--key", &public];
            let create = [&create[..], &from].concat();
            same(&rig, &create);
            for by_us in [true, false] {
                let create = [&create[..], &["--out", "made"]].concat();
                succeed(&mut if by_us { rig.ours(&create) } else { rig.cosign(&create) });
                verified_by_both(&rig, &[&VERIFY[..], &["--key", &public, "--bundle", "made"]].concat());
            }
        }
    }
}

#[test]
fn an_attestation_becomes_the_same_bundle() {
    let Some(rig) = Rig::new() else { return };
    rig.write("predicate", br#"{"a":1}"#);
    let (private, public) = (rig::sealed_by_ours(KeyType::P256), rig::public(KeyType::P256));
    let attest = ["attest-blob", "--tlog-upload=false", "-y", "--key", &private, "--type", "custom"];
    let older =
        ["--predicate", "predicate", "--new-bundle-format=false", "--output-signature", "envelope", ARTIFACT];
    succeed(&mut rig.ours(&[&attest[..], &older].concat()));
    let create = ["bundle", "create", "--ignore-tlog", "--artifact", ARTIFACT, "--key", &public];
    let ours = [&create[..], &["--attestation", "envelope", "--out", "made"]].concat();
    succeed(&mut rig.ours(&ours));
    // Cosign wants a signature beside an attestation, and then takes the attestation.
    rig.write("some.sig", b"AAAA");
    succeed(&mut rig.cosign(&[&ours[..ours.len() - 1], &["made-too", "--signature", "some.sig"]].concat()));
    for bundle in ["made", "made-too"] {
        let verify =
            ["verify-blob-attestation", "--insecure-ignore-tlog", "--key", &public, "--type", "custom"];
        verified_by_both(&rig, &[&verify[..], &["--bundle", bundle]].concat());
    }
}

#[test]
fn an_entry_comes_from_the_log_with_its_proof() {
    let (Some(log), Some(rig)) = (Rekor1::shared(), Rig::new()) else { return };
    let (private, public) = (rig::sealed_by_ours(KeyType::P256), rig::public(KeyType::P256));
    let sign = ["sign-blob", "-y", "--key", &private, "--use-signing-config=false", "--rekor-url", log.url()];
    let older =
        ["--new-bundle-format=false", "--output-signature", "signature", "--bundle", "older", ARTIFACT];
    succeed(&mut rig.ours(&[&sign[..], &older].concat()));
    for from in [["--signature", "signature"], ["--bundle", "older"]] {
        let create = ["bundle", "create", "--artifact", ARTIFACT, "--key", &public, "--rekor-url", log.url()];
        let create = [&create[..], &from].concat();
        // The proof grows with the log; the entry does not.
        let [ours, cosigns] = [rig.ours(&create), rig.cosign(&create)].map(|mut command| {
            let printed: Value = serde_json::from_slice(&succeed(&mut command).stdout).expect("JSON");
            printed["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"].clone()
        });
        assert_eq!(ours, cosigns);
        succeed(&mut rig.ours(&[&create[..], &["--out", "made"]].concat()));
        let verify =
            ["verify-blob", "--key", &public, "--bundle", "made", "--trusted-root", log.trusted_root()];
        verified_by_both(&rig, &verify);
    }
    // An older bundle of version 0.1, whose entry has a promise alone.
    succeed(&mut rig.ours(&[
        "bundle",
        "create",
        "--artifact",
        ARTIFACT,
        "--key",
        &public,
        "--signature",
        "signature",
        "--rekor-url",
        log.url(),
        "--out",
        "made",
    ]));
    let mut old: Value = serde_json::from_slice(&rig.read("made")).expect("JSON");
    old["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1".into();
    let entry = old["verificationMaterial"]["tlogEntries"][0].as_object_mut().expect("an entry");
    assert!(entry.remove("inclusionProof").is_some());
    rig.write("old", old.to_string().as_bytes());
    for by_us in [true, false] {
        let upgrade = ["bundle", "upgrade", "old", "--rekor-url", log.url(), "--out", "renewed"];
        succeed(&mut if by_us { rig.ours(&upgrade) } else { rig.cosign(&upgrade) });
        let verify =
            ["verify-blob", "--key", &public, "--bundle", "renewed", "--trusted-root", log.trusted_root()];
        verified_by_both(&rig, &verify);
    }
    // An index at which the log holds something else.
    let entry = old["verificationMaterial"]["tlogEntries"][0].as_object_mut().expect("an entry");
    let body = String::from("e30=");
    entry.insert("canonicalizedBody".to_owned(), body.into());
    rig.write("old", old.to_string().as_bytes());
    let answer =
        rig.ours(&["bundle", "upgrade", "old", "--rekor-url", log.url()]).output().expect("it starts");
    assert!(!answer.status.success() && rig::said(&answer).contains("holds something else at index"));
}

#[test]
fn published_bundles_are_upgraded_as_cosign_upgrades_them() {
    let (Some(vectors), Some(rig)) = (vectors(), Rig::new()) else { return };
    let mut upgraded = 0;
    for source in ["sigstore-conformance", "npm-attestations", "maven-central", "slsa-github"] {
        for case in std::fs::read_dir(vectors.join(source)).expect("vectors").map_while(Result::ok) {
            let path = case.path().join("bundle.sigstore.json");
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let Ok(bundle) = serde_json::from_str::<Value>(&text) else { continue };
            let old = bundle["mediaType"]
                .as_str()
                .is_some_and(|kind| kind.ends_with("0.1") || kind.ends_with("0.2"));
            let mut entries = bundle["verificationMaterial"]["tlogEntries"].as_array().into_iter().flatten();
            let proven = entries.all(|entry| entry["inclusionProof"].is_object());
            let good = case.path().join("case.json");
            let good = std::fs::read_to_string(good).is_ok_and(|case| case.contains("\"accept\""));
            if old && proven && good {
                let nobody = "http://127.0.0.1:9";
                same(
                    &rig,
                    &["bundle", "upgrade", "--rekor-url", nobody, path.to_str().expect("a plain path")],
                );
                upgraded += 1;
            }
        }
    }
    assert!(upgraded >= 3, "{upgraded} bundles were upgraded");
}
