//! Why a signature is refused: one check, with what was expected and what was found.

use std::fmt;

/// A refusal: the check that refused, and both sides of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    check: Check,
    expected: String,
    found: String,
    hint: Option<String>,
}

macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal, $title:literal, $hint:literal;)+) => {
        /// One thing that must hold. The table of all is `docs/verification.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Check {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Check {
            /// Every check.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its stable name, for reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What is wrong when it refuses.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What to do next; empty where there is nothing general to say.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)+ }
            }

            /// What it demands, in one sentence.
            pub fn demands(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

checks! {
    /// The signature verifies with the signer's key.
    Signature "signature", "signature does not match",
        "the artifact was changed, or another key or --signing-algorithm signed it";
    /// The digest that the bundle states is the artifact's.
    ArtifactDigest "artifact-digest", "the bundle is for another artifact",
        "check that bundle and artifact belong together";
    /// A fingerprint that the bundle or its envelope names is the given key's.
    KeyHint "key-hint", "the bundle names another key",
        "verify with the key that signed, or do not trust this signature";
    /// A certificate beside the signature holds the given key.
    CertifiedKey "certified-key", "the certificate is for another key",
        "verify with the key that signed, or do not trust this signature";
    /// Key, hash and algorithm go together.
    Algorithm "algorithm", "key and algorithm do not go together", "";
    /// The given key is used within the window that the policy sets for it.
    KeyWindow "key-window", "the key was used outside its window", "";
    /// The signer has a certificate, where an identity is demanded.
    Certificate "certificate", "the signature has no usable certificate",
        "signatures of keys are verified with --key";
    /// The certificate was valid, and its chain ends in the trusted root, at each proven time.
    CertificateChain "certificate-chain", "the certificate is not trusted",
        "check --trusted-root: another instance may have issued it";
    /// A certificate transparency log vouches for the certificate.
    CertificateTimestamp "certificate-timestamp", "no certificate transparency log vouches for the certificate", "";
    /// The certificate's subject alternative name is the one demanded.
    Identity "certificate-identity", "somebody else signed",
        "check --certificate-identity: it is compared character by character";
    /// The certificate's issuer is the one demanded.
    Issuer "certificate-oidc-issuer", "the signer's identity comes from another issuer",
        "check --certificate-oidc-issuer";
    /// A certificate extension has the value demanded.
    Extension "certificate-extension", "the certificate says something else about where it was signed", "";
    /// As many distinct logs as demanded hold the signature.
    TransparencyLog "transparency-log", "too few transparency logs hold the signature",
        "pass --insecure-ignore-tlog to accept it without; that it was logged, and when it was made, is unproven then";
    /// The log's entry is well formed and of a kind known here.
    LogEntry "log-entry", "the log entry cannot be used", "";
    /// The log's entry is about this signature, this signer and this artifact.
    LogBinding "log-binding", "the log entry belongs to something else",
        "the bundle was put together from parts of others: do not trust it";
    /// The log promised the entry with its own key.
    LogPromise "log-promise", "the log's promise does not hold", "";
    /// The entry lies in the tree that the checkpoint describes.
    LogInclusion "log-inclusion", "the log's inclusion proof does not hold", "";
    /// The checkpoint is signed by the log, and is the one the proof ends in.
    LogCheckpoint "log-checkpoint", "the log's checkpoint does not hold", "";
    /// The log's key was valid when the entry was made.
    LogWindow "log-window", "the log's key was not valid at that time", "";
    /// A timestamp is over this signature, and by a trusted authority in its window.
    Timestamp "timestamp", "a signed timestamp does not hold", "";
    /// As many distinct timestamp authorities as demanded signed a time.
    TimestampCount "timestamp-count", "too few timestamp authorities vouch for the time", "";
    /// A time is proven at which the certificate can be judged.
    Time "time", "no trusted time of signing", "certificates live for minutes: without a time they prove nothing";
    /// The envelope holds an in-toto statement.
    PayloadType "payload-type", "the envelope holds no in-toto statement", "";
    /// The statement is well formed and within the limits.
    Statement "statement", "the statement cannot be used", "";
    /// The statement names the artifact by a strong digest.
    Subject "subject", "the statement is about other artifacts",
        "check that attestation and artifact belong together";
    /// Claims about an image are well formed and of Cosign's type.
    Claims "claims", "the claims cannot be used", "";
    /// What the signature says of the image has each name and value demanded.
    Annotation "annotation", "the signature says something else of the image",
        "check --annotations";
    /// The image was signed under the repository's name that is demanded.
    Repository "repository", "the image was signed under another name",
        "check --signed-repository; bundles of signatures hold no name";
    /// The predicate is of the type demanded, character by character.
    PredicateType "predicate-type", "the attestation is of another type", "";
    /// What the attestation says satisfies every `--policy`.
    Predicate "predicate", "the attestation does not satisfy the policy", "";
    /// The rules of a `--policy-file` are satisfied, each part by somebody else.
    PolicyRule "policy-rule", "the policy is not satisfied",
        "countersign policy explain FILE says what it demands";
}

impl Check {
    /// Refuses.
    pub(crate) fn refuse(self, expected: impl Into<String>, found: impl Into<String>) -> Refusal {
        Refusal { check: self, expected: expected.into(), found: found.into(), hint: None }
    }
}

impl Refusal {
    /// The check that refused.
    pub fn check(&self) -> &'static str {
        self.check.name()
    }

    /// The same, to be matched.
    pub fn kind(&self) -> Check {
        self.check
    }

    /// What was expected; empty where the check alone says it.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What was found.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone().or_else(|| Some(self.check.hint().to_owned()).filter(|hint| !hint.is_empty()))
    }

    /// The same with other words on what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.check.title())?;
        match (self.expected.as_str(), self.found.as_str()) {
            ("", "") => Ok(()),
            ("", found) => write!(f, ": {found}"),
            (expected, "") => write!(f, ": expected {expected}"),
            (expected, found) => write!(f, ": expected {expected}, found {found}"),
        }
    }
}

impl std::error::Error for Refusal {}
