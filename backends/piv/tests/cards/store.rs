//! Listing, making and deleting keys, and certificates beside them.

use std::process::Command;

use countersign_core::backend::Created;
use countersign_core::conformance::World;
use countersign_core::context::Event;
use countersign_core::device::{NewKey, PinPolicy, TouchPolicy};
use countersign_core::error::ErrorKind;
use countersign_core::local_key::{self, LocalKey};
use countersign_core::{Algorithm, Backend, Input, KeyStore, KeyUri};

use crate::rig::{PIN, Rig, says, sign};

fn algorithm(name: &str) -> Algorithm {
    Algorithm::parse(name).unwrap()
}

fn p256() -> Algorithm {
    algorithm("ecdsa-sha2-256-nistp256")
}

#[test]
fn a_list_tells_what_can_be_known_without_a_pin() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9c p384 pin=always touch=cached certificate");
    rig.card().control("key 85 ed25519");
    let world = World::with_secret(PIN);
    let keys = rig.backend.list(&KeyUri::parse("piv:").unwrap(), &world.context()).unwrap();
    let uris: Vec<_> = keys.iter().map(|key| key.uri.clone()).collect();
    assert_eq!(uris, [rig.uri("9c").to_string(), rig.uri("85").to_string()]);
    for note in [
        "firmware 5.7.1",
        "PIN always",
        "touch cached",
        "made on the device",
        "certificate CN=Virtual PIV 9c",
    ] {
        assert!(keys[0].notes.iter().any(|found| found == note), "{note}: {:?}", keys[0].notes);
    }
    assert_eq!((world.asked(), rig.card().pins_sent()), (0, 0));
    let tokens = rig.backend.tokens(&KeyUri::parse("piv:").unwrap(), &world.context()).unwrap();
    assert_eq!(tokens[0].serial, rig.card().serial.to_string());
}

#[test]
fn a_key_is_made_with_its_policies_on_each_firmware() {
    for (firmware, slot, name) in [
        ("4.3.5", "9c", "ecdsa-sha2-384-nistp384"),
        ("5.4.3", "95", "rsa-sign-pkcs1-2048-sha256"),
        ("5.7.1", "9a", "ed25519"),
        ("plain", "9d", "ecdsa-sha2-256-nistp256"),
    ] {
        let rig = Rig::new(firmware);
        let uri = KeyUri::parse(&format!("piv:slot={slot}")).unwrap();
        let world = World::with_secret(PIN);
        let guarded = (firmware != "plain").then_some((PinPolicy::Once, TouchPolicy::Cached));
        let key = NewKey {
            algorithm: algorithm(name),
            pin_policy: guarded.map(|(pin, _)| pin),
            touch_policy: guarded.map(|(_, touch)| touch),
            management_key: None,
        };
        let made = rig.backend.device().unwrap().make_key(&uri, &key, false, &world.context()).unwrap();
        assert!(
            world.events().iter().any(
                |event| matches!(event, Event::Warning(text) if text.contains("factory's management key"))
            ),
            "{:?}",
            world.events()
        );
        if firmware == "plain" {
            // Nothing but a certificate tells such a card's key later.
            assert_eq!(
                rig.backend.public_key(&uri, &world.context()).unwrap_err().kind(),
                ErrorKind::NotFound
            );
            continue;
        }
        let signer = rig.open(&KeyUri::parse(&made.uri).unwrap(), &world).unwrap();
        assert_eq!(signer.info().public_key, made.public_key);
        let listed = rig.backend.list(&uri, &world.context()).unwrap();
        assert!(
            listed[0].notes.iter().any(|note| note == "touch cached"),
            "{firmware}: {:?}",
            listed[0].notes
        );
        assert!(listed[0].notes.iter().any(|note| note == "PIN once"), "{firmware}: {:?}", listed[0].notes);
    }
}

#[test]
fn what_the_firmware_lacks_is_refused_before_anything_is_changed() {
    for (firmware, name, words) in [
        ("5.4.3", "ed25519", "need firmware 5.7"),
        ("5.4.3", "rsa-sign-pkcs1-4096-sha256", "has 5.4.3"),
        ("4.3.4", "rsa-sign-pkcs1-2048-sha256", "CVE-2017-15361"),
        ("5.7.1", "ecdsa-sha2-512-nistp521", "no P-521"),
        ("plain", "ed25519", "only YubiKeys"),
    ] {
        let rig = Rig::new(firmware);
        let world = World::with_secret(PIN);
        let uri = KeyUri::parse("piv:slot=9c").unwrap();
        let error = rig.backend.generate(&uri, algorithm(name), true, &world.context()).unwrap_err();
        says(&error, ErrorKind::Unsupported, words);
        assert_eq!(rig.card().count("47"), 0, "{firmware}");
    }
    let rig = Rig::new("plain");
    let uri = KeyUri::parse("piv:slot=9c?touch-policy=always").unwrap();
    let error = rig.backend.generate(&uri, p256(), true, &World::with_secret(PIN).context()).unwrap_err();
    says(&error, ErrorKind::Unsupported, "policies");
}

