//! What a verifier demands: who signed, how well it is witnessed, and what it is about.

use countersign_core::{Algorithm, HashAlgorithm, PublicKey};
use jiff::Timestamp;

use super::identity::Identity;
use super::trust::Window;

/// Everything that is demanded.
#[derive(Debug, Clone)]
pub struct Policy<'a> {
    /// Who may have signed.
    pub who: Who<'a>,
    /// How well it must be witnessed.
    pub evidence: Evidence,
    /// The one algorithm to try; else the material and the key type decide.
    pub algorithm: Option<Algorithm>,
    /// The one hash to try (`--signature-digest-algorithm`).
    pub hash: Option<HashAlgorithm>,
    /// The predicate type that an attestation must have; an artifact's signature then does not pass.
    pub predicate_type: Option<&'a str>,
    /// Whether an attestation or claims must be about the artifact (`--check-claims`); else only what was signed is verified.
    pub subject: bool,
    /// What the signature must say of an image.
    pub annotations: &'a [(String, String)],
    /// The repository under whose name the image must have been signed: in the older form's claims, or the subject of a statement.
    pub repository: Option<&'a str>,
    /// The time now: nothing may come from later.
    pub now: Timestamp,
}

impl<'a> Policy<'a> {
    /// Demands a signer and evidence, whatever algorithm and content.
    pub fn new(who: Who<'a>, evidence: Evidence, now: Timestamp) -> Self {
        Self {
            who,
            evidence,
            algorithm: None,
            hash: None,
            predicate_type: None,
            subject: true,
            annotations: &[],
            repository: None,
            now,
        }
    }
}

/// Who may have signed.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// The holder of this key, within a window. Where the window is bounded, a time must be proven.
    Key(&'a PublicKey, Window),
    /// The holder of a certificate that one of these describes.
    Identities(&'a [Identity]),
}

/// How many distinct witnesses are demanded. None is counted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// Transparency logs that hold the signature. With 0 they are not looked at.
    pub logs: usize,
    /// Timestamp authorities that signed a time over the signature.
    pub timestamps: usize,
    /// Certificate transparency logs that hold the certificate. With 0 they are not looked at.
    pub certificate_logs: usize,
}

impl Evidence {
    /// One log, and one log of certificates: what Cosign demands of both keys and certificates.
    pub const STANDARD: Self = Self { logs: 1, timestamps: 0, certificate_logs: 1 };
    /// The signature alone.
    pub const NONE: Self = Self { logs: 0, timestamps: 0, certificate_logs: 0 };
}
