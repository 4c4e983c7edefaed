//! The suite that every backend passes, on each token. Each runs in a process of its own.

use countersign::backends;
use countersign_core::conformance::{Rig as Suite, World, run};
use countersign_core::{KeyType, KeyUri, backend::Backend};

use crate::support::child::in_child_with;
use crate::support::tokens::{Kryoptic, PIN, SoftHsm, Swtpm};

fn backend() -> &'static dyn Backend {
    backends::find(&KeyUri::parse("pkcs11:").unwrap()).unwrap()
}

/// The suite's contexts have no variables: the module is in the URI.
fn uri(object: &str) -> String {
    let module = std::env::var("COSIGN_PKCS11_MODULE_PATH").unwrap();
    format!("pkcs11:token=countersign{object}?module-path={module}")
}

fn suite(keys: &[&str], capabilities: &str) {
    let module = std::env::var("COSIGN_PKCS11_MODULE_PATH").unwrap();
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

/// What the backend can do that this TPM, and the module over it, cannot: the beginning of a line, and the reason.
const NOT_ON_THE_TPM: [(&str, &str); 6] = [
    ("sign ecdsa-sha2-256-nistp521", P521_IS_NOT_READ),
    ("sign ecdsa-sha2-384-nistp521", P521_IS_NOT_READ),
    ("sign ecdsa-sha2-512-nistp521", P521_IS_NOT_READ),
    ("sign ed25519", "TPM 2.0 Library Part 2 6.4 has no Edwards curve, the module no mechanism"),
    ("sign rsa-sign-pkcs1-4096", "the TPM makes RSA keys up to 3072 bits"),
    ("sign rsa-sign-pss", "the module lists no CKM_RSA_PKCS_PSS for this TPM"),
];
const P521_IS_NOT_READ: &str =
    "tpm2-pkcs11 writes the point's length, 133, in one byte, where DER has two (X.690 8.1.3)";

#[test]
fn swtpm_passes() {
    if !in_child_with("pkcs11::conformance::swtpm_passes", Swtpm::new) {
        return;
    }
    // The TPM comes without this one. It makes one in seconds, and not any longer key.
    let uri = KeyUri::parse(&uri(";object=rsa3072")).unwrap();
    let world = World::with_secret(PIN.as_bytes());
    let algorithm = KeyType::Rsa3072.default_algorithm();
    backend().key_store().unwrap().generate(&uri, algorithm, false, &world.context()).unwrap();
    let all = include_str!("../../backends/pkcs11/capabilities.txt");
    for (unable, why) in NOT_ON_THE_TPM {
        assert!(all.lines().any(|line| line.starts_with(unable)), "{unable} is not left out: {why}");
    }
    let able: Vec<_> = all
        .lines()
        .filter(|line| !NOT_ON_THE_TPM.iter().any(|(unable, _)| line.starts_with(unable)))
        .collect();
    suite(&["p256", "p384", "rsa2048", "rsa3072"], &able.join("\n"));
}
