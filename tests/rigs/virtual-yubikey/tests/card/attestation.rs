//! Attestations, judged by openssl.

use virtual_yubikey::attestation_root;

use crate::host::*;

#[test]
fn an_attestation_leads_to_the_root_and_says_what_is_true() {
    let directory = Directory::new();
    let mut card = card(OLD);
    with_key(&mut card, 0x9c, 2, 3);
    let (attestation, word) = send(&mut card, [0, 0xf9, 0x9c, 0], &[]);
    assert_eq!(word, 0x9000);
    let (object, _) = send(&mut card, [0, 0xcb, 0x3f, 0xff], &tlv(0x5c, &[0x5f, 0xff, 0x01]));
    let inner = value(value(&object, 1), 1);
    for (name, der) in
        [("root", &attestation_root()[..]), ("f9", &inner[..inner.len() - 5]), ("leaf", &attestation)]
    {
        directory.file(name, der);
        directory.openssl(&format!("x509 -in {name} -inform DER -out {name}.pem"));
    }
    let verified = directory.openssl("verify -CAfile root.pem -untrusted f9.pem leaf.pem");
    assert_eq!(verified, "leaf.pem: OK\n");
    let text = directory.openssl("x509 -in leaf.pem -noout -subject -issuer -nameopt RFC2253");
    assert_eq!(text, "subject=CN=YubiKey PIV Attestation 9c\nissuer=CN=Test PIV Attestation\n");
    // The bytes of the four extensions, each behind its identifier's last arc and the OCTET STRING's header.
    let serial = 5_000_001u32.to_be_bytes();
    for expected in [
        &[0x82, 0xc4, 0x0a, 3, 3, 4, 3, 4, 3, 5][..],
        &[&[0x82, 0xc4, 0x0a, 3, 7, 4, 5, 2, 3], &serial[1..]].concat(),
        &[0x82, 0xc4, 0x0a, 3, 8, 4, 2, 2, 3],
        &[0x82, 0xc4, 0x0a, 3, 9, 4, 1, 1],
    ] {
        assert!(attestation.windows(expected.len()).any(|window| window == expected), "{expected:02x?}");
    }
}

#[test]
fn attests_nothing_that_was_not_made_on_the_card() {
    let mut card = card(NEW);
    authenticate(&mut card);
    assert_eq!(send(&mut card, [0, 0xf9, 0x9a, 0], &[]).1, 0x6a80);
    let scalar = tlv(6, &[7; 32]);
    assert_eq!(send(&mut card, [0, 0xfe, 0x11, 0x9a], &scalar).1, 0x9000);
    assert_eq!(send(&mut card, [0, 0xf9, 0x9a, 0], &[]).1, 0x6a80);
}
