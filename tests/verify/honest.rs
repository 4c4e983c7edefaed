//! What the forge makes rightly is right, says the real Cosign: otherwise its wrong things would prove nothing.

use std::path::Path;
use std::process::{Command, Output};

use super::forge::bundles::{ARTIFACT, BUNDLE_0_1, statement};
use super::forge::case::By;
use super::forge::certificates::{ISSUER, NAME};
use super::forge::{Case, Signer, WORLD};
use crate::support::{cosign, countersign, run, stderr};

/// Runs a verifying command on a case.
fn verify(mut command: Command, directory: &Path, case: &Case, artifact: &Path) -> Output {
    let write = |name: &str, content: &[u8]| {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let name = if case.predicate_type.is_some() { "verify-blob-attestation" } else { "verify-blob" };
    command.arg(name).arg("--bundle").arg(write("bundle", case.bundle.to_string().as_bytes()));
    command.arg("--trusted-root").arg(write("root", case.trusted_root.to_string().as_bytes()));
    match &case.by {
        By::Key(key) => {
            command.arg("--key").arg(write("key.pub", key.to_pem().as_bytes()));
        }
        By::Identity(_) => {
            command.args(["--certificate-identity", NAME, "--certificate-oidc-issuer", ISSUER]);
        }
    }
    if let Some(kind) = &case.predicate_type {
        command.args(["--type", kind]);
    }
    // With attestations Cosign v3.1.3 takes the flag and a trusted root for two formats of bundles.
    let stamped = case.bundle.pointer("/verificationMaterial/timestampVerificationData").is_some();
    if stamped && case.predicate_type.is_none() {
        command.arg("--use-signed-timestamps");
    }
    run(command.arg(artifact))
}

fn older_attestation(signer: &Signer) -> Case {
    let sealed = signer.seal(statement(ARTIFACT).to_string().as_bytes());
    let entry = WORLD.logs[0].entry(&signer.intoto(&sealed));
    Case::new(signer, signer.attestation(&sealed, vec![entry], &[]))
}

/// The bundle from before bundles had versions, for which Cosign takes the log's key from a variable.
#[test]
fn the_real_cosign_accepts_the_oldest_bundle_of_the_forge() {
    let signer = Signer::bare();
    let signature = signer.sign(ARTIFACT);
    let entry = WORLD.logs[0].entry(&signer.hashedrekord(ARTIFACT, &signature));
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| std::fs::write(directory.path().join(name), content).unwrap();
    write("artifact", ARTIFACT);
    write("other", b"something else");
    let mut bundle = signer.legacy(&signature, &entry);
    // Of a key that stands in it, Cosign v3.1.3 says that it is no certificate.
    bundle.as_object_mut().unwrap().remove("cert");
    write("bundle", bundle.to_string().as_bytes());
    write("key.pub", signer.key.pem().as_bytes());
    write("log.pub", WORLD.logs[0].key.pem().as_bytes());
    let verify = |artifact: &str| {
        let mut command = cosign()?;
        command.current_dir(directory.path()).env("SIGSTORE_REKOR_PUBLIC_KEY", "log.pub");
        command.args(["verify-blob", "--new-bundle-format=false", "--bundle", "bundle", "--key", "key.pub"]);
        Some(run(command.arg(artifact)))
    };
    let Some(accepted) = verify("artifact") else { return };
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    assert!(!verify("other").unwrap().status.success(), "Cosign accepts another file");
}

#[test]
fn the_real_cosign_accepts_what_the_forge_makes() {
    let (key, certified) = (Signer::bare(), WORLD.signer());
    let cases = [
        ("a key, version 1", Case::logged(&key)),
        ("a certificate, version 1", Case::logged(&certified)),
        ("a key, version 2", Case::tiled(&key)),
        ("a certificate, version 2", Case::tiled(&certified)),
        ("an attestation by a key", Case::attested(&key)),
        ("an attestation by a certificate", Case::attested(&certified)),
        ("an older attestation", older_attestation(&certified)),
        ("an older bundle", Case::logged(&key).with("/mediaType", BUNDLE_0_1)),
        ("an attestation, version 2", Case::attested_in_tiles(&certified)),
    ];
    for (name, case) in cases {
        case.accepted();
        let directory = tempfile::tempdir().unwrap();
        let (artifact, other) = (directory.path().join("artifact"), directory.path().join("other"));
        std::fs::write(&artifact, &case.artifact).unwrap();
        std::fs::write(&other, b"something else").unwrap();
        let Some(cosign_command) = cosign() else { return };
        for command in [cosign_command, countersign()] {
            let output = verify(command, directory.path(), &case, &artifact);
            assert!(output.status.success(), "{name}: {}", stderr(&output));
        }
        // That Cosign looks at all.
        let refused = verify(cosign().unwrap(), directory.path(), &case, &other);
        assert!(!refused.status.success(), "{name}: Cosign accepts another file");
    }
}
