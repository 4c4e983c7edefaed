//! Signed certificate timestamps (RFC 6962 3): that a certificate transparency log saw the certificate. They stand in the
//! certificate or beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::certificate::Certificate;
use countersign_core::{HashAlgorithm, Input};
use der::Decode;
use der::oid::AssociatedOid;
use jiff::Timestamp;
use serde::Deserialize;
use x509_cert::ext::pkix::SignedCertificateTimestampList;
use x509_cert::ext::pkix::sct::SerializedSct;

use super::certificate::precertificate;
use super::refusal::{Check, Refusal};
use super::trust::{Log, Trust};

/// Timestamps read from one certificate.
const MAX_TIMESTAMPS: usize = 16;

/// A timestamp by itself (RFC 6962 4.1, the answer to `add-chain`): what the log said of the whole certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateTimestamp {
    log_id: Vec<u8>,
    /// Milliseconds since 1970.
    time: u64,
    extensions: Vec<u8>,
    /// As the key's algorithm encodes it.
    signature: Vec<u8>,
}

impl CertificateTimestamp {
    /// Reads the JSON of a log.
    ///
    /// # Errors
    /// What is damaged, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Answer {
            sct_version: u8,
            id: String,
            timestamp: u64,
            extensions: String,
            signature: String,
        }
        let answer: Answer =
            serde_json::from_value(crate::json::parse(bytes)?).map_err(|cause| cause.to_string())?;
        if answer.sct_version != 0 {
            return Err(format!("its version is {}, expected 0", answer.sct_version));
        }
        let decoded =
            |name: &str, text: &str| STANDARD.decode(text).map_err(|cause| format!("{name}: {cause}"));
        // Two octets of algorithms, which the key settles, then the length.
        let signed = decoded("signature", &answer.signature)?;
        let signature = match signed.split_at_checked(4) {
            Some(([_, _, high, low], rest))
                if rest.len() == usize::from(u16::from_be_bytes([*high, *low])) =>
            {
                rest
            }
            _ => return Err("signature: it is no digitally-signed struct".to_owned()),
        };
        Ok(Self {
            log_id: decoded("id", &answer.id)?,
            time: answer.timestamp,
            extensions: decoded("extensions", &answer.extensions)?,
            signature: signature.to_vec(),
        })
    }

    /// Those that stand in a certificate.
    ///
    /// # Errors
    /// [`Check::CertificateTimestamp`] where they are damaged, or too many.
    pub fn embedded(leaf: &Certificate) -> Result<Vec<Self>, Refusal> {
        let refused = |found: String| Check::CertificateTimestamp.refuse("", found);
        let oid = SignedCertificateTimestampList::OID;
        let extensions = leaf.x509().tbs_certificate.extensions.as_deref().unwrap_or_default();
        let Some(extension) = extensions.iter().find(|extension| extension.extn_id == oid) else {
            return Ok(Vec::new());
        };
        let damaged =
            |cause: &dyn std::fmt::Debug| refused(format!("the embedded timestamps are damaged: {cause:?}"));
        let list = SignedCertificateTimestampList::from_der(extension.extn_value.as_bytes());
        let list =
            list.map_err(|cause| damaged(&cause))?.parse_timestamps().map_err(|cause| damaged(&cause))?;
        if list.len() > MAX_TIMESTAMPS {
            let found = format!("{} embedded timestamps, at most {MAX_TIMESTAMPS} are read", list.len());
            return Err(refused(found));
        }
        let read = |one: &SerializedSct| {
            let one = one.parse_timestamp().map_err(|cause| damaged(&cause))?;
            Ok(Self {
                log_id: one.log_id.key_id.to_vec(),
                time: one.timestamp,
                extensions: one.extensions.as_slice().to_vec(),
                // What the algorithm field says is not trusted: the log's key settles it (RFC 6962 2.1.4: SHA-256).
                signature: one.signature.signature.as_slice().to_vec(),
            })
        };
        list.iter().map(read).collect()
    }
}

