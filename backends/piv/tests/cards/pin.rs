//! The PIN: no try is burnt that the user did not mean, and a batch asks once.

use countersign_core::conformance::World;
use countersign_core::context::Event;
use countersign_core::error::ErrorKind;
use countersign_core::{KeyUri, OpenContext, Secret};

use crate::rig::{PIN, Rig, says, sign};

#[test]
fn a_wrong_pin_in_three_runs_leaves_the_last_try_alone() {
    for firmware in ["4.3.5", "5.4.3", "5.7.1", "plain"] {
        let rig = Rig::new(firmware);
        let card = rig.card();
        card.control("key 9a p256 certificate");
        let uri = KeyUri::parse("piv:slot=9a").unwrap();
        // Each run of the tool would have its own memory of refused PINs: other wrong ones stand for that.
        let world = World::with_secret(b"111111");
        says(
            &rig.refusal(&uri, &world.context()),
            ErrorKind::WrongPin { tries_left: Some(2) },
            "2 tries are left",
        );
        let world = World::with_secret(b"222222");
        says(
            &rig.refusal(&uri, &world.context()),
            ErrorKind::WrongPin { tries_left: Some(1) },
            "one try is left",
        );
        assert_eq!(card.pins_sent(), 2, "{firmware}");

        let world = World::with_secret(b"333333");
        says(&rig.refusal(&uri, &world.context()), ErrorKind::Denied, "--allow-final-pin-try");
        assert_eq!((card.pins_sent(), world.asked()), (2, 0), "{firmware}: no VERIFY, and nobody is asked");

        let context = OpenContext { allow_final_pin_try: true, ..world.context() };
        says(&rig.refusal(&uri, &context), ErrorKind::WrongPin { tries_left: Some(0) }, "piv-tool unblock");
        assert_eq!(card.pins_sent(), 3);
        let world = World::with_secret(PIN);
        says(&rig.refusal(&uri, &world.context()), ErrorKind::PinLocked, "piv-tool unblock");
        assert_eq!((card.pins_sent(), world.asked()), (3, 0), "{firmware}");

        let new = Secret::new(b"654321".to_vec());
        let device = countersign_core::Backend::device(&rig.backend).unwrap();
        device.unblock(&uri, None, &new, &world.context()).unwrap();
        let world = World::with_secret(b"654321");
        sign(&*rig.open(&uri, &world).unwrap(), "after unblocking").unwrap();
    }
}

#[test]
fn a_refused_pin_is_not_sent_again_in_the_same_run() {
    let rig = Rig::new("5.4.3");
    rig.card().control("key 9a p256");
    let world = World::with_secret(b"987654");
    says(
        &rig.refusal(&rig.uri("9a"), &world.context()),
        ErrorKind::WrongPin { tries_left: Some(2) },
        "wrong",
    );
    says(
        &rig.refusal(&rig.uri("9a"), &world.context()),
        ErrorKind::WrongPin { tries_left: Some(2) },
        "not sent again",
    );
    assert_eq!(rig.card().pins_sent(), 1);
}

#[test]
fn what_cannot_be_a_pin_is_not_sent() {
    let rig = Rig::new("5.4.3");
    rig.card().control("key 9a p256");
    for wrong in [&b"12345"[..], b"123456789", b"12345\xff6"] {
        let world = World::with_secret(wrong);
        let error = rig.refusal(&rig.uri("9a"), &world.context());
        assert_eq!(error.kind(), ErrorKind::WrongPin { tries_left: Some(3) }, "{error}");
    }
    let error = rig.refusal(&rig.uri("9a"), &World::with_secret(b"").context());
    says(&error, ErrorKind::PinRequired, "empty");
    assert_eq!(rig.card().pins_sent(), 0);
}

#[test]
fn a_hundred_signatures_ask_once() {
    for (firmware, slot, sent) in
        [("5.7.1", "9a", 1), ("5.7.1", "9c", 101), ("4.3.5", "9a", 1), ("5.4.3", "9e", 0)]
    {
        let rig = Rig::new(firmware);
        rig.card().control(&format!("key {slot} p256"));
        let world = World::with_secret(PIN);
        let signer = rig.open(&rig.uri(slot), &world).unwrap();
        for file in 0..100 {
            sign(&*signer, &format!("file {file}")).unwrap();
        }
        assert_eq!(world.asked(), usize::from(sent > 0), "{firmware} {slot}");
        // The policy `always`, slot 9c's own, takes a VERIFY before each signature.
        assert_eq!(rig.card().pins_sent(), sent, "{firmware} {slot}");
        assert_eq!(rig.card().count("87"), 100);
        assert_eq!(rig.card().count("a4"), if firmware == "4.3.5" { 4 } else { usize::from(sent > 0) + 1 });
    }
}

