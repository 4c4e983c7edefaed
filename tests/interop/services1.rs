//! Signatures in a log of Rekor version 1: bundles and Cosign's older forms, each tool verifying the other's.

use countersign_core::KeyType;

use super::rig::{self, ARTIFACT, CHANGED, Rig};
use crate::support::sigstore::Rekor1;

/// Every type that such a log takes as `hashedrekord`. It hashes pure Ed25519 not at all.
const KEYS: [KeyType; 4] = [KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Rsa2048];
/// Cosign v3.1.3 checks bundles of these with another hash than it signed them with.
const COSIGN_REFUSES: [KeyType; 2] = [KeyType::P384, KeyType::P521];

#[test]
fn each_tool_verifies_bundles_that_the_other_logged() {
    let Some(log) = Rekor1::shared() else { return };
    let Some(rig) = Rig::new() else { return };
    let cases: Vec<_> = KEYS.iter().flat_map(|key| [(*key, true), (*key, false)]).collect();
    let failures = rig::in_parallel(&cases, |(key, ours)| {
        let bundle = format!("logged1-{key}-{ours}");
        let artifact = format!("{bundle}.artifact");
        rig.write(&artifact, artifact.as_bytes());
        let sealed = rig::sealed_by_ours(*key);
        let services = ["--signing-config", log.signing_config(), "--trusted-root", log.trusted_root()];
        let sign = ["sign-blob", "-y", "--key", &sealed, "--bundle", &bundle];
        let sign = [&sign[..], &services, &[&artifact]].concat();
        let output = if *ours { rig.ours(&sign) } else { rig.cosign(&sign) }.output().expect("it starts");
        if !output.status.success() {
            return vec![format!("{bundle}: {}", rig::said(&output))];
        }
        let mut failures = Vec::new();
        for by_us in [true, false] {
            let verify = |artifact: &str| {
                let key = rig::public(*key);
                let verify = ["verify-blob", "--key", &key, "--bundle", &bundle];
                let verify = [&verify[..], &["--trusted-root", log.trusted_root(), artifact]].concat();
                if by_us { rig.ours(&verify) } else { rig.cosign(&verify) }.output().expect("it starts")
            };
            let answer = verify(&artifact);
            if answer.status.success() == (!by_us && COSIGN_REFUSES.contains(key)) {
                failures.push(format!("{bundle} by us {by_us}: {}", rig::said(&answer)));
            }
            if verify(CHANGED).status.success() {
                failures.push(format!("{bundle} by us {by_us}: another file verifies"));
            }
        }
        failures
    });
    let failures: Vec<_> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Cosign of the second version wrote these, and the third still does on demand.
#[test]
fn each_tool_verifies_the_older_bundle_with_its_entry() {
    let Some(log) = Rekor1::shared() else { return };
    let Some(rig) = Rig::new() else { return };
    let key = rig::sealed_by_ours(KeyType::P256);
    for ours in [true, false] {
        let bundle = format!("older1-{ours}");
        let sign = [
            &["sign-blob", "-y", "--key", &key, "--bundle", &bundle, "--new-bundle-format=false"][..],
            &["--use-signing-config=false", "--rekor-url", log.url(), ARTIFACT],
        ]
        .concat();
        let mut command = if ours { rig.ours(&sign) } else { rig.cosign(&sign) };
        let output = command.env("SIGSTORE_REKOR_PUBLIC_KEY", log.key()).output().expect("it starts");
        assert!(output.status.success(), "{bundle}: {}", rig::said(&output));
        for by_us in [true, false] {
            let verify = |artifact: &str, log_key: &str| {
                let key = rig::public(KeyType::P256);
                let verify = [
                    "verify-blob",
                    "--key",
                    &key,
                    "--bundle",
                    &bundle,
                    "--new-bundle-format=false",
                    artifact,
                ];
                let mut command = if by_us { rig.ours(&verify) } else { rig.cosign(&verify) };
                command.env("SIGSTORE_REKOR_PUBLIC_KEY", log_key).output().expect("it starts")
            };
            let answer = verify(ARTIFACT, log.key());
            assert!(answer.status.success(), "{bundle} by us {by_us}: {}", rig::said(&answer));
            assert!(!verify(CHANGED, log.key()).status.success(), "{bundle} by us {by_us}: another file");
            let other = rig.path(&rig::public(KeyType::P256)).display().to_string();
            assert!(!verify(ARTIFACT, &other).status.success(), "{bundle} by us {by_us}: another log");
        }
    }
}

#[test]
fn attestations_are_logged_as_either_kind_of_entry() {
    let Some(log) = Rekor1::shared() else { return };
    let Some(rig) = Rig::new() else { return };
    rig.write("predicate", br#"{"a":1}"#);
    let key = rig::sealed_by_ours(KeyType::P256);
    for (ours, kind) in [(true, "dsse"), (true, "intoto"), (false, "dsse")] {
        let bundle = format!("attested1-{ours}-{kind}");
        let attest = [
            &[
                "attest-blob",
                "-y",
                "--key",
                &key,
                "--bundle",
                &bundle,
                "--type",
                "custom",
                "--predicate",
                "predicate",
            ][..],
            &["--rekor-entry-type", kind, "--use-signing-config=false", "--rekor-url", log.url(), ARTIFACT],
        ]
        .concat();
        let mut command = if ours { rig.ours(&attest) } else { rig.cosign(&attest) };
        let output = command.env("SIGSTORE_REKOR_PUBLIC_KEY", log.key()).output().expect("it starts");
        assert!(output.status.success(), "{bundle}: {}", rig::said(&output));
        let text = String::from_utf8(rig.read(&bundle)).expect("JSON");
        assert!(text.contains(&format!("\"kind\":\"{kind}\"")), "{text}");
        for by_us in [true, false] {
            let verify = |artifact: &str| {
                let key = rig::public(KeyType::P256);
                let verify = [
                    &["verify-blob-attestation", "--key", &key, "--bundle", &bundle, "--type", "custom"][..],
                    &["--trusted-root", log.trusted_root(), artifact],
                ]
                .concat();
                if by_us { rig.ours(&verify) } else { rig.cosign(&verify) }.output().expect("it starts")
            };
            let answer = verify(ARTIFACT);
            assert!(answer.status.success(), "{bundle} by us {by_us}: {}", rig::said(&answer));
            assert!(!verify(CHANGED).status.success(), "{bundle} by us {by_us}: another file");
        }
    }
}

/// A log of this version answers 409 with the way to the entry that it has.
#[test]
fn what_the_log_holds_already_is_taken_from_it() {
    let Some(log) = Rekor1::shared() else { return };
    let Some(rig) = Rig::new() else { return };
    // RSA with PKCS#1 signs the same file the same way each time.
    let key = rig::sealed_by_ours(KeyType::Rsa3072);
    let mut entries = Vec::new();
    for bundle in ["first1", "second1"] {
        let services = ["--signing-config", log.signing_config(), "--trusted-root", log.trusted_root()];
        let sign = ["sign-blob", "-y", "--key", &key, "--bundle", bundle];
        let output = rig.ours(&[&sign[..], &services, &[ARTIFACT]].concat()).output().expect("it starts");
        assert!(output.status.success(), "{bundle}: {}", rig::said(&output));
        let value: serde_json::Value = serde_json::from_slice(&rig.read(bundle)).expect("JSON");
        entries.push(value["verificationMaterial"]["tlogEntries"][0]["logIndex"].clone());
    }
    assert_eq!(entries[0], entries[1]);
}

/// A signature by itself, whose entry is in the log: the oldest form there is.
#[test]
fn an_entry_is_looked_up_where_none_comes_with_the_signature() {
    let Some(log) = Rekor1::shared() else { return };
    let Some(rig) = Rig::new() else { return };
    for (key, ours) in [(KeyType::P256, true), (KeyType::P384, true), (KeyType::P256, false)] {
        let signature = format!("looked-up-{key}-{ours}");
        let artifact = format!("{signature}.artifact");
        rig.write(&artifact, artifact.as_bytes());
        let sealed = rig::sealed_by_ours(key);
        let sign = [
            &[
                "sign-blob",
                "-y",
                "--key",
                &sealed,
                "--output-signature",
                &signature,
                "--new-bundle-format=false",
            ][..],
            &["--use-signing-config=false", "--rekor-url", log.url(), &artifact],
        ]
        .concat();
        let mut command = if ours { rig.ours(&sign) } else { rig.cosign(&sign) };
        let output = command.env("SIGSTORE_REKOR_PUBLIC_KEY", log.key()).output().expect("it starts");
        assert!(output.status.success(), "{signature}: {}", rig::said(&output));
        for by_us in [true, false] {
            let verify = |url: &str, artifact: &str| {
                let key = rig::public(key);
                let verify = ["verify-blob", "--key", &key, "--signature", &signature, "--rekor-url", url];
                let verify = [&verify[..], &["--new-bundle-format=false", artifact]].concat();
                let mut command = if by_us { rig.ours(&verify) } else { rig.cosign(&verify) };
                command.env("SIGSTORE_REKOR_PUBLIC_KEY", log.key()).output().expect("it starts")
            };
            let answer = verify(log.url(), &artifact);
            // Cosign signs P-384 with SHA-384 by then, and looks for SHA-256.
            if by_us || key == KeyType::P256 {
                assert!(answer.status.success(), "{signature} by us {by_us}: {}", rig::said(&answer));
            }
            assert!(!verify(log.url(), CHANGED).status.success(), "{signature} by us {by_us}: another file");
            assert!(!verify("http://127.0.0.1:9", &artifact).status.success(), "{signature}: no log");
        }
    }
    // One that was never logged.
    let key = rig::sealed_by_ours(KeyType::P256);
    let sign = ["sign-blob", "-y", "--key", &key, "--tlog-upload=false", "--new-bundle-format=false"];
    let sign = [&sign[..], &["--output-signature", "unlogged", ARTIFACT]].concat();
    assert!(rig.ours(&sign).output().expect("it starts").status.success());
    let key = rig::public(KeyType::P256);
    let verify =
        ["verify-blob", "--key", &key, "--signature", "unlogged", "--rekor-url", log.url(), ARTIFACT];
    let answer = rig.ours(&verify).env("SIGSTORE_REKOR_PUBLIC_KEY", log.key()).output().expect("it starts");
    let said = rig::said(&answer);
    assert!(!answer.status.success() && said.contains("too few transparency logs"), "{said}");
}
