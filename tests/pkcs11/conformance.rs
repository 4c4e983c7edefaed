//! The suite that every backend passes, on each token. Each runs in a process of its own.

use countersign::backends;
use countersign_core::conformance::{Rig as Suite, run};
use countersign_core::{KeyUri, backend::Backend};

use crate::support::child::in_child_with;
use crate::support::tokens::{Kryoptic, PIN, SoftHsm};

fn backend() -> &'static dyn Backend {
    backends::find(&KeyUri::parse("pkcs11:").unwrap()).unwrap()
}

fn suite(keys: &[&str], capabilities: &str) {
    let module = std::env::var("COSIGN_PKCS11_MODULE_PATH").unwrap();
    let uri = |object: &str| format!("pkcs11:token=countersign{object}?module-path={module}");
    run(&Suite {
        backend: backend(),
        keys: keys.iter().map(|key| uri(&format!(";object={key}"))).collect(),
        secret: PIN.as_bytes().to_vec(),
        list: Some(uri("")),
        missing: format!("pkcs11:token=absent;object=p256?module-path={module}"),
        ambiguous: Some(uri("")),
        // A token that is logged in takes no second login: wrong PINs have tests of their own.
        locked: None,
        capabilities,
    });
}

#[test]
fn softhsm_passes() {
    if !in_child_with("pkcs11::conformance::softhsm_passes", SoftHsm::new) {
        return;
    }
    let keys = ["p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519"];
    suite(&keys, include_str!("../../backends/pkcs11/capabilities.txt"));
}

#[test]
fn kryoptic_passes() {
    if !in_child_with("pkcs11::conformance::kryoptic_passes", Kryoptic::new) {
        return;
    }
    // Kryoptic over OpenSSL 3.0 has no Ed25519; its build here none of the rest missing.
    let all = include_str!("../../backends/pkcs11/capabilities.txt");
    let able: Vec<_> = all.lines().filter(|line| !line.contains("ed25519")).collect();
    suite(&["p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096"], &able.join("\n"));
}
