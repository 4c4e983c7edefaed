//! Attestations of both tools, each verified by the other: every predicate type that Cosign knows.

use countersign_core::KeyType;

use super::rig::{self, ARTIFACT, CHANGED, Rig};
use crate::support;

const ATTEST: [&str; 4] = ["attest-blob", "--tlog-upload=false", "-y", "--use-signing-config=false"];
const VERIFY: [&str; 2] = ["verify-blob-attestation", "--insecure-ignore-tlog"];

/// A predicate of each type, complete enough for Cosign's own reading.
const PREDICATES: [(&str, &str); 9] = [
    ("custom", "anything"),
    ("slsaprovenance", r#"{"builder":{"id":"b"},"buildType":"t","invocation":{"configSource":{}}}"#),
    ("slsaprovenance02", r#"{"builder":{"id":"b"},"buildType":"t","invocation":{"configSource":{}}}"#),
    (
        "slsaprovenance1",
        r#"{"buildDefinition":{"buildType":"t","externalParameters":{}},"runDetails":{"builder":{"id":"b"}}}"#,
    ),
    (
        "link",
        r#"{"_type":"link","name":"n","materials":{},"products":{},"byproducts":{},"command":[],"environment":{}}"#,
    ),
    ("spdx", "SPDXVersion: SPDX-2.3"),
    ("spdxjson", r#"{"spdxVersion":"SPDX-2.3"}"#),
    ("cyclonedx", r#"{"bomFormat":"CycloneDX"}"#),
    ("https://example.com/own", r#"{"own":true}"#),
];
const KEYS: [KeyType; 4] = [KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Rsa2048];

/// What Cosign v3.1.3 signs and then cannot verify: SPDX as text, which its reader takes for a damaged statement, and
/// envelopes of the larger curves, which it signs with their own hash and checks with SHA-256.
fn cosign_refuses_its_own(kind: &str, key: KeyType) -> bool {
    kind == "spdx" || matches!(key, KeyType::P384 | KeyType::P521)
}

#[test]
fn each_tool_verifies_the_others_attestations() {
    let Some(rig) = Rig::new() else { return };
    let cases: Vec<_> = PREDICATES
        .iter()
        .map(|one| (one, KeyType::P256))
        .chain(KEYS[1..].iter().map(|key| (&PREDICATES[0], *key)))
        .flat_map(|(one, key)| [true, false].map(|ours| (one, key, ours)))
        .collect();
    let failures = rig::in_parallel(&cases, |((kind, predicate), key, ours)| {
        let stem = format!("{}-{key}-{ours}", kind.replace(['/', ':'], "-"));
        let (given, bundle) = (format!("{stem}.predicate"), format!("{stem}.sigstore.json"));
        rig.write(&given, predicate.as_bytes());
        let sealed = rig::sealed_by_ours(*key);
        let arguments = [
            &ATTEST[..],
            &["--key", &sealed, "--predicate", &given, "--type", kind, "--bundle", &bundle, ARTIFACT],
        ]
        .concat();
        support::succeed(&mut if *ours { rig.ours(&arguments) } else { rig.cosign(&arguments) });
        let verify = |by_us: bool, kind: &str, artifact: &str| {
            let public = rig::public(*key);
            let arguments =
                [&VERIFY[..], &["--key", &public, "--type", kind, "--bundle", &bundle, artifact]].concat();
            let mut command = if by_us { rig.ours(&arguments) } else { rig.cosign(&arguments) };
            command.output().expect("it starts")
        };
        let mut failures = Vec::new();
        for by_us in [true, false] {
            let answer = verify(by_us, kind, ARTIFACT);
            if answer.status.success() == (!by_us && cosign_refuses_its_own(kind, *key)) {
                failures.push(format!("{stem} by us {by_us}: {}", rig::said(&answer)));
            }
            if verify(by_us, kind, CHANGED).status.success() {
                failures.push(format!("{stem} by us {by_us}: accepts another file"));
            }
            if verify(by_us, "vuln", ARTIFACT).status.success() {
                failures.push(format!("{stem} by us {by_us}: accepts another type"));
            }
        }
        failures
    });
    let failures: Vec<_> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn cosign_reads_the_older_forms_and_ours_reads_cosigns() {
    let Some(rig) = Rig::new() else { return };
    rig.write("old.predicate", b"old");
    let key = rig::sealed_by_ours(KeyType::P256);
    let public = rig::public(KeyType::P256);
    for ours in [true, false] {
        let envelope = format!("envelope-{ours}");
        let arguments = [
            &ATTEST[..],
            &["--new-bundle-format=false", "--key", &key, "--predicate", "old.predicate"],
            &["--output-signature", &envelope, ARTIFACT],
        ]
        .concat();
        support::succeed(&mut if ours { rig.ours(&arguments) } else { rig.cosign(&arguments) });
        let arguments = [
            &VERIFY[..],
            &["--new-bundle-format=false", "--key", &public, "--signature", &envelope, ARTIFACT],
        ]
        .concat();
        support::succeed(&mut rig.ours(&arguments));
        support::succeed(&mut rig.cosign(&arguments));
    }
}
