//! The suite that every backend passes.

use countersign::backends;
use countersign_core::KeyUri;
use countersign_core::conformance::{Rig, run_with};

use crate::support::azure::{Azure, KEYS, VAULT};

#[test]
fn the_stand_in_passes() {
    let Some(server) = Azure::new() else { return };
    let backend = backends::find(&KeyUri::parse("azurekms://x").unwrap()).unwrap();
    let uri = |key: &str| format!("azurekms://{VAULT}/{key}");
    let rig = Rig {
        backend,
        keys: KEYS.iter().map(|key| uri(key)).collect(),
        secret: Vec::new(),
        list: Some(uri("")),
        missing: uri("absent"),
        // One URI names one key.
        ambiguous: None,
        locked: None,
        capabilities: include_str!("../../../backends/azurekms/capabilities.txt"),
    };
    run_with(&rig, &server.variables());
}
