//! Long commands and answers in short APDUs.

use crate::host::*;

/// A command in short APDUs of at most `size` bytes, the answer by GET RESPONSE.
fn send_short(card: &mut virtual_yubikey::Card, header: [u8; 4], data: &[u8], size: usize) -> (Vec<u8>, u16) {
    let mut links = data.chunks(size).peekable();
    let mut answer = (Vec::new(), 0);
    while let Some(link) = links.next() {
        let mut apdu = header.to_vec();
        if links.peek().is_some() {
            apdu[0] |= 0x10;
        }
        apdu.push(link.len() as u8);
        apdu.extend(link);
        answer = split(card.transmit(&apdu));
        assert!(links.peek().is_none() || answer == (Vec::new(), 0x9000));
    }
    while answer.1 >> 8 == 0x61 {
        let (more, word) = split(card.transmit(&[0, 0xc0, 0, 0, 0]));
        assert!(more.len() <= 256);
        answer.0.extend(more);
        answer.1 = word;
    }
    answer
}

#[test]
fn an_object_written_in_links_is_read_in_parts() {
    let mut card = card(MIDDLE);
    authenticate(&mut card);
    let object: Vec<u8> = (0..1000u32).map(|number| number as u8).collect();
    let mut request = tlv(0x5c, &[0x5f, 0xc1, 0x05]);
    request.extend(tlv(0x53, &object));
    assert_eq!(send_short(&mut card, [0, 0xdb, 0x3f, 0xff], &request, 255).1, 0x9000);
    let read = tlv(0x5c, &[0x5f, 0xc1, 0x05]);
    let (answer, word) = send_short(&mut card, [0, 0xcb, 0x3f, 0xff], &read, 255);
    assert_eq!((value(&answer, 1), word), (object.as_slice(), 0x9000));
    assert_eq!(send(&mut card, [0, 0xcb, 0x3f, 0xff], &read).0, answer, "in one piece by an extended APDU");
}

#[test]
fn each_part_tells_how_much_waits() {
    let mut card = card(MIDDLE);
    card.preset_object(0x5f_c105, &[1; 600]);
    let read = [0, 0xcb, 0x3f, 0xff, 5, 0x5c, 3, 0x5f, 0xc1, 0x05];
    let sizes: Vec<_> = [&read[..], &[0, 0xc0, 0, 0, 0], &[0, 0xc0, 0, 0, 0], &[0, 0xc0, 0, 0, 0]]
        .into_iter()
        .map(|apdu| split(card.transmit(apdu)))
        .map(|(data, word)| (data.len(), word))
        .collect();
    // 604 bytes with tag and length.
    assert_eq!(sizes, [(256, 0x6100), (256, 0x615c), (92, 0x9000), (0, 0x6985)]);
}

#[test]
fn another_command_breaks_a_chain() {
    let mut card = card(MIDDLE);
    authenticate(&mut card);
    assert_eq!(split(card.transmit(&[0x10, 0xdb, 0x3f, 0xff, 1, 0x5c])).1, 0x9000);
    assert_eq!(split(card.transmit(&[0, 0xfd, 0, 0, 0])).1, 0x6883);
    assert_eq!(split(card.transmit(&[0, 0xfd, 0, 0, 0])).1, 0x9000);
    assert_eq!(split(card.transmit(&[0x10, 0xdb, 0x3f, 0xff, 1, 0x5c])).1, 0x9000);
    selected(card);
}

#[test]
fn a_message_for_ed25519_may_be_long() {
    let mut card = card(NEW);
    authenticate(&mut card);
    generate(&mut card, 0x9e, 0xe0, 0, 0).unwrap();
    let message = vec![0x61; 3000];
    let mut wanted = vec![0x82, 0];
    wanted.extend(tlv(0x81, &message));
    let (answer, word) = send_short(&mut card, [0, 0x87, 0xe0, 0x9e], &tlv(0x7c, &wanted), 200);
    assert_eq!(word, 0x9000);
    assert_eq!(
        value(value(&answer, 1), 1),
        sign(&mut card, 0x9e, 0xe0, &message).unwrap(),
        "Ed25519 is deterministic"
    );
}

#[test]
fn refuses_other_classes_and_instructions() {
    let mut card = card(NEW);
    assert_eq!(split(card.transmit(&[0x80, 0xfd, 0, 0])).1, 0x6e00);
    assert_eq!(split(card.transmit(&[0, 0x99, 0, 0])).1, 0x6d00);
    assert_eq!(split(card.transmit(&[0, 0xfd])).1, 0x6700);
    assert_eq!(split(card.transmit(&[])).1, 0x6700);
    assert_eq!(send(&mut card, [0, 0xa4, 4, 0], &[0xa0, 0, 0, 6, 0x47]).1, 0x6a82);
    assert_eq!(send(&mut card, [0, 0xfd, 0, 0], &[]).1, 0x9000, "what was selected stays so");
}
