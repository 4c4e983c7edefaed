//! The suite that every backend passes, over the card at each firmware.

use countersign_core::conformance::{Rig as Suite, run};

use crate::rig::{PIN, Rig};

const CAPABILITIES: &str = include_str!("../../capabilities.txt");

/// Presets a key in each slot and runs the suite over them.
fn suite(rig: &Rig, keys: &[(&str, &str)], except: &[&str]) {
    let place = if rig.card().control("serial")[0] == "1" {
        format!("reader={}", rig.card().reader().replace(' ', "%20"))
    } else {
        format!("serial={}", rig.card().serial)
    };
    for (slot, key) in keys {
        rig.card().control(&format!("key {slot} {key}"));
    }
    let able: Vec<_> =
        CAPABILITIES.lines().filter(|line| !except.iter().any(|word| line.contains(word))).collect();
    run(&Suite {
        backend: &rig.backend,
        keys: keys.iter().map(|(slot, _)| format!("piv:slot={slot};{place}")).collect(),
        secret: PIN.to_vec(),
        list: Some(format!("piv:{place}")),
        missing: format!("yubikey:slot=95;{place}"),
        ambiguous: None,
        locked: Some(format!("piv:slot={};{place}", keys[0].0)),
        capabilities: &able.join("\n"),
    });
}

const FIRST: [(&str, &str); 3] = [("9a", "p256"), ("9c", "p384"), ("9d", "rsa2048")];

#[test]
fn firmware_4_3_5_passes() {
    suite(&Rig::new("4.3.5"), &FIRST, &["3072", "4096", "ed25519"]);
}

#[test]
fn firmware_5_4_3_passes() {
    suite(&Rig::new("5.4.3"), &FIRST, &["3072", "4096", "ed25519"]);
}

#[test]
fn firmware_5_7_1_passes() {
    let keys = [FIRST[0], FIRST[1], FIRST[2], ("9e", "ed25519"), ("82", "rsa3072"), ("94", "rsa4096")];
    suite(&Rig::new("5.7.1"), &keys, &[]);
}

#[test]
fn a_card_of_another_maker_passes() {
    let keys = FIRST.map(|(slot, key)| (slot, format!("{key} certificate")));
    let keys: Vec<_> = keys.iter().map(|(slot, key)| (*slot, key.as_str())).collect();
    suite(&Rig::new("plain"), &keys, &["3072", "4096", "ed25519"]);
}
