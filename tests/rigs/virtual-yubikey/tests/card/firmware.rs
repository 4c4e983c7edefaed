//! What each firmware knows.

use virtual_yubikey::{Algorithm, Card, Config};

use crate::host::*;

/// Size of the challenge, and the algorithm's byte.
const ALL: [(u8, usize); 7] =
    [(0x06, 128), (0x07, 256), (0x05, 384), (0x16, 512), (0x11, 32), (0x14, 48), (0xe0, 99)];

#[test]
fn makes_keys_of_the_algorithms_it_knows_and_their_signatures_verify() {
    for firmware in [OLD, MIDDLE, NEW] {
        for (algorithm, size) in ALL {
            let is_new = matches!(algorithm, 0x05 | 0x16 | 0xe0);
            let mut card = card(firmware);
            if is_new && firmware != NEW {
                authenticate(&mut card);
                assert_eq!(
                    generate(&mut card, 0x9e, algorithm, 0, 0),
                    Err(0x6a80),
                    "{firmware:?} {algorithm:x}"
                );
                continue;
            }
            // Once for the slow ones.
            if firmware == MIDDLE && algorithm == 0x07 {
                continue;
            }
            authenticate(&mut card);
            generate(&mut card, 0x9e, algorithm, 0, 0).unwrap();
            check(&mut card, 0x9e, algorithm, size);
        }
    }
}

/// Signs, and lets openssl verify with the key of the attestation.
fn check(card: &mut Card, slot: u8, algorithm: u8, size: usize) {
    let directory = Directory::new();
    let (attestation, word) = send(card, [0, 0xf9, slot, 0], &[]);
    assert_eq!(word, 0x9000);
    directory.file("a.der", &attestation);
    directory.openssl("x509 -in a.der -inform DER -pubkey -noout -out key.pem");
    let mut challenge = vec![0x5a; size];
    if matches!(algorithm, 0x05 | 0x06 | 0x07 | 0x16) {
        // PKCS #1 type 1 padding around a message.
        challenge.fill(0xff);
        challenge[..2].copy_from_slice(&[0, 1]);
        challenge[size - 6..].copy_from_slice(b"\0hello");
    }
    let signature = sign(card, slot, algorithm, &challenge).unwrap();
    directory.file("signature", &signature);
    match algorithm {
        0xe0 => {
            directory.file("message", &challenge);
            directory.openssl("pkeyutl -verify -pubin -inkey key.pem -rawin -in message -sigfile signature");
        }
        0x11 | 0x14 => {
            directory.file("digest", &challenge);
            directory.openssl("pkeyutl -verify -pubin -inkey key.pem -in digest -sigfile signature");
        }
        _ => {
            let message = directory.openssl("pkeyutl -verifyrecover -pubin -inkey key.pem -in signature");
            assert_eq!(message, "hello");
        }
    }
}

#[test]
fn instructions_come_with_their_firmware() {
    for (instruction, header, since) in [
        (0xf7, [0, 0xf7, 0, 0x80], MIDDLE),
        (0xf8, [0, 0xf8, 0, 0], MIDDLE),
        (0xf6, [0, 0xf6, 0xff, 0x9a], NEW),
        (0xf9, [0, 0xf9, 0x9a, 0], OLD),
        (0xfd, [0, 0xfd, 0, 0], OLD),
    ] {
        for firmware in [OLD, MIDDLE, NEW] {
            let word = send(&mut card(firmware), header, &[]).1;
            assert_eq!(word == 0x6d00, firmware < since, "{instruction:x} {firmware:?} {word:x}");
        }
        let mut plain = selected(Card::new(Config::plain_piv()));
        assert_eq!(send(&mut plain, header, &[]).1, 0x6d00);
    }
}

#[test]
fn tells_version_and_serial_number_in_each_application() {
    for firmware in [OLD, MIDDLE, NEW] {
        let (major, minor, patch) = firmware;
        let mut card = card(firmware);
        assert_eq!(send(&mut card, [0, 0xfd, 0, 0], &[]).0, [major, minor, patch]);
        if firmware != OLD {
            assert_eq!(send(&mut card, [0, 0xf8, 0, 0], &[]).0, 5_000_001u32.to_be_bytes());
        }
        let otp = [0xa0, 0, 0, 5, 0x27, 0x20, 1];
        assert_eq!(send(&mut card, [0, 0xa4, 4, 0], &otp).1, 0x9000);
        assert_eq!(send(&mut card, [0, 1, 0x10, 0], &[]).0, 5_000_001u32.to_be_bytes());
        let management = [0xa0, 0, 0, 5, 0x27, 0x47, 0x11, 0x17];
        let (name, word) = send(&mut card, [0, 0xa4, 4, 0], &management);
        assert_eq!(
            (name, word),
            (format!("Virtual mgr - FW version {major}.{minor}.{patch}").into_bytes(), 0x9000)
        );
    }
}

#[test]
fn a_plain_card_signs_with_preset_keys_and_has_their_certificates() {
    let mut card = selected(Card::new(Config::plain_piv()));
    let public_key = card.preset_key(0x9e, Algorithm::P384, true);
    let directory = Directory::new();
    let (object, word) = send(&mut card, [0, 0xcb, 0x3f, 0xff], &tlv(0x5c, &[0x5f, 0xc1, 0x01]));
    assert_eq!(word, 0x9000);
    let inner = value(value(&object, 1), 1);
    directory.file("c.der", &inner[..inner.len() - 5]);
    directory.openssl("x509 -in c.der -inform DER -pubkey -noout -out key.pem");
    directory.file("key.der", &public_key);
    let expected = directory.openssl("pkey -pubin -in key.der -inform DER -pubout");
    assert_eq!(directory.openssl("pkey -pubin -in key.pem -pubout"), expected);
    directory.openssl("x509 -in c.der -inform DER -out c.pem");
    assert_eq!(directory.openssl("verify -CAfile c.pem -check_ss_sig c.pem"), "c.pem: OK\n");
    let signature = sign(&mut card, 0x9e, 0x14, &[3; 48]).unwrap();
    directory.file("digest", &[3; 48]);
    directory.file("signature", &signature);
    directory.openssl("pkeyutl -verify -pubin -inkey key.pem -in digest -sigfile signature");
    assert_eq!(send(&mut card, [0, 0xa4, 4, 0], &[0xa0, 0, 0, 5, 0x27, 0x47, 0x11, 0x17]).1, 0x6a82);
    assert_ne!(card.atr(), Card::ATR);
}
