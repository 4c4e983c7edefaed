//! The management key.

use aes::cipher::{BlockDecrypt as _, BlockEncrypt as _, KeyInit as _, generic_array::GenericArray};

use crate::host::*;

#[test]
fn keys_and_objects_need_it() {
    let mut card = card(MIDDLE);
    assert_eq!(generate(&mut card, 0x9a, 0x11, 0, 0), Err(0x6982));
    assert_eq!(send(&mut card, [0, 0xfe, 0x11, 0x9a], &tlv(6, &[7; 32])).1, 0x6982);
    let mut object = tlv(0x5c, &[0x5f, 0xc1, 0x05]);
    object.extend(tlv(0x53, &[1]));
    assert_eq!(send(&mut card, [0, 0xdb, 0x3f, 0xff], &object).1, 0x6982);
}

#[test]
fn a_key_of_another_cipher_can_be_set_where_the_firmware_knows_it() {
    for (cipher, size, allowed) in [(0x08, 16, true), (0x0a, 24, true), (0x0c, 32, true), (0x0b, 24, false)] {
        let data = [&[cipher][..], &tlv(0x9b, &vec![0x42; size])].concat();
        for firmware in [OLD, MIDDLE, NEW] {
            let mut card = card(firmware);
            authenticate(&mut card);
            let word = send(&mut card, [0, 0xff, 0xff, 0xff], &data).1;
            assert_eq!(word == 0x9000, allowed && firmware != OLD, "{cipher:x} {firmware:?}");
        }
    }
}

#[test]
fn host_and_card_show_each_other_the_key() {
    let key = [0x42; 32];
    let cipher = aes::Aes256::new_from_slice(&key).unwrap();
    let mut card = card(MIDDLE);
    authenticate(&mut card);
    assert_eq!(send(&mut card, [0, 0xff, 0xff, 0xfe], &[&[0x0c], &tlv(0x9b, &key)[..]].concat()).1, 0x9000);
    assert_eq!(send(&mut card, [0, 0xf7, 0, 0x9b], &[]).0, [1, 1, 0x0c, 2, 2, 0, 2, 5, 1, 0]);
    let mut card = selected(card);
    for is_right in [false, true] {
        let (answer, _) = send(&mut card, [0, 0x87, 0x0c, 0x9b], &tlv(0x7c, &[0x80, 0]));
        let mut witness = value(value(&answer, 1), 1).to_vec();
        if is_right {
            cipher.decrypt_block(GenericArray::from_mut_slice(&mut witness));
        }
        let mut challenge = [3; 16];
        let request = [tlv(0x80, &witness), tlv(0x81, &challenge)].concat();
        let (answer, word) = send(&mut card, [0, 0x87, 0x0c, 0x9b], &tlv(0x7c, &request));
        if is_right {
            cipher.encrypt_block(GenericArray::from_mut_slice(&mut challenge));
            assert_eq!((value(value(&answer, 1), 1), word), (&challenge[..], 0x9000));
        } else {
            assert_eq!(word, 0x6982);
        }
    }
    assert!(generate(&mut card, 0x9a, 0x11, 0, 0).is_ok());
}

#[test]
fn the_wrong_algorithm_is_refused() {
    assert_eq!(send(&mut card(NEW), [0, 0x87, 0x03, 0x9b], &tlv(0x7c, &[0x81, 0])).1, 0x6a80);
    assert_eq!(send(&mut card(MIDDLE), [0, 0x87, 0x0a, 0x9b], &tlv(0x7c, &[0x81, 0])).1, 0x6a80);
}
