//! A bundle of version 0.1 or 0.2 as one of 0.3: the signer's certificate without its chain, every entry with its proof.

use countersign_core::Certificate;
use countersign_core::error::{Error, ErrorKind, Result};

use super::{Bundle, Content, Draft, LogEntry, Signatory, Sigstore};
use crate::verify::Material;

/// The newer bundle with these entries in the place of its own.
///
/// # Errors
/// [`ErrorKind::Integrity`] where an entry has no proof, [`ErrorKind::Unsupported`] where the bundle states no digest.
pub fn upgrade(bundle: Sigstore, entries: &[LogEntry]) -> Result<Vec<u8>> {
    let failed = |kind, why: &str| Error::new(kind, "cannot upgrade the bundle").why(why);
    if entries.iter().any(|entry| entry.proof.is_none()) {
        return Err(failed(ErrorKind::Integrity, "a log entry has no inclusion proof"));
    }
    let material = Material::from_bundle(&Bundle::Sigstore(Box::new(bundle)))?;
    let hint = material.hint.as_deref().unwrap_or_default();
    let signatory = material
        .certificate
        .as_ref()
        .map(Certificate::der)
        .map_or(Signatory::Hint(hint), Signatory::Certificate);
    let content = match (&material.envelope, &material.digest) {
        (Some(envelope), _) => Content::Envelope(envelope),
        (None, Some(digest)) => Content::Artifact(digest, &material.signature),
        (None, None) => return Err(failed(ErrorKind::Unsupported, "it states no digest of the artifact")),
    };
    Ok(Draft { signatory, content, entries, timestamps: &material.timestamps }.to_json())
}
