//! Signed certificate timestamps (RFC 6962 3): that a certificate transparency log saw the certificate.

use countersign_core::certificate::Certificate;
use countersign_core::{HashAlgorithm, Input};
use der::Decode;
use der::oid::AssociatedOid;
use jiff::Timestamp;
use x509_cert::ext::pkix::SignedCertificateTimestampList;
use x509_cert::ext::pkix::sct::SignedCertificateTimestamp;

use super::certificate::precertificate;
use super::refusal::{Check, Refusal};
use super::trust::{Log, Trust};

/// Timestamps read from one certificate.
const MAX_TIMESTAMPS: usize = 16;

/// The distinct logs that vouch for the certificate with embedded timestamps.
///
/// A timestamp of a log that is not trusted proves nothing and is passed over; one of a trusted log must hold.
///
/// # Errors
/// [`Check::CertificateTimestamp`].
pub(super) fn vouching<'a>(
    leaf: &Certificate,
    issuers: &[Certificate],
    trust: &'a Trust,
) -> Result<Vec<&'a Log>, Refusal> {
    let refused = |found: String| Check::CertificateTimestamp.refuse("", found);
    let oid = SignedCertificateTimestampList::OID;
    let extensions = leaf.x509().tbs_certificate.extensions.as_deref().unwrap_or_default();
    let Some(extension) = extensions.iter().find(|extension| extension.extn_id == oid) else {
        return Ok(Vec::new());
    };
    let damaged =
        |cause: &dyn std::fmt::Debug| refused(format!("the embedded timestamps are damaged: {cause:?}"));
    let list = SignedCertificateTimestampList::from_der(extension.extn_value.as_bytes());
    let list = list.map_err(|cause| damaged(&cause))?.parse_timestamps().map_err(|cause| damaged(&cause))?;
    if list.len() > MAX_TIMESTAMPS {
        return Err(refused(format!(
            "{} embedded timestamps, at most {MAX_TIMESTAMPS} are read",
            list.len()
        )));
    }
    let precertificate = precertificate(leaf, oid).map_err(refused)?;
    let mut logs: Vec<&Log> = Vec::new();
    for one in list {
        let one = one.parse_timestamp().map_err(|cause| damaged(&cause))?;
        let mut known = trust.certificate_logs.iter().filter(|log| log.id == one.log_id.key_id).peekable();
        if known.peek().is_none() {
            continue;
        }
        let vouched =
            known.find(|log| issuers.iter().any(|issuer| signed(&one, log, leaf, issuer, &precertificate)));
        let Some(log) = vouched else {
            return Err(refused("the signature of an embedded timestamp does not match".to_owned()));
        };
        let millis = i64::try_from(one.timestamp).unwrap_or(i64::MAX);
        let time = Timestamp::from_millisecond(millis)
            .map_err(|_| refused("an embedded timestamp is out of range".to_owned()))?;
        if !log.window.contains(time) {
            return Err(
                Check::CertificateTimestamp.refuse(log.window.words(), format!("{time} ({})", log.name))
            );
        }
        if !logs.iter().any(|other| other.id == log.id) {
            logs.push(log);
        }
    }
    Ok(logs)
}

/// Whether the log signed the precertificate as issued by `issuer`.
fn signed(
    one: &SignedCertificateTimestamp,
    log: &Log,
    leaf: &Certificate,
    issuer: &Certificate,
    part: &[u8],
) -> bool {
    if issuer.x509().tbs_certificate.subject != leaf.x509().tbs_certificate.issuer {
        return false;
    }
    let issuer_key = HashAlgorithm::Sha256.digest(issuer.public_key().spki_der());
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes();
    let extensions = one.extensions.as_slice();
    let mut message = vec![0, 0]; // v1, certificate_timestamp
    message.extend(one.timestamp.to_be_bytes());
    message.extend([0, 1]); // precert_entry
    message.extend(issuer_key.bytes());
    message.extend(length.iter().skip(1));
    message.extend(part);
    message.extend(u16::try_from(extensions.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend(extensions);
    let signature = one.signature.signature.as_slice();
    // What the algorithm field says is not trusted: the log's key settles it (RFC 6962 2.1.4: SHA-256).
    let algorithm = countersign_core::Algorithm::with_hash(log.key.key_type(), HashAlgorithm::Sha256)
        .unwrap_or_else(|| log.key.key_type().default_algorithm());
    let digest = algorithm.hash().map(|hash| hash.digest(&message));
    let input = digest.as_ref().map_or(Input::Message(&message), Input::Digest);
    log.key.verify(algorithm, input, signature).is_ok()
}
