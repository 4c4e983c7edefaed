//! Imported keys, and keys that move.

use crate::host::*;

#[test]
fn an_imported_p256_key_signs_and_says_where_it_comes_from() {
    let directory = Directory::new();
    directory.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem");
    let text = directory.openssl("pkey -in key.pem -noout -text");
    let mut card = card(MIDDLE);
    authenticate(&mut card);
    let mut data = tlv(6, &hexadecimal(&text, "priv:"));
    data.extend([0xaa, 1, 1, 0xab, 1, 1]);
    assert_eq!(send(&mut card, [0, 0xfe, 0x11, 0x9a], &data).1, 0x9000);
    let shown = card.log().last().unwrap();
    assert!(shown[7..shown.len() - 2].iter().all(|byte| *byte == b'*'), "the log shows no key");
    let (metadata, _) = send(&mut card, [0, 0xf7, 0, 0x9a], &[]);
    assert_eq!(metadata[..10], [1, 1, 0x11, 2, 2, 1, 1, 3, 1, 2]);
    directory.file("digest", &[9; 32]);
    directory.file("signature", &sign(&mut card, 0x9a, 0x11, &[9; 32]).unwrap());
    directory.openssl("pkeyutl -verify -inkey key.pem -in digest -sigfile signature");
}

#[test]
fn an_imported_rsa_key_is_the_one_of_its_primes() {
    let directory = Directory::new();
    directory.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
    let text = directory.openssl("pkey -in key.pem -noout -text");
    let mut card = card(OLD);
    authenticate(&mut card);
    let mut data = tlv(1, &hexadecimal(&text, "prime1:"));
    data.extend(tlv(2, &hexadecimal(&text, "prime2:")));
    assert_eq!(send(&mut card, [0, 0xfe, 0x06, 0x9e], &data).1, 0x6a80, "of another size");
    assert_eq!(send(&mut card, [0, 0xfe, 0x07, 0x9e], &data).1, 0x9000);
    let mut block = vec![0xff; 256];
    block[..2].copy_from_slice(&[0, 1]);
    block[250..].copy_from_slice(b"\0hello");
    directory.file("signature", &sign(&mut card, 0x9e, 0x07, &block).unwrap());
    assert_eq!(directory.openssl("pkeyutl -verifyrecover -inkey key.pem -in signature"), "hello");
}

#[test]
fn a_moved_key_is_in_one_place() {
    let mut card = card(NEW);
    with_key(&mut card, 0x9a, 0, 0);
    let (before, _) = send(&mut card, [0, 0xf7, 0, 0x9a], &[]);
    assert_eq!(send(&mut card, [0, 0xf6, 0x82, 0x9a], &[]).1, 0x9000);
    assert_eq!(send(&mut card, [0, 0xf7, 0, 0x9a], &[]).1, 0x6a88);
    assert_eq!(send(&mut card, [0, 0xf7, 0, 0x82], &[]).0, before);
    assert_eq!(send(&mut card, [0, 0xf6, 0xff, 0x82], &[]).1, 0x9000);
    assert_eq!(send(&mut card, [0, 0xf6, 0xff, 0x82], &[]).1, 0x6a88);
}

/// A number of `openssl pkey -text`, without a zero in front.
fn hexadecimal(text: &str, name: &str) -> Vec<u8> {
    let lines = text.split_once(name).unwrap().1.lines().skip(1).take_while(|line| line.starts_with("    "));
    let digits: Vec<u8> = lines
        .flat_map(|line| line.trim().split(':').filter(|pair| !pair.is_empty()))
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect();
    digits[digits.iter().position(|byte| *byte != 0).unwrap()..].to_vec()
}
