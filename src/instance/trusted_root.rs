//! Trusted roots (protobuf-specs `sigstore_trustroot.proto`, media type version 0.1), as `trusted-root create` writes them.

use std::path::Path;
use std::time::{Instant, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::certificate::{self, Certificate};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{HashAlgorithm, KeyType, PublicKey, bounded};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::period;
use super::spec::Spec;
use crate::json;

/// The largest file of keys or certificates read, in bytes.
const MAX_PEM_BYTES: u64 = 1024 * 1024;
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// The fields of an authority.
pub const AUTHORITY: &[&str] = &["url", "certificate-chain", "start-time", "end-time"];
/// The fields of a log.
pub const LOG: &[&str] = &["url", "public-key", "start-time", "end-time", "origin"];

/// One of its four lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Authorities of certificates.
    Authorities,
    /// Logs of certificates.
    CertificateLogs,
    /// Transparency logs.
    Logs,
    /// Timestamp authorities.
    TimestampAuthorities,
}

impl Part {
    const fn field(self) -> &'static str {
        match self {
            Self::Authorities => "certificateAuthorities",
            Self::CertificateLogs => "ctlogs",
            Self::Logs => "tlogs",
            Self::TimestampAuthorities => "timestampAuthorities",
        }
    }
}

/// A trusted root being put together.
#[derive(Debug)]
pub struct Draft(Value);

impl Default for Draft {
    fn default() -> Self {
        Self(json!({ "mediaType": MEDIA_TYPE }))
    }
}

impl Draft {
    /// Takes these lists over from another trusted root.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] for damaged JSON.
    pub fn take(&mut self, bytes: &[u8], parts: &[Part]) -> Result<()> {
        let other = json::parse(bytes).map_err(|why| {
            Error::new(ErrorKind::Integrity, "cannot read the default trusted root").why(why)
        })?;
        for part in parts {
            for one in other.get(part.field()).and_then(Value::as_array).into_iter().flatten() {
                self.push(*part, one.clone());
            }
        }
        Ok(())
    }

    /// Adds what a specification describes. A log that is there already is replaced.
    ///
    /// # Errors
    /// Those of the specification and of its files.
    pub fn add(&mut self, part: Part, spec: &Spec, deadline: Option<Instant>) -> Result<()> {
        let one = match part {
            Part::Logs | Part::CertificateLogs => log(spec, deadline)?,
            Part::Authorities => authority(spec, false, deadline)?,
            Part::TimestampAuthorities => authority(spec, true, deadline)?,
        };
        self.push(part, one);
        Ok(())
    }

    /// The file.
    pub fn to_json(&self) -> String {
        self.0.to_string()
    }

    fn push(&mut self, part: Part, one: Value) {
        let list = self.0.as_object_mut().map(|root| root.entry(part.field()).or_insert_with(|| json!([])));
        let Some(list) = list.and_then(Value::as_array_mut) else { return };
        if let Some(id) = one.get("logId") {
            list.retain(|other| other.get("logId") != Some(id));
        }
        list.push(one);
    }
}

fn log(spec: &Spec, deadline: Option<Instant>) -> Result<Value> {
    let (url, path) = (spec.url()?, spec.required("public-key")?);
    let key = PublicKey::from_pem_or_der(&read(path, deadline)?)
        .map_err(|error| error.with_what(|_| format!("cannot use the public key {path}")))?;
    let (start, end) = spec.period(None)?;
    let id = match spec.get("origin") {
        Some(origin) => checkpoint_id(origin, &key),
        None => key.fingerprint().bytes().to_vec(),
    };
    Ok(json!({
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": STANDARD.encode(key.spki_der()),
            "keyDetails": details(key.key_type()),
            "validFor": period(start, end),
        },
        "logId": { "keyId": STANDARD.encode(id) },
    }))
}

