//! PIN, PUK, management key and reset.

use countersign_core::conformance::World;
use countersign_core::device::{Device, NewManagementKey};
use countersign_core::error::ErrorKind;
use countersign_core::{Algorithm, Backend, KeyStore, KeyUri, Secret};

use crate::rig::{PIN, Rig, says, sign};

const FACTORY_KEY: &str = "010203040506070801020304050607080102030405060708";

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn device(rig: &Rig) -> &dyn Device {
    rig.backend.device().unwrap()
}

fn p256() -> Algorithm {
    Algorithm::parse("ecdsa-sha2-256-nistp256").unwrap()
}

#[test]
fn pin_and_puk_change_and_unblock() {
    for firmware in ["4.3.5", "5.4.3", "5.7.1", "plain"] {
        let rig = Rig::new(firmware);
        rig.card().control("key 9a p256 certificate");
        let uri = KeyUri::parse("piv:slot=9a").unwrap();
        let world = World::with_secret(b"no prompt");
        let context = world.context();
        device(&rig).set_pin(&uri, None, &secret("246810"), &context).unwrap();
        device(&rig).set_puk(&uri, Some(secret("12345678")), &secret("87654321"), &context).unwrap();
        let error =
            device(&rig).set_pin(&uri, Some(secret("135790")), &secret("111222"), &context).unwrap_err();
        says(&error, ErrorKind::WrongPin { tries_left: Some(2) }, "2 tries");
        let error = device(&rig).unblock(&uri, None, &secret("975310"), &context).unwrap_err();
        says(&error, ErrorKind::WrongPin { tries_left: Some(2) }, "PUK");
        device(&rig).unblock(&uri, Some(secret("87654321")), &secret("975310"), &context).unwrap();
        let world = World::with_secret(b"975310");
        sign(&*rig.open(&uri, &world).unwrap(), "a").unwrap();
        for new in ["12345", "123456789"] {
            let error =
                device(&rig).set_pin(&uri, Some(secret("975310")), &secret(new), &context).unwrap_err();
            says(&error, ErrorKind::WrongPin { tries_left: None }, "6 to 8");
        }
    }
}

#[test]
fn a_wrong_management_key_changes_nothing() {
    for (firmware, wrong) in [("4.3.5", "02"), ("5.4.3", "02"), ("5.7.1", "02"), ("plain", "02")] {
        let rig = Rig::new(firmware);
        let uri = KeyUri::parse("piv:slot=9c").unwrap();
        let world = World::with_secret(PIN);
        let key = |text: &str| Some(secret(text));
        let new = || NewManagementKey::Given(secret(&"ab".repeat(24)));
        if firmware != "plain" {
            let error = device(&rig)
                .set_management_key(&uri, key(&wrong.repeat(24)), new(), &world.context())
                .unwrap_err();
            says(&error, ErrorKind::Unauthenticated, "management key is wrong,");
            let error = device(&rig)
                .set_management_key(&uri, key(&wrong.repeat(16)), new(), &world.context())
                .unwrap_err();
            says(&error, ErrorKind::Unauthenticated, "of 24 bytes");
        }
        let error = device(&rig).set_management_key(&uri, key("xyz"), new(), &world.context()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadUri | ErrorKind::Unsupported), "{error}");
        assert_eq!(rig.card().count("ff"), 0);
        rig.backend.generate(&uri, p256(), false, &world.context()).unwrap();
    }
}

#[test]
fn management_keys_of_each_cipher_open_the_card() {
    for (firmware, sizes) in [("4.3.5", &[24][..]), ("5.4.3", &[24, 16, 32]), ("5.7.1", &[24, 16, 32, 24])] {
        let rig = Rig::new(firmware);
        let uri = rig.uri("9c");
        let world = World::with_secret(PIN);
        let mut current = FACTORY_KEY.to_owned();
        for (round, size) in sizes.iter().enumerate() {
            let new = format!("{:02x}", 0x31 + 2 * round).repeat(size - 1) + "7f";
            let given = NewManagementKey::Given(secret(&new));
            let kept = device(&rig).set_management_key(&uri, Some(secret(&current)), given, &world.context());
            assert!(kept.unwrap_or_else(|error| panic!("{firmware} {size}: {error}")).is_none());
            let key = countersign_core::device::NewKey {
                algorithm: p256(),
                pin_policy: None,
                touch_policy: None,
                management_key: Some(secret(&new)),
            };
            device(&rig).make_key(&uri, &key, true, &world.context()).unwrap();
            current = new;
        }
    }
    let rig = Rig::new("4.3.5");
    let world = World::with_secret(PIN);
    let new = NewManagementKey::Given(secret(&"ab".repeat(16)));
    let error = device(&rig).set_management_key(&rig.uri("9c"), None, new, &world.context()).unwrap_err();
    says(&error, ErrorKind::Unsupported, "5.4.2");
}

