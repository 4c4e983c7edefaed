//! What comes with a signature, whatever form it came in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Digest, HashAlgorithm, PublicKey};
use sigstore_types::bundle::{Bundle as SigstoreBundle, SignatureContent, VerificationMaterialContent};

use crate::bundle::{Bundle, LegacyBundle, content_name};

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

/// A signature and what stands beside it.
#[derive(Debug, Clone)]
pub struct Material {
    /// The form it came in.
    pub origin: Origin,
    /// The signature, encoded as [`countersign_core::Signature`] says.
    pub signature: Vec<u8>,
    /// The digest that the bundle states.
    pub digest: Option<Digest>,
    /// The name of the key that the bundle states. Not authenticated.
    pub hint: Option<String>,
    /// The key in the certificate beside the signature.
    pub certified_key: Option<PublicKey>,
    /// How many log entries stand beside it.
    pub log_entries: usize,
}

/// Whether a hint has the form of Cosign's: base64 of a SHA-256. Others are names that their writers understand.
pub(super) fn is_fingerprint(hint: &str) -> bool {
    STANDARD.decode(hint).is_ok_and(|bytes| bytes.len() == HashAlgorithm::Sha256.size())
}

impl Material {
    /// A signature by itself: base64 (with or without a line ending) or raw bytes.
    pub fn detached(content: &[u8]) -> Self {
        let text = content.trim_ascii();
        let signature = STANDARD.decode(text).unwrap_or_else(|_| content.to_vec());
        Self {
            origin: Origin::Detached,
            signature,
            digest: None,
            hint: None,
            certified_key: None,
            log_entries: 0,
        }
    }

    /// What a bundle holds.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an attestation, [`ErrorKind::Integrity`] for a damaged certificate or digest.
    pub fn from_bundle(bundle: &Bundle) -> Result<Self> {
        match bundle {
            Bundle::Sigstore(bundle) => Self::from_sigstore(bundle),
            Bundle::Legacy(bundle) => Self::from_legacy(bundle),
        }
    }

    fn from_sigstore(bundle: &SigstoreBundle) -> Result<Self> {
        let SignatureContent::MessageSignature(message) = &bundle.content else {
            return Err(Error::new(ErrorKind::Unsupported, "cannot verify the bundle as a file's signature")
                .why(format!("it holds a {}, expected a message signature", content_name(bundle)))
                .hint("an attestation is verified with verify-blob-attestation"));
        };
        let hash = |hash: sigstore_types::HashAlgorithm| {
            HashAlgorithm::ALL.into_iter().find(|own| own.bundle_name() == hash.to_string()).ok_or_else(
                || {
                    Error::new(ErrorKind::Unsupported, "cannot read the bundle")
                        .why(format!("its digest is {hash}"))
                },
            )
        };
        let digest = match &message.message_digest {
            Some(stated) => Some(Digest::from_bytes(hash(stated.algorithm)?, stated.digest.as_bytes())?),
            None => None,
        };
        let (mut hint, mut certified_key) = (None, None);
        match &bundle.verification_material.content {
            VerificationMaterialContent::PublicKey(key) => {
                hint = Some(key.hint.clone()).filter(|hint| !hint.is_empty())
            }
            VerificationMaterialContent::Certificate(certificate) => {
                certified_key = Some(PublicKey::from_certificate_der(certificate.raw_bytes.as_bytes())?);
            }
            VerificationMaterialContent::X509CertificateChain { certificates } => {
                let leaf = certificates.first().ok_or_else(|| {
                    Error::new(ErrorKind::Integrity, "cannot read the bundle")
                        .why("its certificate chain is empty")
                })?;
                certified_key = Some(PublicKey::from_certificate_der(leaf.raw_bytes.as_bytes())?);
            }
            _ => {
                return Err(Error::new(ErrorKind::Unsupported, "cannot read the bundle")
                    .why("it holds a kind of key material that this version does not know"));
            }
        }
        Ok(Self {
            origin: Origin::Bundle,
            signature: message.signature.as_bytes().to_vec(),
            digest,
            hint,
            certified_key,
            log_entries: bundle.verification_material.tlog_entries.len(),
        })
    }

    fn from_legacy(bundle: &LegacyBundle) -> Result<Self> {
        let certified_key =
            bundle.certificate_pem().map(|pem| PublicKey::from_pem_or_der(&pem)).transpose()?;
        Ok(Self {
            origin: Origin::LegacyBundle,
            signature: bundle.signature()?,
            digest: None,
            hint: None,
            certified_key,
            log_entries: usize::from(bundle.rekor_bundle.is_some()),
        })
    }
}
