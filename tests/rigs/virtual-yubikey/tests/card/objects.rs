//! Data objects.

use crate::host::*;

fn read(card: &mut virtual_yubikey::Card, id: [u8; 3]) -> (Vec<u8>, u16) {
    send(card, [0, 0xcb, 0x3f, 0xff], &tlv(0x5c, &id))
}

fn write(card: &mut virtual_yubikey::Card, id: [u8; 3], object: &[u8]) -> u16 {
    send(card, [0, 0xdb, 0x3f, 0xff], &[tlv(0x5c, &id), tlv(0x53, object)].concat()).1
}

#[test]
fn an_object_is_read_as_written_and_gone_when_empty() {
    let mut card = card(MIDDLE);
    authenticate(&mut card);
    let id = [0x5f, 0xc1, 0x02];
    assert_eq!(read(&mut card, id).1, 0x6a82);
    assert_eq!(write(&mut card, id, b"chuid"), 0x9000);
    assert_eq!(read(&mut card, id), (tlv(0x53, b"chuid"), 0x9000));
    assert_eq!(write(&mut card, id, b""), 0x9000);
    assert_eq!(read(&mut card, id).1, 0x6a82);
}

#[test]
fn printed_information_needs_the_pin() {
    let mut card = card(MIDDLE);
    authenticate(&mut card);
    let id = [0x5f, 0xc1, 0x09];
    assert_eq!(write(&mut card, id, b"printed"), 0x9000);
    assert_eq!(read(&mut card, id).1, 0x6982);
    verified(&mut card);
    assert_eq!(read(&mut card, id).1, 0x9000);
}

#[test]
fn objects_have_a_largest_size() {
    let mut card = card(MIDDLE);
    authenticate(&mut card);
    assert_eq!(write(&mut card, [0x5f, 0xc1, 0x05], &[1; 3063]), 0x9000);
    assert_eq!(write(&mut card, [0x5f, 0xc1, 0x0a], &[1; 3064]), 0x6a84);
    assert_eq!(write(&mut card, [0x5f, 0xc2, 0x01], &[1]), 0x6a82);
}
