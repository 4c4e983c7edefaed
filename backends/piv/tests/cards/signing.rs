//! Signing: touch, policies, keys whose public half the card does not tell.

use std::time::{Duration, Instant};

use countersign_core::conformance::World;
use countersign_core::context::Event;
use countersign_core::error::ErrorKind;
use countersign_core::{Attester, Backend, Input, KeyStore, KeyUri, OpenContext};

use crate::rig::{PIN, Rig, digest, says, sign};

fn touches(world: &World) -> usize {
    world.events().iter().filter(|event| **event == Event::TouchNeeded).count()
}

#[test]
fn a_touch_is_asked_for_when_the_policy_does() {
    let rig = Rig::new("5.7.1");
    for (slot, policy, expected) in [("82", "never", 0), ("83", "always", 3), ("84", "cached", 1)] {
        rig.card().control(&format!("key {slot} p256 touch={policy}"));
        let world = World::with_secret(PIN);
        let signer = rig.open(&rig.uri(slot), &world).unwrap();
        for text in ["a", "b", "c"] {
            sign(&*signer, text).unwrap();
        }
        assert_eq!(touches(&world), expected, "{policy}");
    }
}

#[test]
fn a_missing_touch_is_no_missing_pin() {
    for (firmware, pin) in [("5.7.1", "always"), ("5.7.1", "once"), ("5.7.1", "never"), ("4.3.5", "once")] {
        let rig = Rig::new(firmware);
        rig.card().control(&format!("key 9a p256 pin={pin} touch=always"));
        let world = World::with_secret(PIN);
        let signer = rig.open(&rig.uri("9a"), &world).unwrap();
        rig.card().control("touch never");
        says(&sign(&*signer, "a").unwrap_err(), ErrorKind::TouchTimeout, "not touched in time");
        rig.card().control("touch immediate");
        sign(&*signer, "a").unwrap();
        assert!(world.asked() <= 1, "{firmware} {pin}");
        let most = if pin == "always" { 3 } else { 1 };
        assert!(rig.card().pins_sent() <= most, "{firmware} {pin}: {}", rig.card().pins_sent());
    }
}

#[test]
fn a_silent_card_of_unknown_policy_may_want_a_touch() {
    // An imported key of firmware 4: neither metadata nor attestation tell its policy.
    let rig = Rig::new("4.3.5");
    rig.card().control("key 9e p256 certificate");
    rig.card().control("fault status=6a80 on=f9 times=all");
    let world = World::with_secret(PIN);
    let signer = rig.open(&rig.uri("9e"), &world).unwrap();
    sign(&*signer, "a").unwrap();
    assert_eq!(touches(&world), 0);
    rig.card().control("fault slow=700 on=87");
    sign(&*signer, "b").unwrap();
    assert_eq!(touches(&world), 1);
}

#[test]
fn a_deadline_ends_the_wait_for_a_card_that_stays_silent() {
    let rig = Rig::new("5.4.3");
    rig.card().control("key 9e p256");
    let world = World::with_secret(PIN);
    let deadline = Some(Instant::now() + Duration::from_millis(400));
    let context = OpenContext { deadline, ..world.context() };
    let signer = rig.backend.open_signer(&rig.uri("9e"), &context).unwrap();
    rig.card().control("fault slow=60000 on=87");
    says(&sign(&*signer, "a").unwrap_err(), ErrorKind::Timeout, "time limit");
    says(&sign(&*signer, "b").unwrap_err(), ErrorKind::Timeout, "");
}

#[test]
fn a_key_without_metadata_signs_by_certificate_attestation_or_file() {
    let rig = Rig::new("4.3.5");
    let card = rig.card();
    card.control("key 9a p256 certificate");
    card.control("key 9d p256");
    let world = World::with_secret(PIN);
    sign(&*rig.open(&rig.uri("9a"), &world).unwrap(), "by certificate").unwrap();
    let attested = rig.open(&rig.uri("9d"), &world).unwrap();
    sign(&*attested, "by attestation").unwrap();
    // An imported key is attested by no card.
    card.control("fault status=6a80 on=f9 times=all");
    says(&rig.refusal(&rig.uri("9d"), &world.context()), ErrorKind::NotFound, "public-key=FILE");
    let directory = tempfile::tempdir().unwrap();
    let named = |key: &countersign_core::PublicKey| {
        let file = directory.path().join("key.pub");
        std::fs::write(&file, key.to_pem()).unwrap();
        KeyUri::parse(&format!("{}?public-key={}", rig.uri("9d"), file.display())).unwrap()
    };
    let uri = named(&attested.info().public_key);
    sign(&*rig.open(&uri, &world).unwrap(), "by file").unwrap();
    assert_eq!(rig.backend.public_key(&uri, &world.context()).unwrap(), attested.info().public_key);
    // A file with another key: the signature does not fit it, and is withheld.
    let other = rig.backend.public_key(&rig.uri("9a"), &world.context()).unwrap();
    let signer = rig.open(&named(&other), &world).unwrap();
    assert_eq!(sign(&*signer, "wrong file").unwrap_err().kind(), ErrorKind::Integrity);
}

