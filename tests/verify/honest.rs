//! What the forge makes rightly is right, says the real Cosign: otherwise its wrong things would prove nothing.

use std::path::Path;
use std::process::{Command, Output};

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