#[test]
fn a_random_management_key_is_random_and_may_stay_on_the_card() {
    for firmware in ["4.3.5", "5.7.1"] {
        let rig = Rig::new(firmware);
        let uri = rig.uri("9c");
        let world = World::with_secret(PIN);
        let context = world.context();
        let random = |protected| NewManagementKey::Random { protected };
        let first = device(&rig).set_management_key(&uri, None, random(false), &context).unwrap().unwrap();
        assert_eq!(first.expose().len(), 48);
        assert_ne!(first.expose(), FACTORY_KEY.as_bytes());
        assert_eq!(world.asked(), 0);
        let copy = || Secret::new(first.expose().to_vec());
        let kept = device(&rig).set_management_key(&uri, Some(copy()), random(true), &context).unwrap();
        assert!(kept.is_none());
        assert_eq!(world.asked(), 1);
        // From now on the PIN suffices, for another protected key too.
        rig.backend.generate(&uri, p256(), true, &context).unwrap();
        device(&rig).set_management_key(&uri, None, random(true), &context).unwrap();
        rig.backend.generate(&uri, p256(), true, &context).unwrap();
        let second = device(&rig).set_management_key(&uri, None, random(false), &context).unwrap().unwrap();
        assert_ne!(second.expose(), first.expose());
        // The card no longer says that it keeps one: the factory's is tried, and is wrong.
        let error = rig.backend.generate(&uri, p256(), true, &context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    }
}

#[test]
fn a_change_that_fails_half_way_is_taken_back() {
    let rig = Rig::new("5.7.1");
    let uri = rig.uri("9c");
    let world = World::with_secret(PIN);
    rig.card().control("fault status=6f00 on=ff");
    let random = NewManagementKey::Random { protected: true };
    device(&rig).set_management_key(&uri, None, random, &world.context()).unwrap_err();
    // Still the factory's key, and the card does not say otherwise.
    rig.backend.generate(&uri, p256(), true, &world.context()).unwrap();
}

#[test]
fn a_reset_asks_names_the_device_and_leaves_the_factory_state() {
    for firmware in ["4.3.5", "5.4.3", "5.7.1"] {
        let rig = Rig::new(firmware);
        rig.card().control("key 9c p256 certificate");
        rig.card().control("pin 975310");
        let world = World::with_secret(PIN);
        let error = device(&rig).reset(&rig.uri("9c"), false, &world.context()).unwrap_err();
        says(&error, ErrorKind::Denied, &rig.card().serial.to_string());
        assert_eq!((rig.card().pins_sent(), rig.card().count("fb")), (0, 0));
        device(&rig).reset(&rig.uri("9c"), true, &world.context()).unwrap();
        assert!(rig.backend.list(&rig.uri("9c"), &world.context()).unwrap().is_empty());
        rig.backend.generate(&rig.uri("9c"), p256(), false, &world.context()).unwrap();
        sign(&*rig.open(&rig.uri("9c"), &world).unwrap(), "a").unwrap();
    }
    let rig = Rig::new("plain");
    let uri = KeyUri::parse("piv:").unwrap();
    let error = device(&rig).reset(&uri, true, &World::with_secret(PIN).context()).unwrap_err();
    says(&error, ErrorKind::Unsupported, "only a YubiKey");
    assert_eq!(rig.card().pins_sent(), 0);
}

#[test]
fn a_random_key_is_not_lost_with_the_answer() {
    // The card sets the key and its answer is garbled: the card itself then shows that it has it.
    for protected in [false, true] {
        let rig = Rig::new("5.7.1");
        let uri = rig.uri("9c");
        let world = World::with_secret(PIN);
        rig.card().control("fault short=1 on=ff");
        let random = NewManagementKey::Random { protected };
        let key = device(&rig).set_management_key(&uri, None, random, &world.context()).unwrap();
        assert_eq!(key.is_none(), protected);
        let key = countersign_core::device::NewKey {
            algorithm: p256(),
            pin_policy: None,
            touch_policy: None,
            management_key: key,
        };
        device(&rig).make_key(&uri, &key, true, &world.context()).unwrap();
    }
    // The card is pulled out in that moment: which key it has cannot be said, and the new one is handed out.
    let rig = Rig::new("5.7.1");
    let world = World::with_secret(PIN);
    rig.card().control("fault removed on=ff");
    let random = NewManagementKey::Random { protected: false };
    let key = device(&rig).set_management_key(&rig.uri("9c"), None, random, &world.context()).unwrap();
    assert_eq!(key.unwrap().expose().len(), 48);
    assert!(format!("{:?}", world.events()).contains("or still the old one"), "{:?}", world.events());
}