/// The whole hash of which checkpoints bear the first four bytes (C2SP signed-note): of the name and the key, but for ECDSA, where
/// logs have always taken the key alone.
fn checkpoint_id(origin: &str, key: &PublicKey) -> Vec<u8> {
    const ED25519: u8 = 1;
    const OTHER: u8 = 0xff;
    let spki = key.spki_der();
    let signed = match key.key_type() {
        KeyType::P256 | KeyType::P384 | KeyType::P521 => return key.fingerprint().bytes().to_vec(),
        // The key itself ends its SubjectPublicKeyInfo (RFC 8410 4).
        KeyType::Ed25519 => [&[ED25519], &spki[spki.len().saturating_sub(32)..]].concat(),
        KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => {
            [&[OTHER], &b"PKIX-RSA-PKCS#1v1.5"[..], spki].concat()
        }
    };
    let named = [origin.as_bytes(), b"\n", &signed].concat();
    HashAlgorithm::Sha256.digest(&named).bytes().to_vec()
}

/// Names of protobuf-specs (`PublicKeyDetails`).
fn details(key: KeyType) -> &'static str {
    match key {
        KeyType::P256 => "PKIX_ECDSA_P256_SHA_256",
        KeyType::P384 => "PKIX_ECDSA_P384_SHA_384",
        KeyType::P521 => "PKIX_ECDSA_P521_SHA_512",
        KeyType::Rsa2048 => "PKIX_RSA_PKCS1V15_2048_SHA256",
        KeyType::Rsa3072 => "PKIX_RSA_PKCS1V15_3072_SHA256",
        KeyType::Rsa4096 => "PKIX_RSA_PKCS1V15_4096_SHA256",
        KeyType::Ed25519 => "PKIX_ED25519",
    }
}

fn authority(spec: &Spec, has_leaf: bool, deadline: Option<Instant>) -> Result<Value> {
    let (url, path) = (spec.url()?, spec.required("certificate-chain")?);
    let unusable = |why: String| spec.bad(format!("{path}: {why}"));
    let chain = certificate::read_all(&read(path, deadline)?)
        .and_then(|chain| chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>>>())
        .map_err(|error| error.with_what(|_| format!("cannot use the certificates {path}")))?;
    let (Some(first), Some(root)) = (chain.first(), chain.last()) else {
        return Err(unusable("it holds no certificate".to_owned()));
    };
    for pair in chain.windows(2) {
        let [below, above] = pair else { continue };
        if below.x509().tbs_certificate.issuer != above.x509().tbs_certificate.subject {
            return Err(unusable(format!("{} was not issued by {}", below.subject(), above.subject()))
                .hint("put each certificate before its issuer, the root last"));
        }
    }
    if has_leaf && (chain.len() < 2 || first.is_authority()) {
        return Err(unusable("it does not begin with the certificate that signs timestamps".to_owned())
            .hint("put the signer's certificate first, then its issuers, the root last"));
    }
    let begins = if has_leaf { first } else { root }.not_before();
    let begins = begins
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| Timestamp::from_duration(since.try_into().ok()?).ok());
    let (start, end) = spec.period(begins)?;
    let certificates: Vec<_> =
        chain.iter().map(|one| json!({ "rawBytes": STANDARD.encode(one.der()) })).collect();
    Ok(json!({
        "subject": subject(root),
        "uri": url,
        "certChain": { "certificates": certificates },
        "validFor": period(start, end),
    }))
}

/// Organization and common name, for people.
fn subject(root: &Certificate) -> Value {
    use x509_cert::der::asn1::ObjectIdentifier;
    const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
    const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
    let all = || root.x509().tbs_certificate.subject.0.iter().flat_map(|set| set.0.iter());
    let text =
        |oid| all().filter(move |one| one.oid == oid).filter_map(|one| one.value.decode_as::<String>().ok());
    let mut subject = json!({});
    // Of several Cosign takes the first organization and the last common name.
    if let Some(organization) = text(ORGANIZATION).next() {
        subject["organization"] = json!(organization);
    }
    if let Some(name) = text(COMMON_NAME).next_back() {
        subject["commonName"] = json!(name);
    }
    subject
}

fn read(path: &str, deadline: Option<Instant>) -> Result<Vec<u8>> {
    bounded::read(Path::new(path), MAX_PEM_BYTES, deadline).map_err(|cause| Error::io("read", path, cause))
}