#[test]
fn a_file_that_contradicts_the_card_is_refused() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9e p256");
    rig.card().control("key 82 p256");
    let world = World::with_secret(PIN);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.pub");
    std::fs::write(&file, rig.backend.public_key(&rig.uri("82"), &world.context()).unwrap().to_pem())
        .unwrap();
    let uri = KeyUri::parse(&format!("{}?public-key={}", rig.uri("9e"), file.display())).unwrap();
    says(&rig.refusal(&uri, &world.context()), ErrorKind::Integrity, "another key");
}

#[test]
fn the_certificate_of_the_slot_comes_with_the_key() {
    let rig = Rig::new("5.7.1");
    let world = World::with_secret(PIN);
    let certificate = |slot| rig.open(&rig.uri(slot), &world).unwrap().info().certificate.clone();
    // A self-issued one tells no more than the key.
    rig.card().control("key 9e p256 certificate");
    assert!(rig.backend.certificate(&rig.uri("9e"), &world.context()).unwrap().is_some());
    assert!(certificate("9e").is_none());
    // One that another key signed, here the device's.
    let uri = rig.uri("82");
    let algorithm = countersign_core::KeyType::P256.default_algorithm();
    let made = rig.backend.generate(&uri, algorithm, false, &world.context()).unwrap();
    assert!(certificate("82").is_none());
    let issued = rig.backend.attest(&uri, &world.context()).unwrap().remove(0);
    rig.backend.import_certificate(&uri, &issued, false, &world.context()).unwrap();
    let certificate = certificate("82").unwrap();
    assert_eq!(certificate, issued);
    assert_eq!(countersign_core::PublicKey::from_certificate_der(&certificate).unwrap(), made.public_key);
}

#[test]
fn a_message_that_is_too_long_for_a_card_is_refused_before_it_is_asked() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9e ed25519");
    let world = World::with_secret(PIN);
    let signer = rig.open(&rig.uri("9e"), &world).unwrap();
    let algorithm = signer.info().algorithms[0];
    signer.sign(algorithm, Input::Message(&[7; 3000])).unwrap();
    let before = rig.card().count("87");
    let error = signer.sign(algorithm, Input::Message(&[7; 3500])).unwrap_err();
    says(&error, ErrorKind::Unsupported, "3500 bytes");
    assert_eq!(rig.card().count("87"), before);
    let error = signer.sign(algorithm, Input::Digest(&digest("a"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_wrong_signature_of_the_card_is_withheld() {
    fn fixed(der: &[u8]) -> Vec<u8> {
        countersign_core::encoding::ecdsa_der_to_fixed(countersign_core::KeyType::P256, der).unwrap()
    }
    let spoils: [(&str, crate::rig::Spoil); 6] = [
        ("flipped", |der| {
            let mut bytes = der.to_vec();
            bytes[der.len() - 1] ^= 1;
            bytes
        }),
        ("cut short", |der| der[..der.len() - 1].to_vec()),
        ("empty", |_| Vec::new()),
        ("raw r and s", fixed),
        ("with a needless zero", |der| {
            let raw = fixed(der);
            let half = |half: &[u8]| [&[2, 34, 0, 0][..], half].concat();
            [&[0x30, 72][..], &half(&raw[..32]), &half(&raw[32..])].concat()
        }),
        ("of other bytes", |der| vec![0x41; der.len()]),
    ];
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9e p256");
    let world = World::with_secret(PIN);
    let signer = rig.open(&rig.uri("9e"), &world).unwrap();
    for (what, spoil) in spoils {
        rig.card().spoil(spoil);
        let error = sign(&*signer, what).err().unwrap_or_else(|| panic!("a signature {what} leaves"));
        assert_eq!(error.kind(), ErrorKind::Integrity, "{what}: {error}");
    }
    rig.card().spoil(<[u8]>::to_vec);
    // One r or s in 128 begins with a zero byte.
    for text in 0..600 {
        sign(&*signer, &text.to_string()).unwrap();
    }
}

#[test]
fn each_step_of_opening_ends_at_the_deadline() {
    for instruction in ["a4", "fd", "f8", "f7", "cb", "20"] {
        let rig = Rig::new("5.7.1");
        rig.card().control("key 9a p256");
        rig.card().control(&format!("fault slow=60000 on={instruction}"));
        let world = World::with_secret(PIN);
        let deadline = Some(Instant::now() + Duration::from_millis(200));
        let error = rig.refusal(&rig.uri("9a"), &OpenContext { deadline, ..world.context() });
        says(&error, ErrorKind::Timeout, "time limit");
    }
}

#[test]
fn a_cancelled_wait_for_a_touch_ends() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9e p256 touch=always");
    rig.card().control("fault slow=60000 on=87");
    let world = World::with_secret(PIN);
    let cancellation = countersign_core::Cancellation::default();
    let context = OpenContext { cancellation: &cancellation, ..world.context() };
    let signer = rig.backend.open_signer(&rig.uri("9e"), &context).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            cancellation.cancel();
        });
        says(&sign(&*signer, "a").unwrap_err(), ErrorKind::Timeout, "cancelled");
    });
}
