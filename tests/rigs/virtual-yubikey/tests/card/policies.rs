//! PIN and touch policies.

use std::time::{Duration, Instant};

use virtual_yubikey::{Algorithm, Card, Config, PinPolicy, TouchBehaviour, TouchPolicy};

use crate::host::*;

const DIGEST: [u8; 32] = [7; 32];

#[test]
fn slots_have_their_default_pin_policies() {
    for (slot, first, second) in [(0x9a, true, true), (0x9c, true, false), (0x9e, true, true)] {
        let mut card = card(MIDDLE);
        with_key(&mut card, slot, 0, 0);
        let without = sign(&mut card, slot, 0x11, &DIGEST);
        assert_eq!(without.is_ok(), slot == 0x9e);
        if slot != 0x9e {
            assert_eq!(without, Err(0x6982));
        }
        verified(&mut card);
        assert_eq!(sign(&mut card, slot, 0x11, &DIGEST).is_ok(), first);
        assert_eq!(sign(&mut card, slot, 0x11, &DIGEST).is_ok(), second, "{slot:x}");
    }
}

#[test]
fn pin_policies_of_a_key_overrule_those_of_its_slot() {
    let mut card = card(OLD);
    with_key(&mut card, 0x9c, 1, 0);
    assert!(sign(&mut card, 0x9c, 0x11, &DIGEST).is_ok());
    with_key(&mut card, 0x9e, 3, 0);
    verified(&mut card);
    assert!(sign(&mut card, 0x9e, 0x11, &DIGEST).is_ok());
    assert_eq!(sign(&mut card, 0x9e, 0x11, &DIGEST), Err(0x6982));
}

#[test]
fn a_missing_touch_answers_as_a_missing_pin_does() {
    let mut config = Config::new(MIDDLE, 1);
    config.touch = TouchBehaviour::Never;
    config.touch_timeout = Duration::from_millis(20);
    let mut card = selected(Card::new(config));
    with_key(&mut card, 0x9e, 0, 2);
    let began = Instant::now();
    assert_eq!(sign(&mut card, 0x9e, 0x11, &DIGEST), Err(0x6982));
    assert!(began.elapsed() >= Duration::from_millis(20));
    card.set_touch(TouchBehaviour::After(Duration::from_millis(5)));
    assert!(sign(&mut card, 0x9e, 0x11, &DIGEST).is_ok());
    card.set_touch(TouchBehaviour::After(Duration::from_millis(21)));
    assert_eq!(sign(&mut card, 0x9e, 0x11, &DIGEST), Err(0x6982), "later than the card waits");
}

#[test]
fn a_touch_is_cached_across_a_reset_and_not_across_a_removal() {
    let mut card = card(MIDDLE);
    with_key(&mut card, 0x9e, 0, 3);
    assert!(sign(&mut card, 0x9e, 0x11, &DIGEST).is_ok());
    card.set_touch(TouchBehaviour::Never);
    card.reset();
    let mut card = selected(card);
    assert!(sign(&mut card, 0x9e, 0x11, &DIGEST).is_ok());
    card.remove();
    card.insert();
    let mut card = selected(card);
    assert_eq!(sign(&mut card, 0x9e, 0x11, &DIGEST), Err(0x6982));
}

#[test]
fn the_sensor_can_be_pressed_during_the_wait() {
    let mut config = Config::new(NEW, 1);
    config.touch = TouchBehaviour::Never;
    config.touch_timeout = Duration::from_secs(20);
    let mut card = selected(Card::new(config));
    card.preset_key_with(0x9a, Algorithm::P256, PinPolicy::Never, TouchPolicy::Always, false);
    let sensor = card.sensor();
    let finger = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(10));
        sensor.set(TouchBehaviour::Immediate);
    });
    assert!(sign(&mut card, 0x9a, 0x11, &DIGEST).is_ok());
    finger.join().unwrap();
}
