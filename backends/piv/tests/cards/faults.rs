//! Whatever a card answers: short, long, garbled, another status. Each command of each flow meets each fault; nothing panics, and no
//! wrong signature or key comes out.

use countersign_core::conformance::World;
use countersign_core::error::ErrorKind;
use countersign_core::{Algorithm, Attester, Backend, KeyStore};

use crate::rig::{PIN, Rig, sign};

/// Kinds that say that the card is at fault, or what it said.
fn is_told(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::Internal | ErrorKind::BadUri)
}

/// SELECT, GET DATA, metadata, VERIFY, GENERAL AUTHENTICATE, version, serial, attestation, GET RESPONSE.
const INSTRUCTIONS: [&str; 9] = ["a4", "cb", "f7", "20", "87", "fd", "f8", "f9", "c0"];
const FAULTS: [&str; 12] = [
    "short=0",
    "short=1",
    "short=2",
    "short=3",
    "short=5",
    "short=40",
    "garbage",
    "garbage-data",
    "extra-status",
    "status=6f00",
    "status=6d00",
    "status=9000",
];

fn flows(firmware: &str) {
    let rig = Rig::new(firmware);
    let card = rig.card();
    card.control("key 9a p256 certificate");
    card.control("key 9c rsa2048 certificate");
    let truth: Vec<_> = ["9a", "9c"]
        .map(|slot| rig.backend.public_key(&rig.uri(slot), &World::with_secret(PIN).context()).unwrap())
        .to_vec();
    for instruction in INSTRUCTIONS {
        for fault in FAULTS {
            for after in [0, 1, 3] {
                card.control("fault clear");
                card.control(&format!("fault {fault} on={instruction} after={after}"));
                let world = World::with_secret(PIN);
                let context = world.context();
                let what = format!("{firmware}: {fault} on {instruction} after {after}");
                for (slot, truth) in ["9a", "9c"].into_iter().zip(&truth) {
                    match rig.open(&rig.uri(slot), &world) {
                        // The core verifies what comes back under the key that the card told.
                        Ok(signer) => drop(sign(&*signer, "text").map_err(|error| told(&what, &error))),
                        Err(error) => told(&what, &error),
                    }
                    match rig.backend.public_key(&rig.uri(slot), &context) {
                        Ok(key) => assert_eq!(key, *truth, "{what}"),
                        Err(error) => told(&what, &error),
                    }
                }
                drop(rig.backend.list(&rig.uri("9a"), &context).map_err(|error| told(&what, &error)));
                drop(rig.backend.certificate(&rig.uri("9a"), &context).map_err(|error| told(&what, &error)));
                drop(rig.backend.attest(&rig.uri("9a"), &context).map_err(|error| told(&what, &error)));
                rig.backend.diagnose(&rig.uri("9a"), &context, &mut |_| {});
            }
        }
        // Garbled answers to VERIFY may have looked like wrong PINs; the card never counted one.
        card.control("fault clear");
        let world = World::with_secret(b"654321");
        card.control("pin 654321");
        sign(
            &*rig.open(&rig.uri("9a"), &world).unwrap_or_else(|error| panic!("{instruction}: {error}")),
            "t",
        )
        .unwrap();
        card.control("pin 123456");
    }
}

#[track_caller]
fn told(what: &str, error: &countersign_core::Error) {
    assert!(is_told(error.kind()), "{what}: {error}");
}

#[test]
fn no_answer_of_a_yubikey_5_7_breaks_us() {
    flows("5.7.1");
}

#[test]
fn no_answer_of_a_yubikey_4_breaks_us() {
    flows("4.3.5");
}

#[test]
fn a_change_that_the_card_garbles_is_an_error_and_says_so() {
    let rig = Rig::new("5.7.1");
    let algorithm = Algorithm::parse("ecdsa-sha2-256-nistp256").unwrap();
    for instruction in ["87", "47", "cb", "a4"] {
        for fault in FAULTS.iter().filter(|fault| **fault != "status=9000" || instruction != "cb") {
            rig.card().control("fault clear");
            rig.card().control(&format!("fault {fault} on={instruction} after=1"));
            let world = World::with_secret(PIN).confirming();
            match rig.backend.generate(&rig.uri("9c"), algorithm, true, &world.context()) {
                Ok(made) => {
                    let key = rig.backend.public_key(&rig.uri("9c"), &world.context());
                    if let Ok(key) = key {
                        assert_eq!(key, made.public_key, "{fault} on {instruction}");
                    }
                }
                Err(error) => told(&format!("{fault} on {instruction}"), &error),
            }
        }
    }
    // The bytes at the end of a broken answer are the key's, and may look like any status: each is doubtful.
    for fault in [
        "short=20",
        "short=20",
        "short=20",
        "short=20",
        "garbage",
        "status=6f00",
        "status=908f",
        "status=6581",
    ] {
        rig.card().control("fault clear");
        rig.card().control(&format!("fault {fault} on=47"));
        let world = World::with_secret(PIN).confirming();
        let error = rig.backend.generate(&rig.uri("9c"), algorithm, true, &world.context()).unwrap_err();
        assert!(error.to_string().contains("may have a new key"), "{fault}: {error}");
    }
    rig.card().control("fault clear");
    rig.card().control("fault status=6a84 on=47");
    let world = World::with_secret(PIN).confirming();
    let error = rig.backend.generate(&rig.uri("9c"), algorithm, true, &world.context()).unwrap_err();
    assert!(!error.to_string().contains("may have a new key"), "{error}");
}