#[test]
fn an_existing_key_is_kept_unless_someone_says_otherwise() {
    for firmware in ["4.3.5", "5.7.1"] {
        let rig = Rig::new(firmware);
        rig.card().control("key 9c p256 certificate");
        let world = World::with_secret(PIN);
        let before = rig.backend.public_key(&rig.uri("9c"), &world.context()).unwrap();
        let error = rig.backend.generate(&rig.uri("9c"), p256(), false, &world.context()).unwrap_err();
        says(&error, ErrorKind::Denied, "has a P-256 key, which is kept");
        assert_eq!(rig.backend.public_key(&rig.uri("9c"), &world.context()).unwrap(), before);
        let world = World::with_secret(PIN).confirming();
        let made = rig.backend.generate(&rig.uri("9c"), p256(), false, &world.context()).unwrap();
        assert_ne!(made.public_key, before);
        // The old certificate went with the old key.
        assert!(rig.backend.certificate(&rig.uri("9c"), &world.context()).unwrap().is_none());
        assert_eq!(rig.backend.public_key(&rig.uri("9c"), &world.context()).unwrap(), made.public_key);
        sign(&*rig.open(&rig.uri("9c"), &world).unwrap(), "a").unwrap();
    }
}

#[test]
fn a_certificate_goes_beside_its_own_key_only() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9a p256 certificate");
    rig.card().control("key 9c p256 certificate");
    let world = World::with_secret(PIN);
    let context = world.context();
    let own = rig.backend.certificate(&rig.uri("9a"), &context).unwrap().unwrap();
    let error = rig.backend.import_certificate(&rig.uri("9c"), &own, true, &context).unwrap_err();
    says(&error, ErrorKind::Integrity, "of another key");
    let error = rig.backend.import_certificate(&rig.uri("9a"), &own, false, &context).unwrap_err();
    says(&error, ErrorKind::Denied, "which is kept");
    rig.backend.import_certificate(&rig.uri("9a"), &own, true, &context).unwrap();
    assert_eq!(rig.backend.certificate(&rig.uri("9a"), &context).unwrap().unwrap(), own);
    assert!(rig.backend.import_certificate(&rig.uri("9a"), b"no certificate", true, &context).is_err());
    rig.card().control("fault status=6a84 on=db");
    let error = rig.backend.import_certificate(&rig.uri("9a"), &own, true, &context).unwrap_err();
    says(&error, ErrorKind::Denied, "no room");
}

#[test]
fn a_key_is_deleted_where_the_firmware_can() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9c p256 certificate");
    let world = World::with_secret(PIN);
    says(
        &rig.backend.delete(&rig.uri("9c"), false, &world.context()).unwrap_err(),
        ErrorKind::Denied,
        "not confirmed",
    );
    let gone = rig.backend.delete(&rig.uri("9c"), true, &world.context()).unwrap();
    assert_eq!(gone.len(), 2, "{gone:?}");
    let error = rig.backend.delete(&rig.uri("9c"), true, &world.context()).unwrap_err();
    says(&error, ErrorKind::NotFound, "the slot is empty");
    let rig = Rig::new("5.4.3");
    rig.card().control("key 9c p256");
    let error = rig.backend.delete(&rig.uri("9c"), true, &world.context()).unwrap_err();
    says(&error, ErrorKind::Unsupported, "firmware 5.7");
}

#[test]
fn the_doctor_tells_without_a_login() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9c p256 certificate");
    let world = World::with_secret(PIN);
    let mut found = Vec::new();
    rig.backend.diagnose(&rig.uri("9c"), &world.context(), &mut |finding| found.push(finding.text));
    for words in [
        rig.card().reader(),
        "firmware 5.7.1",
        "3 tries left",
        "its PIN is the factory's",
        "its management key is the factory's",
        "AES-192",
        "known from its metadata",
        "PIN always, touch never",
        "its certificate is of CN=Virtual PIV 9c",
    ] {
        assert!(found.iter().any(|text| text.contains(words)), "{words}: {found:#?}");
    }
    assert_eq!((world.asked(), rig.card().pins_sent()), (0, 0));
    for firmware in ["4.3.5", "plain"] {
        let rig = Rig::new(firmware);
        let mut last = None;
        let uri = KeyUri::parse("piv:slot=9c").unwrap();
        rig.backend.diagnose(&uri, &world.context(), &mut |finding| last = Some(finding));
        assert_eq!(
            last.unwrap().severity,
            countersign_core::backend::Severity::Problem,
            "{firmware}: an empty slot"
        );
    }
}

