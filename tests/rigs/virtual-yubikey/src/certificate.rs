//! The certificates that a card makes: attestations, and those beside preset keys.

use std::str::FromStr as _;
use std::time::Duration;

use rand_core::{OsRng, RngCore};
use x509_cert::certificate::{CertificateInner, TbsCertificateInner, Version};
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{BitString, GeneralizedTime, OctetString, UtcTime};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::{Time, Validity};

use crate::key::PrivateKey;

const ROOT_KEY: &[u8] = include_bytes!("../assets/attestation-root.pkcs8.der");
const F9_KEY: &[u8] = include_bytes!("../assets/attestation-f9.pkcs8.der");
const ROOT_NAME: &str = "CN=Test PIV Root CA Serial 263751";
const F9_NAME: &str = "CN=Test PIV Attestation";
/// 2016-03-14, as Yubico's first root has it, in seconds since 1970.
const NOT_BEFORE: u64 = 1_457_913_600;
/// 2052-04-17.
const NOT_AFTER: u64 = 2_596_924_800;
/// Yubico's arc for PIV attestations.
const YUBICO_PIV: &str = "1.3.6.1.4.1.41482.3";

/// The certificate that attestations of all test cards lead to, in DER. The same in every process.
pub fn attestation_root() -> Vec<u8> {
    let build = || {
        let key = PrivateKey::from_pkcs8(ROOT_KEY)?;
        let serial = SerialNumber::new(&263_751u32.to_be_bytes()).ok()?;
        issue(ROOT_NAME, key.public_key_info()?, authority(1)?, serial, ROOT_NAME, &key)
    };
    build().expect("the key and the names are constant")
}

/// The key of slot F9 of a new card, and its certificate by the root in DER.
pub(crate) fn attestation_key() -> (PrivateKey, Vec<u8>) {
    let build = || {
        let root = PrivateKey::from_pkcs8(ROOT_KEY)?;
        let key = PrivateKey::from_pkcs8(F9_KEY)?;
        let serial = SerialNumber::new(&[0x10, 0x02]).ok()?;
        let certificate = issue(F9_NAME, key.public_key_info()?, authority(0)?, serial, ROOT_NAME, &root)?;
        Some((key, certificate))
    };
    build().expect("the keys and the names are constant")
}

/// What an attestation says about a key.
pub(crate) struct Statement {
    pub(crate) slot: u8,
    pub(crate) firmware: (u8, u8, u8),
    pub(crate) serial: u32,
    /// The bytes of both policies.
    pub(crate) policies: [u8; 2],
    pub(crate) form_factor: u8,
}

/// The attestation of a key, in DER. The extensions are Yubico's: .3 firmware, .7 serial (a DER INTEGER), .8 policies,
/// .9 form factor; all but .7 are bare bytes.
pub(crate) fn attest(statement: &Statement, key: &PrivateKey, f9: &PrivateKey) -> Option<Vec<u8>> {
    let (major, minor, patch) = statement.firmware;
    let extensions = vec![
        yubico(3, &[major, minor, patch])?,
        yubico(7, &statement.serial.to_der().ok()?)?,
        yubico(8, &statement.policies)?,
        yubico(9, &[statement.form_factor])?,
    ];
    let subject = format!("CN=YubiKey PIV Attestation {:x}", statement.slot);
    issue(&subject, key.public_key_info()?, extensions, random_serial()?, F9_NAME, f9)
}

/// A certificate by the key itself, in DER.
pub(crate) fn self_signed(subject: &str, key: &PrivateKey) -> Option<Vec<u8>> {
    issue(subject, key.public_key_info()?, Vec::new(), random_serial()?, subject, key)
}

fn issue(
    subject: &str,
    public_key: SubjectPublicKeyInfoOwned,
    extensions: Vec<Extension>,
    serial: SerialNumber,
    issuer: &str,
    issuer_key: &PrivateKey,
) -> Option<Vec<u8>> {
    let signature_algorithm = issuer_key.signature_algorithm();
    let tbs_certificate = TbsCertificateInner {
        version: Version::V3,
        serial_number: serial,
        signature: signature_algorithm.clone(),
        issuer: Name::from_str(issuer).ok()?,
        validity: Validity {
            not_before: Time::UtcTime(UtcTime::from_unix_duration(Duration::from_secs(NOT_BEFORE)).ok()?),
            not_after: Time::GeneralTime(
                GeneralizedTime::from_unix_duration(Duration::from_secs(NOT_AFTER)).ok()?,
            ),
        },
        subject: Name::from_str(subject).ok()?,
        subject_public_key_info: public_key,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: (!extensions.is_empty()).then_some(extensions),
    };
    let signature: BitString = issuer_key.sign_message(&tbs_certificate.to_der().ok()?)?;
    let certificate: CertificateInner = CertificateInner { tbs_certificate, signature_algorithm, signature };
    certificate.to_der().ok()
}

fn yubico(arc: u32, value: &[u8]) -> Option<Extension> {
    let extn_id = ObjectIdentifier::new(&format!("{YUBICO_PIV}.{arc}")).ok()?;
    Some(Extension { extn_id, critical: false, extn_value: OctetString::new(value).ok()? })
}

fn authority(path_length: u8) -> Option<Vec<Extension>> {
    use x509_cert::der::oid::AssociatedOid as _;
    let constraints = BasicConstraints { ca: true, path_len_constraint: Some(path_length) };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let critical = |extn_id, value: Vec<u8>| {
        OctetString::new(value).ok().map(|extn_value| Extension { extn_id, critical: true, extn_value })
    };
    Some(vec![
        critical(BasicConstraints::OID, constraints.to_der().ok()?)?,
        critical(KeyUsage::OID, usage.to_der().ok()?)?,
    ])
}

fn random_serial() -> Option<SerialNumber> {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    // Positive and of full length (RFC 5280 4.1.2.2).
    bytes[0] = bytes[0] & 0x7f | 0x01;
    SerialNumber::new(&bytes).ok()
}
