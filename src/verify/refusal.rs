//! Why a signature is refused: one variant a check, with what was expected and what was found.

use std::fmt;

use countersign_core::KeyType;

/// A refusal. Its [`check`](Refusal::check) is a stable name for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The signature does not match. One fact: no detail about padding, length or step.
    Signature {
        /// The fingerprint of the key it was held against.
        key: String,
    },
    /// The bundle speaks of another artifact.
    ArtifactDigest {
        /// What the bundle states.
        expected: String,
        /// What the artifact has.
        found: String,
    },
    /// The bundle's hint is the fingerprint of another key.
    KeyHint {
        /// The given key's fingerprint, base64.
        expected: String,
        /// The bundle's, base64.
        found: String,
        /// The version of the same key that it is the fingerprint of, as a URI, where somebody looked and there is one.
        signed_by: Option<String>,
    },
    /// The certificate beside the signature certifies another key than the given one.
    CertifiedKey {
        /// The given key's fingerprint.
        expected: String,
        /// The certificate's key's fingerprint.
        found: String,
    },
    /// Key and hash or algorithm do not go together.
    Algorithm {
        /// The type of the given key.
        key_type: KeyType,
        /// What the bundle or a flag names.
        found: String,
    },
    /// A log's proof is demanded, and this version does not check logs.
    LogNotChecked {
        /// Log entries in the bundle.
        entries: usize,
    },
}

impl Refusal {
    /// The check that refused.
    pub fn check(&self) -> &'static str {
        match self {
            Self::Signature { .. } => "signature",
            Self::ArtifactDigest { .. } => "artifact-digest",
            Self::KeyHint { .. } => "key-hint",
            Self::CertifiedKey { .. } => "certified-key",
            Self::Algorithm { .. } => "algorithm",
            Self::LogNotChecked { .. } => "transparency-log",
        }
    }

    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Signature { .. } => {
                Some("the artifact was changed, or another key or --signing-algorithm signed it".to_owned())
            }
            Self::ArtifactDigest { .. } => Some("check that bundle and artifact belong together".to_owned()),
            Self::KeyHint { signed_by: Some(uri), .. } => {
                Some(format!("another version of the key signed it: if that is good too, verify with --key '{uri}'"))
            }
            Self::KeyHint { .. } | Self::CertifiedKey { .. } => {
                Some("verify with the key that signed, or do not trust this signature".to_owned())
            }
            Self::Algorithm { .. } => None,
            Self::LogNotChecked { .. } => Some(
                "pass --insecure-ignore-tlog to accept the signature by the key alone; that it was logged, and when \
                 it was made, is unproven then"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature { key } => write!(f, "signature does not match with the key {key}"),
            Self::ArtifactDigest { expected, found } => {
                write!(f, "the bundle is for another artifact: expected {expected}, found {found}")
            }
            Self::KeyHint { expected, found, .. } => {
                write!(f, "the bundle names another key: expected hint {expected}, found {found}")
            }
            Self::CertifiedKey { expected, found } => {
                write!(f, "the certificate is for another key: expected {expected}, found {found}")
            }
            Self::Algorithm { key_type, found } => write!(f, "a {key_type} key does not go with {found}"),
            Self::LogNotChecked { entries: 0 } => {
                f.write_str("no transparency log entry: expected at least 1, found 0")
            }
            Self::LogNotChecked { entries } => {
                write!(f, "checking log entries is not built yet ({entries} in the bundle)")
            }
        }
    }
}

impl std::error::Error for Refusal {}
