//! What is trusted: certificate authorities, logs and timestamp authorities, as the trusted root names them
//! (protobuf-specs `sigstore_trustroot.proto`, media types version 0.1 and 0.2, JSON).

use countersign_core::PublicKey;
use countersign_core::certificate::Certificate;
use countersign_core::error::{Error, ErrorKind, Result};
use jiff::Timestamp;
use sigstore_trust_root::TrustedRoot;
use sigstore_types::TimeRange;

use crate::json;

/// The largest trusted root read; the public-good one has 12 KiB.
pub const MAX_TRUSTED_ROOT_BYTES: u64 = 4 * 1024 * 1024;

/// When something is valid, both ends included. A side left out is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// From when.
    pub start: Option<Timestamp>,
    /// Until when.
    pub end: Option<Timestamp>,
}

impl Window {
    /// Whether the time lies in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time <= end)
    }

    /// In words, for refusals.
    pub fn words(&self) -> String {
        match (self.start, self.end) {
            (None, None) => "any time".to_owned(),
            (Some(start), None) => format!("a time from {start}"),
            (None, Some(end)) => format!("a time until {end}"),
            (Some(start), Some(end)) => format!("a time from {start} until {end}"),
        }
    }

    fn of(range: Option<TimeRange>) -> Self {
        range.map_or_else(Self::default, |range| Self { start: Some(range.start), end: range.end })
    }
}

/// A log of signatures or of certificates.
#[derive(Debug, Clone)]
pub struct Log {
    /// Its identifier: for version 1 logs and CT logs the SHA-256 of the key's SPKI.
    pub id: Vec<u8>,
    /// Its key.
    pub key: PublicKey,
    /// When the key is valid.
    pub window: Window,
    /// Its address, a name only.
    pub name: String,
}

/// A certificate or timestamp authority.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its address, a name only.
    pub name: String,
    /// Its certificates, the root last. A timestamp authority's begin with its signer, where it is known.
    pub chain: Vec<Certificate>,
    /// When it may be used.
    pub window: Window,
}

/// Everything that is trusted.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Who may issue certificates for signers.
    pub authorities: Vec<Authority>,
    /// Where signatures are logged.
    pub logs: Vec<Log>,
    /// Where certificates are logged.
    pub certificate_logs: Vec<Log>,
    /// Who may say what time it is.
    pub timestamp_authorities: Vec<Authority>,
    /// Parts of the trusted root that this version cannot use, with the reason.
    pub unusable: Vec<String>,
}

impl Trust {
    /// Reads a trusted root. A part with a key that is not known here is left out and named in `unusable`.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] for damaged JSON or certificates, [`ErrorKind::Unsupported`] for another media type.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = |why: String| Error::new(ErrorKind::Integrity, "cannot read the trusted root").why(why);
        if bytes.len() as u64 > MAX_TRUSTED_ROOT_BYTES {
            return Err(damaged(format!("it is larger than {MAX_TRUSTED_ROOT_BYTES} bytes")));
        }
        let value = json::parse(bytes).map_err(damaged)?;
        let media_type =
            value.get("mediaType").and_then(|media_type| media_type.as_str()).unwrap_or_default();
        if !is_known(media_type) {
            return Err(Error::new(ErrorKind::Unsupported, "cannot read the trusted root")
                .why(format!(
                    "its media type is \"{media_type}\", expected version 0.1 or 0.2 of a trusted root"
                ))
                .hint(
                    "give the file that TUF serves as trusted_root.json, or that trusted-root create made",
                ));
        }
        let root: TrustedRoot = serde_json::from_value(value).map_err(|cause| damaged(cause.to_string()))?;
        let mut trust = Self::default();
        for log in root.tlogs {
            trust.logs.extend(read_log(
                &mut trust.unusable,
                log.base_url,
                log.log_id.key_id.as_bytes(),
                &log.public_key,
            ));
        }
        for log in root.ctlogs {
            let (name, id) = (log.base_url, log.log_id);
            trust.certificate_logs.extend(read_log(
                &mut trust.unusable,
                name,
                id.key_id.as_bytes(),
                &log.public_key,
            ));
        }
        for ca in root.certificate_authorities {
            let chain = ca.cert_chain.certificates.iter().map(|one| one.raw_bytes.as_bytes());
            trust.authorities.extend(read_authority(&mut trust.unusable, ca.uri, chain, ca.valid_for));
        }
        for tsa in root.timestamp_authorities {
            let chain = tsa.cert_chain.certificates.iter().map(|one| one.raw_bytes.as_bytes());
            let name = tsa.uri.unwrap_or_default();
            trust.timestamp_authorities.extend(read_authority(
                &mut trust.unusable,
                name,
                chain,
                tsa.valid_for,
            ));
        }
        Ok(trust)
    }
}

fn is_known(media_type: &str) -> bool {
    const PREFIX: &str = "application/vnd.dev.sigstore.trustedroot";
    media_type.strip_prefix(PREFIX).is_some_and(|rest| {
        matches!(rest, "+json;version=0.1" | "+json;version=0.2" | ".v0.1+json" | ".v0.2+json")
    })
}

fn read_log(
    unusable: &mut Vec<String>,
    name: String,
    id: &[u8],
    key: &sigstore_trust_root::trusted_root::PublicKey,
) -> Option<Log> {
    match read_key(key.raw_bytes.as_bytes()) {
        Ok(public_key) => {
            Some(Log { id: id.to_vec(), key: public_key, window: Window::of(key.valid_for), name })
        }
        Err(cause) => {
            unusable.push(format!("the log {name}: {cause}"));
            None
        }
    }
}

/// The key of a log: SPKI, or for RSA the bare PKCS#1 form that older roots have.
fn read_key(der: &[u8]) -> Result<PublicKey> {
    PublicKey::from_spki_der(der).or_else(|cause| PublicKey::from_rsa_der(der).map_err(|_| cause))
}

fn read_authority<'a>(
    unusable: &mut Vec<String>,
    name: String,
    chain: impl Iterator<Item = &'a [u8]>,
    valid_for: Option<TimeRange>,
) -> Option<Authority> {
    match chain.map(Certificate::from_der).collect::<Result<Vec<_>>>() {
        Ok(chain) if chain.is_empty() => {
            unusable.push(format!("the authority {name}: it has no certificates"));
            None
        }
        Ok(chain) => Some(Authority { name, chain, window: Window::of(valid_for) }),
        Err(cause) => {
            unusable.push(format!("the authority {name}: {cause}"));
            None
        }
    }
}
