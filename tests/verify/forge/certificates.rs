//! Certificates of the forge: a root, what it issues, and the leaves of signers with Fulcio's extensions. Every part of a
//! leaf can be chosen, so that it can be chosen wrong.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{BitString, Ia5String, ObjectIdentifier, OctetString, UtcTime};
use der::oid::AssociatedOid;
use der::{Any, Decode, Encode};
use serde_json::{Value, json};
use x509_cert::certificate::{CertificateInner, TbsCertificateInner, Version};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

use super::keys::Key;
use super::{CERTIFIED_UNTIL, TIME, YEAR, date, random, sha256};

pub(crate) const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
pub(crate) const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
/// Fulcio's arc, with the last dot.
pub(crate) const FULCIO: &str = "1.3.6.1.4.1.57264.1.";
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const TIMESTAMP_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";

/// The signer of everything that is signed rightly, and who vouches for it.
pub(crate) const NAME: &str = "https://forge.example/org/app/.github/workflows/release.yml@refs/tags/v1";
pub(crate) const ISSUER: &str = "https://token.forge.example";

/// A key with the certificate that says whose it is.
#[derive(Clone)]
pub(crate) struct Certified {
    pub(crate) key: Arc<Key>,
    pub(crate) der: Vec<u8>,
}

/// A certificate transparency log.
#[derive(Clone)]
pub(crate) struct CertificateLog {
    pub(crate) host: &'static str,
    pub(crate) key: Arc<Key>,
    pub(crate) id: Vec<u8>,
}

impl CertificateLog {
    pub(crate) fn new(host: &'static str) -> Self {
        let key = Key::p256();
        Self { host, id: key.id(), key: Arc::new(key) }
    }

    /// How a trusted root names it.
    pub(crate) fn trusted(&self) -> Value {
        json!({
            "baseUrl": format!("https://{}", self.host),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(self.key.spki()),
                "keyDetails": self.key.details(),
                "validFor": {"start": date(TIME - YEAR)},
            },
            "logId": {"keyId": STANDARD.encode(&self.id)},
        })
    }

    /// What it answers about a whole certificate, as JSON (RFC 6962 3.2 and 4.1).
    pub(crate) fn answer(&self, certificate: &Certified) -> Value {
        let millis = TIME.unsigned_abs() * 1000;
        let length = u32::try_from(certificate.der.len()).unwrap().to_be_bytes();
        let entry = [&[0, 0][..], &length[1..], &certificate.der, &[0, 0]].concat();
        let signature = self.key.sign(&[&[0, 0][..], &millis.to_be_bytes(), &entry].concat());
        let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
        json!({
            "sct_version": 0,
            "id": base64(&self.id),
            "timestamp": millis,
            "extensions": "",
            "signature": base64(&[&[4, 3][..], &sized(&signature)].concat()),
        })
    }

    /// Its timestamp over a certificate that does not have it yet (RFC 6962 3.2), with its length.
    fn stamp(&self, part: &TbsCertificateInner, issuer: &Certified) -> Vec<u8> {
        let millis = (TIME.unsigned_abs() * 1000).to_be_bytes();
        let part = part.to_der().unwrap();
        let length = u32::try_from(part.len()).unwrap().to_be_bytes();
        let entry = [&sha256(&issuer.key.spki())[..], &length[1..], &part, &[0, 0]].concat();
        // Version, signature type and entry type; no extensions at the end.
        let signature = self.key.sign(&[&[0, 0][..], &millis, &[0, 1], &entry].concat());
        // SHA-256 and ECDSA, in TLS's numbers.
        sized(&[&[0][..], &self.id, &millis, &[0, 0, 4, 3], &sized(&signature)].concat())
    }
}

/// From and until when, in seconds since 1970.
pub(crate) type Period = (i64, i64);

/// Valid around the time of everything here, for long.
pub(crate) const LONG: Period = (TIME - YEAR, TIME + 10 * YEAR);

impl Certified {
    /// An authority that vouches for itself.
    pub(crate) fn root(subject: &str, period: Period) -> Self {
        let key = Arc::new(Key::p256());
        let part = part(name(subject), name(subject), &key.spki(), period, authority(None));
        Self { der: signed(&part, &key), key }
    }

    /// An authority below this one.
    pub(crate) fn authority(&self, subject: &str, period: Period) -> Self {
        self.issue(subject, period, authority(None))
    }

    /// A certificate with these extensions, for a new key.
    pub(crate) fn issue(&self, subject: &str, period: Period, extensions: Vec<Extension>) -> Self {
        let key = Arc::new(Key::p256());
        let part = part(name(subject), self.subject(), &key.spki(), period, extensions);
        Self { der: signed(&part, &self.key), key }
    }

    pub(crate) fn parsed(&self) -> CertificateInner {
        CertificateInner::from_der(&self.der).unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        super::keys::pem("CERTIFICATE", &self.der)
    }

    fn subject(&self) -> Name {
        self.parsed().tbs_certificate.subject
    }
}

