//! Sigstore bundles and Cosign's older blob bundle: reading, writing, describing.
//!
//! `parse` is strict where JSON is not: no duplicate keys, no two alternatives at once, bounded size and depth.

pub mod inspect;
mod log_entry;
mod shape;
mod upgrade;
mod write;

use std::path::Path;
use std::time::Instant;

use crate::json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sigstore_types::bundle::Bundle as SigstoreBundle;

pub use log_entry::LogEntry;
pub use upgrade::upgrade;
pub use write::{Content, Draft, Signatory, legacy_json, promise, timestamp_json};

/// The largest bundle read: bundles with SBOM attestations reach some tens of megabytes.
pub const MAX_BUNDLE_BYTES: u64 = 64 * 1024 * 1024;
/// Log entries and timestamps in one bundle, as sigstore-go bounds them.
const MAX_LIST_ENTRIES: usize = 32;

/// The media type of what we write.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A bundle of either kind.
#[derive(Debug, Clone)]
pub enum Bundle {
    /// A Sigstore bundle, version 0.1 to 0.3.
    Sigstore(Box<Sigstore>),
    /// Cosign's blob bundle from before (`--new-bundle-format=false`).
    Legacy(LegacyBundle),
}

/// A Sigstore bundle, its log entries apart.
#[derive(Debug, Clone)]
pub struct Sigstore {
    /// Everything but the log entries, whose list is empty here.
    pub parts: SigstoreBundle,
    /// The log entries.
    pub entries: Vec<LogEntry>,
}

/// Cosign's older blob bundle.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegacyBundle {
    /// The signature, base64.
    #[serde(rename = "base64Signature")]
    pub base64_signature: String,
    /// A certificate or public key: PEM, or base64 of PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// The log's promise and entry.
    #[serde(default, rename = "rekorBundle", skip_serializing_if = "Option::is_none")]
    pub rekor_bundle: Option<Value>,
}

/// Reads a bundle from a file, within the size limit.
///
/// # Errors
/// Those of [`parse`], and of reading the file.
pub fn load(path: &Path, deadline: Option<Instant>) -> Result<Bundle> {
    let bytes = bounded::read(path, MAX_BUNDLE_BYTES, deadline).map_err(|cause| {
        let error = Error::io("read the bundle", path.display(), cause);
        match error.kind() {
            ErrorKind::NotFound => {
                error.hint("name the bundle with --bundle; sign-blob writes FILE.sigstore.json")
            }
            _ => error,
        }
    })?;
    parse(&bytes).map_err(|error| error.with_what(|_| format!("cannot read the bundle {}", path.display())))
}

/// Reads a bundle from JSON.
///
/// # Errors
/// [`ErrorKind::Integrity`] when it is damaged, ambiguous or above a limit; [`ErrorKind::Unsupported`] for a version or kind
/// that is not one of the above.
pub fn parse(bytes: &[u8]) -> Result<Bundle> {
    let damaged = |why: String| Error::new(ErrorKind::Integrity, "cannot read the bundle").why(why);
    if bytes.len() as u64 > MAX_BUNDLE_BYTES {
        return Err(damaged(format!("it is larger than {MAX_BUNDLE_BYTES} bytes")));
    }
    let mut value = json::parse(bytes).map_err(damaged)?;
    let Some(media_type) = value.get("mediaType") else {
        if value.get("base64Signature").is_some() {
            return serde_json::from_value(value)
                .map(Bundle::Legacy)
                .map_err(|cause| damaged(cause.to_string()));
        }
        return Err(damaged("it has neither mediaType nor base64Signature, so it is no bundle".to_owned())
            .hint("give the file that sign-blob wrote, as in FILE.sigstore.json"));
    };
    if !media_type.as_str().is_some_and(is_known) {
        return Err(Error::new(ErrorKind::Unsupported, "cannot read the bundle").why(format!(
            "its media type is {media_type}, expected version 0.1, 0.2 or 0.3 of a Sigstore bundle"
        )));
    }
    shape::check(&value).map_err(damaged)?;
    shape::drop_unspecified_digest(&mut value);
    let long = |list: Option<&Value>| {
        list.and_then(Value::as_array).is_some_and(|list| list.len() > MAX_LIST_ENTRIES)
    };
    if long(value.pointer("/verificationMaterial/tlogEntries")) {
        return Err(damaged(format!("it has more than {MAX_LIST_ENTRIES} log entries")));
    }
    if long(value.pointer("/verificationMaterial/timestampVerificationData/rfc3161Timestamps")) {
        return Err(damaged(format!("it has more than {MAX_LIST_ENTRIES} timestamps")));
    }
    let entries = value.pointer_mut("/verificationMaterial/tlogEntries").map(Value::take);
    if let Some(material) = value.get_mut("verificationMaterial").and_then(Value::as_object_mut) {
        material.remove("tlogEntries");
    }
    let entries = match entries {
        None | Some(Value::Null) => Vec::new(),
        Some(list) => {
            serde_json::from_value(list).map_err(|cause| damaged(format!("a log entry: {cause}")))?
        }
    };
    let parts = serde_json::from_value(value).map_err(|cause| damaged(cause.to_string()))?;
    Ok(Bundle::Sigstore(Box::new(Sigstore { parts, entries })))
}

fn is_known(media_type: &str) -> bool {
    media_type.parse::<sigstore_types::bundle::MediaType>().is_ok()
}

impl LegacyBundle {
    /// The signature's bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when it is not canonical base64.
    pub fn signature(&self) -> Result<Vec<u8>> {
        STANDARD.decode(&self.base64_signature).map_err(|cause| {
            Error::new(ErrorKind::Integrity, "cannot read the signature in the bundle").why(cause.to_string())
        })
    }

    /// The certificate or public key as PEM, where there is one.
    pub fn certificate_pem(&self) -> Option<Vec<u8>> {
        let text = self.cert.as_deref().filter(|text| !text.is_empty())?;
        Some(STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests;