/// The distinct logs that vouch for the certificate, with embedded timestamps and with the one that stands beside it.
///
/// A timestamp of a log that is not trusted proves nothing and is passed over; one of a trusted log must hold.
///
/// # Errors
/// [`Check::CertificateTimestamp`].
pub(super) fn vouching<'a>(
    leaf: &Certificate,
    beside: Option<&CertificateTimestamp>,
    issuers: &[Certificate],
    trust: &'a Trust,
) -> Result<Vec<&'a Log>, Refusal> {
    let mut logs: Vec<&Log> = Vec::new();
    let mut add = |log: Option<&'a Log>| {
        logs.extend(log.filter(|log| !logs.iter().any(|other| other.id == log.id || other.key == log.key)));
    };
    let embedded = CertificateTimestamp::embedded(leaf)?;
    if !embedded.is_empty() {
        let precertificate = precertificate(leaf, SignedCertificateTimestampList::OID)
            .map_err(|found| Check::CertificateTimestamp.refuse("", found))?;
        // The issuer's key is part of what was signed.
        let named = &leaf.x509().tbs_certificate.issuer;
        let issuers = issuers.iter().filter(|issuer| issuer.x509().tbs_certificate.subject == *named);
        let entries: Vec<_> = issuers.map(|issuer| precertificate_entry(issuer, &precertificate)).collect();
        for one in &embedded {
            add(check(one, &entries, trust)?);
        }
    }
    if let Some(one) = beside {
        add(check(one, &[certificate_entry(leaf)], trust)?);
    }
    Ok(logs)
}

/// The log that signed this timestamp of one of the entries; none where the log is not trusted.
fn check<'a>(
    one: &CertificateTimestamp,
    entries: &[Vec<u8>],
    trust: &'a Trust,
) -> Result<Option<&'a Log>, Refusal> {
    let refused = |found: &str| Check::CertificateTimestamp.refuse("", found);
    let mut known = trust.certificate_logs.iter().filter(|log| log.id == one.log_id).peekable();
    if known.peek().is_none() {
        return Ok(None);
    }
    let vouched = known.find(|log| entries.iter().any(|entry| signed(one, log, entry)));
    let log = vouched.ok_or_else(|| refused("the signature of a certificate timestamp does not match"))?;
    let time = i64::try_from(one.time).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let time = time.ok_or_else(|| refused("a certificate timestamp is out of range"))?;
    if !log.window.contains(time) {
        return Err(Check::CertificateTimestamp.refuse(log.window.words(), format!("{time} ({})", log.name)));
    }
    Ok(Some(log))
}

/// `precert_entry` (RFC 6962 3.2): the issuer's key and the certificate without its timestamps.
fn precertificate_entry(issuer: &Certificate, part: &[u8]) -> Vec<u8> {
    let mut entry = vec![0, 1];
    entry.extend(HashAlgorithm::Sha256.digest(issuer.public_key().spki_der()).bytes());
    entry.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes().iter().skip(1));
    entry.extend(part);
    entry
}

/// `x509_entry`: the certificate as it is.
fn certificate_entry(leaf: &Certificate) -> Vec<u8> {
    let mut entry = vec![0, 0];
    entry.extend(u32::try_from(leaf.der().len()).unwrap_or(u32::MAX).to_be_bytes().iter().skip(1));
    entry.extend(leaf.der());
    entry
}

/// Whether the log signed it.
fn signed(one: &CertificateTimestamp, log: &Log, entry: &[u8]) -> bool {
    let mut message = vec![0, 0]; // v1, certificate_timestamp
    message.extend(one.time.to_be_bytes());
    message.extend(entry);
    message.extend(u16::try_from(one.extensions.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend(&one.extensions);
    let algorithm = countersign_core::Algorithm::with_hash(log.key.key_type(), HashAlgorithm::Sha256)
        .unwrap_or_else(|| log.key.key_type().default_algorithm());
    let digest = algorithm.hash().map(|hash| hash.digest(&message));
    let input = digest.as_ref().map_or(Input::Message(&message), Input::Digest);
    log.key.verify(algorithm, input, &one.signature).is_ok()
}
