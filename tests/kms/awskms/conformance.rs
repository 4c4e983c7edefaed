//! The suite that every backend passes.

use countersign::backends;
use countersign_core::KeyUri;
use countersign_core::conformance::{Rig, run_with};

use crate::support::ministack::{KEYS, Ministack};

#[test]
fn ministack_passes() {
    let Some(server) = Ministack::new("plain") else { return };
    let backend = backends::find(&KeyUri::parse("awskms:///alias/x").unwrap()).unwrap();
    let uri = |key: &str| format!("awskms:///alias/{key}");
    let rig = Rig {
        backend,
        keys: KEYS.iter().map(|key| uri(key)).collect(),
        secret: Vec::new(),
        list: Some("awskms:///".to_owned()),
        missing: uri("absent"),
        // One URI names one key.
        ambiguous: None,
        locked: None,
        capabilities: include_str!("../../../backends/awskms/capabilities.txt"),
    };
    run_with(&rig, &server.variables());
}
