//! Yubico's own certificates, if `COUNTERSIGN_VECTORS` says where they are, and those that are built in.

#![allow(clippy::print_stderr, reason = "a skipped test says so aloud")]
#![allow(clippy::disallowed_methods, reason = "tests find their vectors through the environment")]

use std::path::PathBuf;

use countersign_core::conformance::World;

use super::*;

/// A certificate of the published vectors as DER; `None`, said aloud, where there are none.
fn vector(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("COUNTERSIGN_VECTORS").map(PathBuf::from) else {
        eprintln!("SKIPPED: COUNTERSIGN_VECTORS is not set");
        return None;
    };
    let file = folder.join("piv-attestation").join(name);
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Some(pem::parse(text).unwrap().into_contents())
}

fn verify(chain: &[Vec<u8>]) -> Error {
    let error = PivBackend::new().verify_attestation(chain, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    error
}

#[test]
fn a_published_attestation_is_read_as_it_says() {
    let Some(leaf) = vector("yubikey-piv-attestation-9c.pem") else { return };
    let statement = attestation::read(&leaf).unwrap();
    assert_eq!(statement.slot.unwrap().to_string(), "9c");
    assert!(statement.firmware.is_some() && statement.serial.is_some() && statement.form_factor.is_some());
    assert_eq!(statement.public_key.unwrap().key_type(), countersign_core::KeyType::P256);
    assert!(statement.policies.pin.is_some() && statement.policies.touch.is_some());
    // Its device's certificate was not published with it: no root stands behind it then.
    let error = verify(std::slice::from_ref(&leaf));
    assert!(error.to_string().contains("CN=Yubico PIV Attestation"), "{error}");
    for name in [
        "yubico-piv-root-ca-serial-263751.pem",
        "yubico-attestation-root-1.pem",
        "yubico-piv-attestation-a-1.pem",
        "yubico-piv-attestation-b-1.pem",
        "yubico-attestation-intermediate-a-1.pem",
        "yubico-attestation-intermediate-b-1.pem",
    ] {
        verify(&[leaf.clone(), vector(name).unwrap()]);
    }
}

#[test]
fn the_built_in_certificates_are_the_published_ones() {
    for (name, built_in) in [
        (
            "yubico-piv-root-ca-serial-263751",
            &include_bytes!("../../roots/yubico-piv-root-ca-serial-263751.der")[..],
        ),
        ("yubico-attestation-root-1", include_bytes!("../../roots/yubico-attestation-root-1.der")),
        ("yubico-piv-attestation-a-1", include_bytes!("../../roots/yubico-piv-attestation-a-1.der")),
        ("yubico-piv-attestation-b-1", include_bytes!("../../roots/yubico-piv-attestation-b-1.der")),
        (
            "yubico-attestation-intermediate-a-1",
            include_bytes!("../../roots/yubico-attestation-intermediate-a-1.der"),
        ),
        (
            "yubico-attestation-intermediate-b-1",
            include_bytes!("../../roots/yubico-attestation-intermediate-b-1.der"),
        ),
    ] {
        let Some(published) = vector(&format!("{name}.pem")) else { return };
        assert_eq!(published, built_in, "{name}");
    }
}

#[test]
fn an_authority_is_no_attestation() {
    // Each was issued by the next: signatures alone would let them pass for a key, its device and their authorities.
    let der = |bytes: &[u8]| bytes.to_vec();
    let a1 = der(include_bytes!("../../roots/yubico-piv-attestation-a-1.der"));
    let intermediate = der(include_bytes!("../../roots/yubico-attestation-intermediate-a-1.der"));
    let root = der(include_bytes!("../../roots/yubico-attestation-root-1.der"));
    verify(&[a1.clone(), intermediate.clone()]);
    verify(&[a1, intermediate, root]);
}

#[test]
fn form_factors_have_names() {
    assert_eq!(form_factor(0x01), "USB-A keychain");
    assert_eq!(form_factor(0x84), "USB-C nano, FIPS");
    assert_eq!(form_factor(0), "unknown (0)");
}

#[test]
fn attesting_needs_a_card() {
    struct None;
    impl crate::Readers for None {
        fn list(&self) -> Result<Vec<crate::Reader>, crate::TransportError> {
            Ok(Vec::new())
        }
        fn connect(&self, _: &str) -> Result<Box<dyn crate::Transport>, crate::TransportError> {
            Err(crate::TransportError::NoReader)
        }
        fn wait(&self, _: std::time::Duration) {}
    }
    let world = World::default();
    let uri = KeyUri::parse("piv:slot=9c").unwrap();
    let error = PivBackend::with_readers(&None).attest(&uri, &world.context()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPresent);
}
