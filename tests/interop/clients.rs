//! Verifiers of other makers on what ours has logged: sigstore-go and sigstore-js, by small programs under `tests/rigs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_core::KeyType;

use super::rig::{self, CHANGED, Rig};
use crate::support::missing;
use crate::support::sigstore::{Rekor1, Sigstore};

const KEYS: [KeyType; 5] = [KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Rsa2048, KeyType::Ed25519];
const LIBRARIES: [&str; 2] = ["sigstore-go", "sigstore-js"];

pub(super) fn verifier(library: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rigs").join(library).join("verify");
    if !path.is_file() {
        missing(&format!("the verifier on {library}"));
        return None;
    }
    Some(path)
}

/// Signs with each key for the log of that signing config, and has both libraries verify.
fn check(rig: &Rig, log: &str, config: &str, root: &str) {
    let failures = rig::in_parallel(&KEYS, |key| {
        let (bundle, artifact) = (format!("{log}-{key}.bundle"), format!("{log}-{key}.artifact"));
        rig.write(&artifact, artifact.as_bytes());
        let sealed = rig::sealed_by_ours(*key);
        let sign =
            ["sign-blob", "-y", "--key", &sealed, "--bundle", &bundle, "--signing-config", config, &artifact];
        let output = rig.ours(&sign).output().expect("it starts");
        if !output.status.success() {
            return vec![format!("{bundle}: {}", rig::said(&output))];
        }
        let mut failures = Vec::new();
        for library in LIBRARIES {
            let Some(program) = verifier(library) else { continue };
            let verify = |artifact: &str| {
                let mut command = Command::new(&program);
                command.args([root, &rig::public(*key), &bundle, artifact]).current_dir(rig.path(""));
                command.output().expect("it starts")
            };
            let answer = verify(&artifact);
            // Node.js has no Ed25519ph, which logs want of such keys.
            let accepts = !(library == "sigstore-js" && *key == KeyType::Ed25519);
            if answer.status.success() != accepts {
                failures.push(format!("{library} on {bundle}: {}", rig::said(&answer)));
            }
            if verify(CHANGED).status.success() {
                failures.push(format!("{library} on {bundle} accepts another file"));
            }
        }
        failures
    });
    let failures: Vec<_> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn other_libraries_verify_what_we_logged_in_tiles() {
    let (Some(services), Some(rig)) = (Sigstore::shared(), Rig::new()) else { return };
    check(&rig, "tiles", services.signing_config(), services.trusted_root());
}

#[test]
fn other_libraries_verify_what_we_logged_in_a_log_of_version_1() {
    let (Some(log), Some(rig)) = (Rekor1::shared(), Rig::new()) else { return };
    check(&rig, "version-1", log.signing_config(), log.trusted_root());
}
