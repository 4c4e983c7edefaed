//! Signatures that a log and a timestamp authority witnessed: each tool verifies the other's, whatever the key.

use countersign_core::KeyType;

use super::rig::{self, ARTIFACT, CHANGED, Rig};
use crate::support;
use crate::support::sigstore::Sigstore;
use crate::support::tokens::{PIN, Rig as _, SoftHsm, TOKEN};

/// Every type that the log takes.
const KEYS: [KeyType; 5] = [KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Rsa2048, KeyType::Ed25519];

/// Cosign v3.1.3 checks bundles of these with another hash than it signed them with.
fn cosign_refuses_its_own(key: KeyType) -> bool {
    matches!(key, KeyType::P384 | KeyType::P521 | KeyType::Ed25519)
}

#[test]
fn each_tool_verifies_what_the_other_had_witnessed() {
    let Some(services) = Sigstore::shared() else { return };
    let Some(rig) = Rig::new() else { return };
    let cases = KEYS.iter().flat_map(|key| [(*key, true), (*key, false)]);
    // With Ed25519 it does not even end signing: it verifies what it made, and refuses it.
    let cases: Vec<_> = cases.filter(|case| *case != (KeyType::Ed25519, false)).collect();
    let failures = rig::in_parallel(&cases, |(key, ours)| {
        let bundle = format!("witnessed-{key}-{ours}");
        // A file each: RSA and Ed25519 sign the same file the same way, and the log takes nothing twice.
        let artifact = format!("{bundle}.artifact");
        rig.write(&artifact, artifact.as_bytes());
        let sealed = rig::sealed_by_ours(*key);
        let sign = [
            &["sign-blob", "-y", "--key", &sealed, "--bundle", &bundle][..],
            &[
                "--signing-config",
                services.signing_config(),
                "--trusted-root",
                services.trusted_root(),
                &artifact,
            ],
        ]
        .concat();
        let output = if *ours { rig.ours(&sign) } else { rig.cosign(&sign) }.output().expect("it starts");
        if !output.status.success() {
            return vec![format!("{bundle}: {}", rig::said(&output))];
        }
        let verify = |by_us: bool, public: &str, artifact: &str| {
            let arguments = [
                &["verify-blob", "--key", public, "--bundle", &bundle][..],
                &["--trusted-root", services.trusted_root(), "--use-signed-timestamps", artifact],
            ]
            .concat();
            let mut command = if by_us { rig.ours(&arguments) } else { rig.cosign(&arguments) };
            command.output().expect("it starts")
        };
        let mut failures = Vec::new();
        for by_us in [true, false] {
            let answer = verify(by_us, &rig::public(*key), &artifact);
            if answer.status.success() == (!by_us && cosign_refuses_its_own(*key)) {
                failures.push(format!("{bundle} by us {by_us}: {}", rig::said(&answer)));
            }
            if verify(by_us, &rig::public(*key), CHANGED).status.success() {
                failures.push(format!("{bundle} by us {by_us}: accepts another file"));
            }
        }
        failures
    });
    let failures: Vec<_> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_tool_verifies_the_others_witnessed_attestations() {
    let Some(services) = Sigstore::shared() else { return };
    let Some(rig) = Rig::new() else { return };
    rig.write("witnessed.predicate", b"anything");
    let sealed = rig::sealed_by_ours(KeyType::P256);
    let public = rig::public(KeyType::P256);
    for ours in [true, false] {
        let bundle = format!("witnessed-attestation-{ours}");
        let attest = [
            &[
                "attest-blob",
                "-y",
                "--key",
                &sealed,
                "--predicate",
                "witnessed.predicate",
                "--bundle",
                &bundle,
            ][..],
            &[
                "--signing-config",
                services.signing_config(),
                "--trusted-root",
                services.trusted_root(),
                ARTIFACT,
            ],
        ]
        .concat();
        support::succeed(&mut if ours { rig.ours(&attest) } else { rig.cosign(&attest) });
        let verify = [
            &["verify-blob-attestation", "--key", &public, "--bundle", &bundle][..],
            &["--trusted-root", services.trusted_root(), ARTIFACT],
        ]
        .concat();
        support::succeed(&mut rig.ours(&verify));
        support::succeed(&mut rig.cosign(&verify));
    }
}

/// A key in an HSM with a log and a timestamp authority, by the key's URI alone.
#[test]
fn a_token_signs_with_services_and_each_tool_verifies_the_other() {
    let Some(services) = Sigstore::shared() else { return };
    let Some(rig) = Rig::new() else { return };
    let Some(token) = SoftHsm::new() else { return };
    rig.write_public_keys(&token);
    for (key, ours) in [(KeyType::P256, true), (KeyType::Rsa2048, true), (KeyType::P256, false)] {
        let (label, module) = (rig::label(key), token.module().display());
        let uri = format!("pkcs11:token={TOKEN};object={label}?module-path={module}&pin-value={PIN}");
        let bundle = format!("token-{key}-{ours}.bundle");
        let witnessed =
            ["--signing-config", services.signing_config(), "--trusted-root", services.trusted_root()];
        let sign = ["sign-blob", "-y", "--key", &uri, "--bundle", &bundle];
        let sign = [&sign[..], &witnessed, &[ARTIFACT]].concat();
        let mut command = if ours { rig.ours(&sign) } else { rig.cosign(&sign) };
        let output = command.envs(token.environment()).output().expect("it starts");
        assert!(output.status.success(), "{bundle}: {}", rig::said(&output));
        for by_us in [true, false] {
            let verify = |artifact: &str| {
                let key = rig::public_of_token(key);
                let verify = ["verify-blob", "--key", &key, "--bundle", &bundle, "--use-signed-timestamps"];
                let verify = [&verify[..], &["--trusted-root", services.trusted_root(), artifact]].concat();
                if by_us { rig.ours(&verify) } else { rig.cosign(&verify) }.output().expect("it starts")
            };
            let answer = verify(ARTIFACT);
            assert!(answer.status.success(), "{bundle} by us {by_us}: {}", rig::said(&answer));
            assert!(!verify(CHANGED).status.success(), "{bundle} by us {by_us}: another file verifies");
        }
    }
}
