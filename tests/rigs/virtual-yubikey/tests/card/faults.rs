//! Faults on order.

use std::time::{Duration, Instant};

use virtual_yubikey::{Fault, FaultKind};

use crate::host::*;

const VERSION: [u8; 5] = [0, 0xfd, 0, 0, 0];

#[test]
fn answers_are_cut_spoiled_and_lengthened() {
    let mut card = card(MIDDLE);
    let truth = card.transmit(&VERSION);
    for (kind, length) in [
        (FaultKind::Short(1), 1),
        (FaultKind::Short(0), 0),
        (FaultKind::ExtraStatus, truth.len() + 2),
        (FaultKind::Status(0x6f00), 2),
        (FaultKind::Garbage, truth.len()),
    ] {
        card.fault(Fault::new(kind));
        let answer = card.transmit(&VERSION);
        assert_eq!(answer.len(), length, "{kind:?}");
        assert_ne!(answer, truth);
        assert_eq!(card.transmit(&VERSION), truth, "once");
    }
    card.fault(Fault::new(FaultKind::GarbageData));
    assert!(card.transmit(&VERSION).ends_with(&[0x90, 0x00]));
}

#[test]
fn a_fault_waits_for_its_instruction_and_its_turn() {
    let mut card = card(MIDDLE);
    card.fault(Fault::new(FaultKind::Status(0x6f00)).on(0xfd).after(1).times(2));
    let words: Vec<_> = (0..4).map(|_| split(card.transmit(&VERSION)).1).collect();
    assert_eq!(words, [0x9000, 0x6f00, 0x6f00, 0x9000]);
    card.fault(Fault::new(FaultKind::Status(0x6f00)).on(0xf8).times(u32::MAX));
    assert_eq!(split(card.transmit(&VERSION)).1, 0x9000);
    assert_eq!(split(card.transmit(&[0, 0xf8, 0, 0])).1, 0x6f00);
    card.clear_faults();
    assert_eq!(split(card.transmit(&[0, 0xf8, 0, 0])).1, 0x9000);
}

#[test]
fn a_card_that_is_pulled_says_nothing_until_it_is_back() {
    let mut card = card(MIDDLE);
    card.fault(Fault::new(FaultKind::Removed).after(2));
    assert_eq!(split(card.transmit(&VERSION)).1, 0x9000);
    assert_eq!(split(card.transmit(&VERSION)).1, 0x9000);
    assert_eq!(card.transmit(&VERSION), []);
    assert!(card.is_removed());
    card.insert();
    assert_eq!(split(card.transmit(&VERSION)).1, 0x6d00, "nothing is selected");
}

#[test]
fn a_slow_card_answers_late_and_right() {
    let mut card = card(MIDDLE);
    card.fault(Fault::new(FaultKind::Slow(Duration::from_millis(30))));
    let began = Instant::now();
    assert_eq!(split(card.transmit(&VERSION)), (vec![5, 4, 3], 0x9000));
    assert!(began.elapsed() >= Duration::from_millis(30));
}
