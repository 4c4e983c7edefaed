//! What comes with a signature, whatever form it came in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::certificate::Certificate;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Digest, HashAlgorithm, PublicKey};
use serde::Deserialize;
use serde_json::Value;
use sigstore_types::bundle::{MediaType, SignatureContent, VerificationMaterialContent};

use super::sct::CertificateTimestamp;
use crate::bundle::{Bundle, LegacyBundle, LogEntry, Sigstore};

/// The form a signature came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A Sigstore bundle.
    Bundle,
    /// Cosign's older blob bundle.
    LegacyBundle,
    /// A signature by itself.
    Detached,
}

/// How a log must prove that it holds the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogProof {
    /// By a promise (SET) or a proof: nothing in the form says which.
    Either,
    /// By a promise; bundles of version 0.1.
    Promise,
    /// By an inclusion proof with a checkpoint; bundles from version 0.2.
    Inclusion,
}

/// A DSSE envelope with its one signature (DSSE 1.0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// The name of the key, as stated.
    pub key_id: String,
    /// The signature over [`Envelope::signed`].
    pub signature: Vec<u8>,
}

impl Envelope {
    /// Reads an envelope that stands by itself, as `attest-blob --new-bundle-format=false` writes it.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`], in the words of what does not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Read {
            payload_type: String,
            payload: String,
            signatures: [Signature; 1],
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Signature {
            #[serde(default)]
            keyid: String,
            sig: String,
        }
        let failed = |why: String| Error::new(ErrorKind::Integrity, "cannot read the DSSE envelope").why(why);
        let value = crate::json::parse(bytes).map_err(failed)?;
        let read: Read = serde_json::from_value(value).map_err(|cause| failed(cause.to_string()))?;
        let decoded = |text: &str| STANDARD.decode(text).map_err(|cause| failed(cause.to_string()));
        let [Signature { keyid, sig }] = read.signatures;
        Ok(Self {
            payload: decoded(&read.payload)?,
            signature: decoded(&sig)?,
            payload_type: read.payload_type,
            key_id: keyid,
        })
    }

    /// The envelope as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        self.as_sent()[0].clone().into_bytes()
    }

    /// What is signed: the pre-authentication encoding.
    pub fn signed(&self) -> Vec<u8> {
        sigstore_types::dsse::pae(&self.payload_type, &self.payload)
    }

    /// The envelope in the spellings that clients of Rekor send.
    pub(super) fn as_sent(&self) -> [String; 2] {
        let (kind, payload) = (&self.payload_type, STANDARD.encode(&self.payload));
        let (key, signature) = (&self.key_id, STANDARD.encode(&self.signature));
        let around =
            |one: String| format!(r#"{{"payloadType":"{kind}","payload":"{payload}","signatures":[{one}]}}"#);
        [
            around(format!(r#"{{"keyid":"{key}","sig":"{signature}"}}"#)),
            around(format!(r#"{{"sig":"{signature}"}}"#)),
        ]
    }
}

/// A signature and what stands beside it.
#[derive(Debug, Clone)]
pub struct Material {
    /// The form it came in.
    pub origin: Origin,
    /// The signature, encoded as [`countersign_core::Signature`] says.
    pub signature: Vec<u8>,
    /// The envelope that the signature is over; none where it is over the artifact.
    pub envelope: Option<Envelope>,
    /// The claims about an image that the signature is over, in the older form; none where it is over something else.
    pub claims: Option<Vec<u8>>,
    /// The digest of the artifact that the bundle states.
    pub digest: Option<Digest>,
    /// The name of the key that the bundle states. Not authenticated.
    pub hint: Option<String>,
    /// The key beside the signature, where it is one without a certificate.
    pub key: Option<PublicKey>,
    /// The certificate beside the signature.
    pub certificate: Option<Certificate>,
    /// Log entries.
    pub entries: Vec<LogEntry>,
    /// How the form says that logs must prove.
    pub log_proof: LogProof,
    /// RFC 3161 timestamps.
    pub timestamps: Vec<Vec<u8>>,
    /// What a log of certificates said of the certificate, where that does not stand in it.
    pub certificate_timestamp: Option<CertificateTimestamp>,
}

/// Whether a hint has the form of Cosign's: base64 of a SHA-256. Others are names that their writers understand.
pub(super) fn is_fingerprint(hint: &str) -> bool {
    STANDARD.decode(hint).is_ok_and(|bytes| bytes.len() == HashAlgorithm::Sha256.size())
}

impl Material {
    /// A signature with nothing beside it.
    pub fn bare(origin: Origin, signature: Vec<u8>) -> Self {
        Self {
            origin,
            signature,
            envelope: None,
            claims: None,
            digest: None,
            hint: None,
            key: None,
            certificate: None,
            entries: Vec::new(),
            log_proof: LogProof::Either,
            timestamps: Vec::new(),
            certificate_timestamp: None,
        }
    }

    /// A signature by itself: base64 (with or without a line ending) or raw bytes; or a DSSE envelope, plain or in base64.
    ///
    /// # Errors
    /// Those of [`Envelope::parse`].
    pub fn detached(content: &[u8]) -> Result<Self> {
        let signature = STANDARD.decode(content.trim_ascii()).unwrap_or_else(|_| content.to_vec());
        Self::of(Origin::Detached, signature)
    }

    /// A signature, or the envelope that older forms hold in its place.
    fn of(origin: Origin, signature: Vec<u8>) -> Result<Self> {
        if signature.starts_with(b"{\"payload") {
            return Ok(Self::enveloped(origin, Envelope::parse(&signature)?));
        }
        Ok(Self::bare(origin, signature))
    }

    /// An envelope with nothing beside it.
    pub fn enveloped(origin: Origin, envelope: Envelope) -> Self {
        let signature = envelope.signature.clone();
        Self { envelope: Some(envelope), ..Self::bare(origin, signature) }
    }

    /// What a bundle holds.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a kind of content from the future, [`ErrorKind::Integrity`] for a damaged certificate,
    /// digest or entry.
    pub fn from_bundle(bundle: &Bundle) -> Result<Self> {
        match bundle {
            Bundle::Sigstore(bundle) => Self::from_sigstore(bundle),
            Bundle::Legacy(bundle) => Self::from_legacy(bundle),
        }
    }

    fn from_sigstore(bundle: &Sigstore) -> Result<Self> {
        let mut material = match &bundle.parts.content {
            SignatureContent::MessageSignature(message) => {
                let mut material = Self::bare(Origin::Bundle, message.signature.as_bytes().to_vec());
                if let Some(stated) = &message.message_digest {
                    let hash = hash(stated.algorithm)?;
                    material.digest = Some(Digest::from_bytes(hash, stated.digest.as_bytes())?);
                }
                material
            }
            SignatureContent::DsseEnvelope(envelope) => {
                let signature = envelope.signature.sig.as_bytes().to_vec();
                let envelope = Envelope {
                    payload_type: envelope.payload_type.clone(),
                    payload: envelope.payload.as_bytes().to_vec(),
                    key_id: envelope.signature.keyid.as_str().to_owned(),
                    signature,
                };
                Self::enveloped(Origin::Bundle, envelope)
            }
            _ => return Err(unsupported("it holds a kind of content that this version does not know")),
        };
        let stated = &bundle.parts.verification_material;
        match &stated.content {
            VerificationMaterialContent::PublicKey(key) => {
                material.hint = Some(key.hint.clone()).filter(|hint| !hint.is_empty());
            }
            VerificationMaterialContent::Certificate(one) => {
                material.certificate = Some(Certificate::from_der(one.raw_bytes.as_bytes())?);
            }
            VerificationMaterialContent::X509CertificateChain { certificates } => {
                let leaf = certificates.first().ok_or_else(|| damaged("its certificate chain is empty"))?;
                material.certificate = Some(Certificate::from_der(leaf.raw_bytes.as_bytes())?);
            }
            _ => return Err(unsupported("it holds a kind of key material that this version does not know")),
        }
        material.log_proof = match bundle.parts.media_type {
            MediaType::Bundle0_1 => LogProof::Promise,
            _ => LogProof::Inclusion,
        };
        material.entries = bundle.entries.clone();
        let timestamps = &stated.timestamp_verification_data.rfc3161_timestamps;
        material.timestamps = timestamps.iter().map(|one| one.signed_timestamp.as_bytes().to_vec()).collect();
        Ok(material)
    }

    fn from_legacy(bundle: &LegacyBundle) -> Result<Self> {
        let mut material = Self::of(Origin::LegacyBundle, bundle.signature()?)?;
        if let Some(pem) = bundle.certificate_pem() {
            if pem.trim_ascii_start().starts_with(b"-----BEGIN CERTIFICATE-----") {
                material.certificate = Some(Certificate::from_pem_or_der(&pem)?);
            } else {
                material.key = Some(PublicKey::from_pem_or_der(&pem)?);
            }
        }
        material.entries = bundle.rekor_bundle.as_ref().map(legacy_entry).transpose()?.into_iter().collect();
        Ok(material)
    }
}

/// The `rekorBundle` of older forms: a promise over a body.
fn legacy_entry(value: &Value) -> Result<LogEntry> {
    let text = |pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .ok_or_else(|| damaged(&format!("its rekorBundle has no {pointer}")))
    };
    let number = |pointer: &str| {
        let number = value.pointer(pointer).and_then(Value::as_i64).filter(|number| *number >= 0);
        number.ok_or_else(|| damaged(&format!("its rekorBundle has no {pointer}")))
    };
    let decoded = |pointer: &str| {
        STANDARD
            .decode(text(pointer)?)
            .map_err(|cause| damaged(&format!("{pointer} of its rekorBundle: {cause}")))
    };
    let id = countersign_core::hexadecimal::from_hex(text("/Payload/logID")?);
    Ok(LogEntry {
        log_id: id.ok_or_else(|| damaged("the logID of its rekorBundle is no hexadecimal"))?,
        index: number("/Payload/logIndex")?.unsigned_abs(),
        kind: None,
        integrated: Some(number("/Payload/integratedTime")?),
        promise: Some(decoded("/SignedEntryTimestamp")?),
        proof: None,
        body: decoded("/Payload/body")?,
    })
}

fn hash(hash: sigstore_types::HashAlgorithm) -> Result<HashAlgorithm> {
    let own = HashAlgorithm::ALL.into_iter().find(|own| own.bundle_name() == hash.to_string());
    own.ok_or_else(|| unsupported(&format!("its digest is {hash}")))
}

fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Integrity, "cannot read the bundle").why(why)
}

fn unsupported(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "cannot read the bundle").why(why)
}
