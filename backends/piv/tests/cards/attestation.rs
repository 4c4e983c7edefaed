//! Attestations of the rig's card under the rig's root, and what does not pass for one. Yubico's own certificates are tested
//! beside the code.

use countersign_core::conformance::World;
use countersign_core::error::ErrorKind;
use countersign_core::{Attester, Backend, HashAlgorithm, Input, KeyStore, KeyUri, PublicKey};
use der::asn1::{BitString, ObjectIdentifier};
use der::{Decode, Encode};
use x509_cert::Certificate;
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::rig::{PIN, Rig, attestation_root, says};

#[test]
fn an_attestation_proves_origin_device_and_policies() {
    for firmware in ["4.3.5", "5.4.3", "5.7.1"] {
        let rig = Rig::new(firmware);
        rig.card().control("key 9c p256 pin=once touch=cached");
        let world = World::with_secret(PIN);
        let chain = rig.backend.attest(&rig.uri("9c"), &world.context()).unwrap();
        let proven = rig.backend.verify_attestation(&chain, &[attestation_root()]).unwrap();
        assert_eq!(proven.public_key, rig.backend.public_key(&rig.uri("9c"), &world.context()).unwrap());
        let serial = rig.card().serial.to_string();
        for fact in [
            ("serial", serial.as_str()),
            ("firmware", firmware),
            ("slot", "9c"),
            ("pin-policy", "once"),
            ("touch-policy", "cached"),
            ("form-factor", "USB-A keychain"),
        ] {
            let found = proven.facts.iter().find(|(name, _)| *name == fact.0);
            assert_eq!(
                found.map(|(_, value)| value.as_str()),
                Some(fact.1),
                "{firmware}: {:?}",
                proven.facts
            );
        }
        assert_eq!((world.asked(), rig.card().pins_sent()), (0, 0));
        let error = rig.backend.verify_attestation(&chain, &[]).unwrap_err();
        says(&error, ErrorKind::Integrity, "no root that is known");
    }
}

#[test]
fn what_is_no_attestation_is_refused() {
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9c p256 certificate");
    let world = World::with_secret(PIN);
    let root = attestation_root();
    let chain = rig.backend.attest(&rig.uri("9c"), &world.context()).unwrap();
    let verify = |chain: &[Vec<u8>]| rig.backend.verify_attestation(chain, std::slice::from_ref(&root));
    let refusal = |chain: &[Vec<u8>]| verify(chain).err().unwrap().kind();
    verify(&chain).unwrap();
    assert_eq!(refusal(&[]), ErrorKind::Integrity);
    assert_eq!(refusal(&chain[..1]), ErrorKind::Integrity);
    assert_eq!(refusal(&[chain[1].clone(), chain[0].clone()]), ErrorKind::Integrity);
    // The device's certificate is no statement about a key, though the root issued it.
    assert_eq!(refusal(&[chain[1].clone(), root.clone()]), ErrorKind::Integrity);
    // The slot's own certificate, self-signed, proves nothing.
    let own = rig.backend.certificate(&rig.uri("9c"), &world.context()).unwrap().unwrap();
    assert_eq!(refusal(&[own.clone(), own]), ErrorKind::Integrity);
    for (certificate, other) in [(0, 1), (1, 0)] {
        for at in 0..chain[certificate].len() {
            let mut flipped = chain.clone();
            flipped[certificate][at] ^= 1;
            flipped[other].clone_from(&chain[other]);
            assert!(verify(&flipped).is_err(), "byte {at} of certificate {certificate}");
        }
        for length in 0..chain[certificate].len() {
            let mut cut = chain.clone();
            cut[certificate].truncate(length);
            assert!(verify(&cut).is_err(), "certificate {certificate} cut to {length}");
        }
    }
    assert_eq!(refusal(&vec![chain[1].clone(); 20]), ErrorKind::Integrity);
}

#[test]
fn a_key_that_was_not_made_on_the_device_has_no_attestation() {
    let rig = Rig::new("5.7.1");
    let world = World::with_secret(PIN);
    let error = rig.backend.attest(&rig.uri("9c"), &world.context()).unwrap_err();
    says(&error, ErrorKind::NotFound, "imported");
    let rig = Rig::new("plain");
    rig.card().control("key 9c p256 certificate");
    let uri = KeyUri::parse("piv:slot=9c").unwrap();
    says(&rig.backend.attest(&uri, &world.context()).unwrap_err(), ErrorKind::Unsupported, "only a YubiKey");
}

#[test]
fn the_attested_key_is_the_one_of_the_slot() {
    let rig = Rig::new("5.4.3");
    rig.card().control("key 9a rsa2048");
    let world = World::with_secret(PIN);
    let chain = rig.backend.attest(&rig.uri("9a"), &world.context()).unwrap();
    let attested = PublicKey::from_certificate_der(&chain[0]).unwrap();
    assert_eq!(attested, rig.backend.public_key(&rig.uri("9a"), &world.context()).unwrap());
}

#[test]
fn a_key_of_the_device_attests_no_other() {
    // The key in 9c is genuine and attested; its owner lets it sign an attestation of a key that no device ever held.
    let rig = Rig::new("5.7.1");
    rig.card().control("key 9c p256 pin=never");
    rig.card().control("key 9e p256");
    let world = World::with_secret(PIN);
    let chain = rig.backend.attest(&rig.uri("9c"), &world.context()).unwrap();
    let genuine = Certificate::from_der(&chain[0]).unwrap();
    let other = rig.backend.attest(&rig.uri("9e"), &world.context()).unwrap();
    let mut forged = Certificate::from_der(&other[0]).unwrap();
    forged.tbs_certificate.issuer = genuine.tbs_certificate.subject.clone();
    let ecdsa_with_sha256 = AlgorithmIdentifierOwned {
        oid: ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
        parameters: None,
    };
    forged.tbs_certificate.signature = ecdsa_with_sha256.clone();
    forged.signature_algorithm = ecdsa_with_sha256;
    let signer = rig.open(&rig.uri("9c"), &world).unwrap();
    let digest = HashAlgorithm::Sha256.digest(&forged.tbs_certificate.to_der().unwrap());
    let signature = signer.sign(signer.info().algorithms[0], Input::Digest(&digest)).unwrap();
    forged.signature = BitString::from_bytes(signature.bytes()).unwrap();
    let forged = forged.to_der().unwrap();
    let roots = [attestation_root()];
    for path in [
        vec![forged.clone(), chain[0].clone(), chain[1].clone()],
        vec![forged.clone(), chain[0].clone()],
        vec![forged, chain[1].clone(), chain[0].clone()],
    ] {
        let error = rig.backend.verify_attestation(&path, &roots).unwrap_err();
        says(&error, ErrorKind::Integrity, "may not attest keys");
    }
    // Nor may it where somebody names the genuine certificate for a root.
    let own_root = [chain[0].clone()];
    let path = [chain[0].clone(), chain[1].clone()];
    assert!(rig.backend.verify_attestation(&path, &own_root).is_err());
}
