//! Tries of PIN and PUK.

use virtual_yubikey::{DEFAULT_PIN, DEFAULT_PUK};

use crate::host::*;

fn pair(first: &str, second: &str) -> Vec<u8> {
    [padded(first), padded(second)].concat()
}

#[test]
fn counts_wrong_pins_and_blocks_after_three() {
    let mut card = card(MIDDLE);
    let ask = [0, 0x20, 0, 0x80];
    assert_eq!(send(&mut card, ask, &[]).1, 0x63c3);
    assert_eq!(verify(&mut card, "999999"), 0x63c2);
    assert_eq!(send(&mut card, ask, &[]).1, 0x63c2);
    assert_eq!(verify(&mut card, DEFAULT_PIN), 0x9000);
    assert_eq!(send(&mut card, ask, &[]).1, 0x9000);
    card.reset();
    let mut card = selected(card);
    for word in [0x63c2, 0x63c1, 0x63c0, 0x6983] {
        assert_eq!(verify(&mut card, "999999"), word);
    }
    assert_eq!(verify(&mut card, DEFAULT_PIN), 0x6983);
    assert_eq!(send(&mut card, ask, &[]).1, 0x6983);
    assert_eq!((card.count(0x20), card.pins_sent()), (11, 7));
}

#[test]
fn a_reset_keeps_the_tries_and_forgets_the_pin() {
    let mut card = card(OLD);
    assert_eq!(verify(&mut card, "999999"), 0x63c2);
    card.reset();
    assert_eq!(verify(&mut card, DEFAULT_PIN), 0x6d00, "nothing is selected");
    let mut card = selected(card);
    assert_eq!(send(&mut card, [0, 0x20, 0, 0x80], &[]).1, 0x63c2);
    verified(&mut card);
    let mut card = selected(card);
    assert_eq!(send(&mut card, [0, 0x20, 0, 0x80], &[]).1, 0x63c3, "selecting again forgets it too");
}

#[test]
fn the_puk_unblocks_until_it_is_blocked_itself() {
    let mut card = card(MIDDLE);
    for _ in 0..4 {
        verify(&mut card, "999999");
    }
    let unblock = [0, 0x2c, 0, 0x80];
    assert_eq!(send(&mut card, unblock, &pair("00000000", "654321")).1, 0x63c2);
    assert_eq!(send(&mut card, unblock, &pair(DEFAULT_PUK, "654321")).1, 0x9000);
    assert_eq!(verify(&mut card, "654321"), 0x9000);
    for word in [0x63c2, 0x63c1, 0x63c0, 0x6983] {
        assert_eq!(send(&mut card, unblock, &pair("00000000", "654321")).1, word);
    }
    assert_eq!(send(&mut card, unblock, &pair(DEFAULT_PUK, "654321")).1, 0x6983);
}

#[test]
fn changes_pin_and_puk_and_refuses_short_ones_without_a_try() {
    let mut card = card(NEW);
    let change = |reference| [0, 0x24, 0, reference];
    assert_eq!(send(&mut card, change(0x80), &pair(DEFAULT_PIN, "12345")).1, 0x6a80);
    assert_eq!(send(&mut card, change(0x80), &pair("000000", "222222")).1, 0x63c2);
    assert_eq!(send(&mut card, change(0x80), &pair(DEFAULT_PIN, "222222")).1, 0x9000);
    assert_eq!(send(&mut card, change(0x81), &pair(DEFAULT_PUK, "33333333")).1, 0x9000);
    assert_eq!(verify(&mut card, DEFAULT_PIN), 0x63c2);
    assert_eq!(verify(&mut card, "222222"), 0x9000);
}

#[test]
fn a_reset_of_the_application_wants_both_blocked() {
    let mut card = card(MIDDLE);
    with_key(&mut card, 0x9a, 0, 0);
    assert_eq!(send(&mut card, [0, 0xfb, 0, 0], &[]).1, 0x6985);
    for _ in 0..3 {
        verify(&mut card, "999999");
        send(&mut card, [0, 0x24, 0, 0x81], &pair("00000000", "11111111"));
    }
    assert_eq!(send(&mut card, [0, 0xfb, 0, 0], &[]).1, 0x9000);
    assert_eq!(verify(&mut card, DEFAULT_PIN), 0x9000);
    assert_eq!(send(&mut card, [0, 0xf7, 0, 0x9a], &[]).1, 0x6a88);
    assert_eq!(send(&mut card, [0, 0xf7, 0, 0xf9], &[]).1, 0x9000);
}

#[test]
fn set_retries_needs_management_key_and_pin() {
    let mut card = card(MIDDLE);
    let set = [0, 0xfa, 5, 7];
    assert_eq!(send(&mut card, set, &[]).1, 0x6982);
    authenticate(&mut card);
    assert_eq!(send(&mut card, set, &[]).1, 0x6982);
    verified(&mut card);
    assert_eq!(send(&mut card, set, &[]).1, 0x9000);
    assert_eq!(send(&mut card, [0, 0xf7, 0, 0x80], &[]).0, [1, 1, 0xff, 5, 1, 1, 6, 2, 5, 5]);
    assert_eq!(verify(&mut card, "999999"), 0x63c4);
    assert_eq!(send(&mut card, [0, 0xf7, 0, 0x80], &[]).0, [1, 1, 0xff, 5, 1, 1, 6, 2, 5, 4]);
}

#[test]
fn the_log_shows_no_pin() {
    let mut card = card(MIDDLE);
    verified(&mut card);
    let shown = card.log().last().unwrap();
    assert_eq!(shown.as_slice(), b"\0\x20\0\x80\0\0\x08********\0\0");
}
