//! The suite that every backend passes.

use countersign::backends;
use countersign_core::KeyUri;
use countersign_core::conformance::{Rig, run_with};
use serde_json::json;

use crate::support::openbao::{KEYS, OpenBao};

/// Types of the keys in [`KEYS`], by the server's names.
const TYPES: [&str; 7] =
    ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519"];

#[test]
fn openbao_passes() {
    let Some(server) = OpenBao::shared() else { return };
    server.call("POST", "sys/mounts/conformance", json!({ "type": "transit" }));
    for (name, key_type) in KEYS.iter().zip(TYPES) {
        server.call("POST", &format!("conformance/keys/{name}"), json!({ "type": key_type }));
    }
    let backend = backends::find(&KeyUri::parse("hashivault://x").unwrap()).unwrap();
    let uri = |key: &str| format!("hashivault://{key}?mount=conformance");
    let rig = Rig {
        backend,
        keys: KEYS.iter().map(|key| uri(key)).collect(),
        secret: Vec::new(),
        list: Some(uri("")),
        missing: uri("absent"),
        // One URI names one key at one version.
        ambiguous: None,
        locked: None,
        capabilities: include_str!("../../../backends/hashivault/capabilities.txt"),
    };
    let variables = [("VAULT_ADDR", server.variable("VAULT_ADDR")), ("VAULT_TOKEN", server.token())];
    run_with(&rig, &variables);
}