#[test]
fn policies_of_the_key_go_before_those_of_the_slot() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9c p256 pin=never");
    rig.card().control("key 9e p256 pin=always");
    let world = World::with_secret(PIN);
    sign(&*rig.open(&rig.uri("9c"), &world).unwrap(), "a").unwrap();
    assert_eq!((world.asked(), rig.card().pins_sent()), (0, 0));
    let signer = rig.open(&rig.uri("9e"), &world).unwrap();
    sign(&*signer, "b").unwrap();
    sign(&*signer, "c").unwrap();
    assert_eq!((world.asked(), rig.card().pins_sent()), (1, 3));
}

#[test]
fn a_policy_that_the_card_does_not_tell_is_found_out() {
    // A key with a certificate of another maker's card: its slot promises no PIN, the key wants one.
    let rig = Rig::new("plain");
    rig.card().control("key 9e p256 pin=always certificate");
    let world = World::with_secret(PIN);
    let signer = rig.open(&KeyUri::parse("piv:slot=9e").unwrap(), &world).unwrap();
    assert_eq!(world.asked(), 0);
    sign(&*signer, "a").unwrap();
    sign(&*signer, "b").unwrap();
    assert_eq!(world.asked(), 1);
}

#[test]
fn the_pin_comes_from_the_uri_then_the_variable_then_the_prompt() {
    let rig = Rig::new("5.4.3");
    rig.card().control("key 9a p256");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pin");
    std::fs::write(&file, b"123456\n").unwrap();
    let with = |source: &str| KeyUri::parse(&format!("{}{source}", rig.uri("9a"))).unwrap();
    let world = World::with_secret(b"no prompt").set("COUNTERSIGN_PIV_PIN", "123456").set("OTHER", "123456");
    for source in ["", &format!("?pin-source=file:{}", file.display()), ";pin-source=env:OTHER"] {
        sign(&*rig.open(&with(source), &world).unwrap(), "a").unwrap();
    }
    assert_eq!(world.asked(), 0);
    says(&rig.refusal(&with("?pin-source=env:UNSET"), &world.context()), ErrorKind::PinRequired, "UNSET");
    says(&rig.refusal(&with("?pin-source=|/bin/pin"), &world.context()), ErrorKind::Denied, "commands");
    let world = World::with_secret(PIN);
    sign(&*rig.open(&rig.uri("9a"), &world).unwrap(), "a").unwrap();
    assert_eq!(world.asked(), 1);
}

#[test]
fn factory_pin_and_tries_draw_warnings() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9a p256");
    let world = World::with_secret(PIN);
    rig.open(&rig.uri("9a"), &world).unwrap();
    let warned = |world: &World, words: &str| {
        world.events().iter().any(|event| matches!(event, Event::Warning(text) if text.contains(words)))
    };
    assert!(warned(&world, "factory's PIN"), "{:?}", world.events());
    rig.card().control("pin 24681357");
    rig.refusal(&rig.uri("9a"), &World::with_secret(b"135791").context());
    let world = World::with_secret(b"24681357");
    rig.open(&rig.uri("9a"), &world).unwrap();
    assert!(warned(&world, "2 tries are left") && !warned(&world, "factory"), "{:?}", world.events());
}

#[test]
fn a_pin_that_another_program_changed_is_sent_once() {
    let rig = Rig::new("5.4.3");
    rig.card().control("key 9c p256");
    let world = World::with_secret(PIN);
    let signer = rig.open(&rig.uri("9c"), &world).unwrap();
    sign(&*signer, "a").unwrap();
    rig.card().control("pin 765432");
    let before = rig.card().pins_sent();
    says(&sign(&*signer, "b").unwrap_err(), ErrorKind::WrongPin { tries_left: Some(2) }, "wrong");
    says(&sign(&*signer, "c").unwrap_err(), ErrorKind::PinRequired, "refused the PIN before");
    assert_eq!(rig.card().pins_sent(), before + 1);
}