#[test]
fn imported_keys_of_each_type_sign() {
    for (firmware, options) in [
        ("4.3.5", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"].as_slice()),
        ("5.4.3", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("5.4.3", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        ("5.7.1", &["RSA", "-pkeyopt", "rsa_keygen_bits:3072"]),
        ("5.7.1", &["RSA", "-pkeyopt", "rsa_keygen_bits:4096"]),
        ("5.7.1", &["ED25519"]),
    ] {
        let pkcs8 = private_key(options);
        let rig = Rig::new(firmware);
        let world = World::with_secret(PIN);
        let uri = |rest: &str| KeyUri::parse(&format!("{}{rest}", rig.uri("9a"))).unwrap();
        let local = local(&pkcs8);
        let policies = uri("?pin-policy=never&touch-policy=always");
        let made = rig.backend.import(&policies, &local, false, &world.context());
        let made = made.unwrap_or_else(|error| panic!("{firmware}: {error}"));
        let signs_by = if firmware == "4.3.5" {
            let warned =
                |event: &Event| matches!(event, Event::Warning(text) if text.contains("public half"));
            assert!(world.events().iter().any(warned), "{:?}", world.events());
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), made.public_key.to_pem()).unwrap();
            let signs_by = uri(&format!("?public-key={}", file.path().display()));
            sign_any(&rig, &signs_by, &world, &made);
            continue;
        } else {
            KeyUri::parse(&made.uri).unwrap()
        };
        sign_any(&rig, &signs_by, &world, &made);
        let listed = rig.backend.list(&rig.uri("9a"), &world.context()).unwrap();
        for note in ["imported", "PIN never", "touch always"] {
            assert!(listed[0].notes.iter().any(|found| found == note), "{note}: {:?}", listed[0].notes);
        }
        let error = rig.backend.import(&policies, &local, false, &world.context()).unwrap_err();
        says(&error, ErrorKind::Denied, "which is kept");
    }
    let rig = Rig::new("plain");
    for options in [&["ED25519"][..], &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]] {
        let local = local(&private_key(options));
        let uri = KeyUri::parse("piv:slot=9a").unwrap();
        let error = rig.backend.import(&uri, &local, false, &World::with_secret(PIN).context()).unwrap_err();
        says(&error, ErrorKind::Unsupported, "only YubiKeys");
    }
    assert_eq!(rig.card().count("fe"), 0);
}

fn local(pkcs8: &[u8]) -> LocalKey {
    let encrypted = || panic!("it is not encrypted");
    local_key::parse(pkcs8, encrypted).unwrap()
}

/// A new private key of openssl's, PKCS#8 DER.
fn private_key(options: &[&str]) -> Vec<u8> {
    let made = Command::new("openssl").args(["genpkey", "-algorithm"]).args(options).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let block = pem::parse(made.stdout).unwrap();
    assert_eq!(block.tag(), "PRIVATE KEY");
    block.into_contents()
}

#[test]
fn what_is_left_half_done_is_told() {
    let rig = Rig::new("5.7.1");
    let world = World::with_secret(PIN).confirming();
    for slot in ["9c", "9d"] {
        rig.card().control(&format!("key {slot} p256 certificate"));
    }
    rig.card().control("fault status=6f00 on=db");
    let error = rig.backend.generate(&rig.uri("9c"), p256(), true, &world.context()).unwrap_err();
    assert!(
        error.to_string().contains("the new key is in slot 9c, but the certificate of the old one too"),
        "{error}"
    );
    rig.card().control("fault status=6f00 on=db");
    let error = rig.backend.delete(&rig.uri("9d"), true, &world.context()).unwrap_err();
    assert!(error.to_string().contains("the key in slot 9d is deleted, its certificate is not"), "{error}");
}

fn sign_any(rig: &Rig, uri: &KeyUri, world: &World, made: &Created) {
    let signer = rig.open(uri, world).unwrap_or_else(|error| panic!("{uri}: {error}"));
    assert_eq!(signer.info().public_key, made.public_key);
    for algorithm in &signer.info().algorithms {
        let digest = algorithm.hash().map(|hash| hash.digest(b"text"));
        let input = digest.as_ref().map_or(Input::Message(b"text"), Input::Digest);
        signer.sign(*algorithm, input).unwrap_or_else(|error| panic!("{uri}, {algorithm}: {error}"));
    }
}
