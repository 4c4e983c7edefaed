//! The suite that every backend passes.

use countersign::backends;
use countersign_core::KeyUri;
use countersign_core::conformance::{Rig, run_with};

use crate::support::cloudkms::{CloudKms, KEYS, RING, uri};

#[test]
fn the_stand_in_passes() {
    let Some(server) = CloudKms::new() else { return };
    let backend = backends::find(&KeyUri::parse(&uri("x")).unwrap()).unwrap();
    // A ring with these keys alone.
    let ring = format!("gcpkms://{RING}-of-signers");
    let rig = Rig {
        backend,
        keys: KEYS.iter().map(|(key, _)| format!("{ring}/cryptoKeys/{key}")).collect(),
        secret: Vec::new(),
        list: Some(ring),
        missing: uri("absent"),
        // One URI names one key.
        ambiguous: None,
        locked: None,
        capabilities: include_str!("../../../backends/gcpkms/capabilities.txt"),
    };
    run_with(&rig, &server.variables());
}