/// What a signer's certificate says. The default is right in every part.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) names: Vec<GeneralName>,
    /// Fulcio's extensions by their last arc, as they stand in the certificate.
    pub(crate) facts: Vec<(u32, Vec<u8>)>,
    pub(crate) period: Period,
    /// What the key may be used for.
    pub(crate) usages: Vec<Extension>,
    /// The key, where it must not be a new one.
    pub(crate) key: Option<Arc<Key>>,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            names: vec![uri(NAME)],
            facts: vec![
                (1, ISSUER.as_bytes().to_vec()),
                (8, text(ISSUER)),
                (9, text("https://forge.example/org/builder/.github/workflows/build.yml@refs/tags/v2")),
                (12, text("https://forge.example/org/app")),
            ],
            period: (TIME - 60, CERTIFIED_UNTIL),
            usages: vec![
                extension(&KeyUsage(KeyUsages::DigitalSignature.into()), true),
                usage(&[CODE_SIGNING], false),
            ],
            key: None,
        }
    }
}

impl Leaf {
    /// Issues it, with the timestamps that `logs` give for it.
    pub(crate) fn issue(&self, issuer: &Certified, logs: &[&CertificateLog]) -> Certified {
        let key = self.key.clone().unwrap_or_else(|| Arc::new(Key::p256()));
        Certified { der: self.issue_for(&key.spki(), issuer, logs), key }
    }

    /// The same for a key of somebody else.
    pub(crate) fn issue_for(&self, spki: &[u8], issuer: &Certified, logs: &[&CertificateLog]) -> Vec<u8> {
        let mut extensions = self.usages.clone();
        if !self.names.is_empty() {
            extensions.push(extension(&SubjectAltName(self.names.clone()), true));
        }
        let fact = |(number, value): &(u32, Vec<u8>)| Extension {
            extn_id: oid(&format!("{FULCIO}{number}")),
            critical: false,
            extn_value: OctetString::new(value.clone()).unwrap(),
        };
        extensions.extend(self.facts.iter().map(fact));
        let mut part = part(Name::default(), issuer.subject(), spki, self.period, extensions);
        let stamps: Vec<_> = logs.iter().map(|log| log.stamp(&part, issuer)).collect();
        if !stamps.is_empty() {
            let list = OctetString::new(sized(&stamps.concat())).unwrap();
            part.extensions.as_mut().unwrap().push(Extension {
                extn_id: oid(TIMESTAMP_LIST),
                critical: false,
                extn_value: OctetString::new(list.to_der().unwrap()).unwrap(),
            });
        }
        signed(&part, &issuer.key)
    }
}

/// Bytes behind their length in two.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn part(
    subject: Name,
    issuer: Name,
    spki: &[u8],
    period: Period,
    extensions: Vec<Extension>,
) -> TbsCertificateInner {
    let time = |seconds: i64| {
        Time::UtcTime(UtcTime::from_unix_duration(Duration::from_secs(seconds.unsigned_abs())).unwrap())
    };
    let mut serial = random(16);
    serial[0] &= 0x7f;
    serial[0] |= 1;
    TbsCertificateInner {
        version: Version::V3,
        serial_number: SerialNumber::new(&serial).unwrap(),
        signature: ecdsa(),
        issuer,
        validity: Validity { not_before: time(period.0), not_after: time(period.1) },
        subject,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(spki).unwrap(),
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    }
}

fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

fn signed(part: &TbsCertificateInner, key: &Key) -> Vec<u8> {
    let signature = BitString::from_bytes(&key.sign(&part.to_der().unwrap())).unwrap();
    let whole: CertificateInner =
        CertificateInner { tbs_certificate: part.clone(), signature_algorithm: ecdsa(), signature };
    whole.to_der().unwrap()
}

fn ecdsa() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: oid(ECDSA_SHA256), parameters: None }
}

/// What makes an authority, above at most so many others.
pub(crate) fn authority(path_len_constraint: Option<u8>) -> Vec<Extension> {
    vec![
        extension(&BasicConstraints { ca: true, path_len_constraint }, true),
        extension(&KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign), true),
    ]
}

/// An extension of a kind that the type knows.
pub(crate) fn extension<E: AssociatedOid + Encode>(value: &E, critical: bool) -> Extension {
    let extn_value = OctetString::new(value.to_der().unwrap()).unwrap();
    Extension { extn_id: E::OID, critical, extn_value }
}

/// What the key may be used for.
pub(crate) fn usage(usage: &[&str], critical: bool) -> Extension {
    extension(&ExtendedKeyUsage(usage.iter().map(|one| oid(one)).collect()), critical)
}

pub(crate) fn uri(name: &str) -> GeneralName {
    GeneralName::UniformResourceIdentifier(Ia5String::new(name).unwrap())
}

pub(crate) fn email(name: &str) -> GeneralName {
    GeneralName::Rfc822Name(Ia5String::new(name).unwrap())
}

/// A user name as Fulcio writes it, or a text of another kind.
pub(crate) fn other_name(kind: &str, name: &str) -> GeneralName {
    let value = Any::from_der(&text(name)).unwrap();
    GeneralName::OtherName(OtherName { type_id: oid(kind), value })
}

/// A UTF8String.
pub(crate) fn text(text: &str) -> Vec<u8> {
    text.to_owned().to_der().unwrap()
}

pub(crate) fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}
