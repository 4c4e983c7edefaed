//! Commands that make no sense.

use crate::host::*;

/// Numbers that are the same in each run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn any_bytes_get_an_answer_with_a_status_word() {
    const INSTRUCTIONS: [u8; 18] = [
        0x20, 0x24, 0x2c, 0x47, 0x87, 0xa4, 0xc0, 0xcb, 0xdb, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfd, 0xfe,
        0xff,
    ];
    let mut numbers = Numbers(0x5eed_0000_0000_0001);
    let mut card = card(NEW);
    for round in 0..30_000 {
        if round % 50 == 0 {
            card = selected(card);
            authenticate_if_possible(&mut card);
        }
        let size = numbers.next() as usize % 40;
        let mut apdu: Vec<u8> = (0..size).map(|_| numbers.next() as u8).collect();
        if let [class, instruction, _, p2, length, data @ ..] = apdu.as_mut_slice() {
            *class &= 0x10;
            *instruction = INSTRUCTIONS[*instruction as usize % INSTRUCTIONS.len()];
            // New keys of RSA would take the time.
            if *instruction == 0x47 {
                *instruction = 0x87;
            }
            *p2 = [*p2, 0x9a, 0x9b, 0x80, 0xff][*p2 as usize % 5];
            *length = data.len() as u8;
            if let [tag, inner, ..] = data {
                *tag = [*tag, 0x7c, 0x5c, 0x81][*tag as usize % 4];
                *inner = *length - 2;
            }
        }
        assert!(card.transmit(&apdu).len() >= 2, "{apdu:02x?}");
        card.clear_log();
    }
}

/// Garbage may have changed the management key.
fn authenticate_if_possible(card: &mut virtual_yubikey::Card) {
    if send(card, [0, 0xf7, 0, 0x9b], &[]).0.ends_with(&[5, 1, 1]) {
        authenticate(card);
    }
}
