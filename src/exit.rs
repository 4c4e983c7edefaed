//! How the tool ends: the one table of exit codes, and the failures that lead to them.
//!
//! Codes are Cosign's (v3.1.3 cmd/cosign/errors/exit_codes.go) where it has them.

use countersign_core::Error;

use crate::verify::Refusal;

/// Everything worked.
pub const SUCCESS: u8 = 0;
/// Anything that failed without a code of its own, wrong usage among it.
pub const FAILURE: u8 = 1;
/// The image has no signature.
pub const NO_SIGNATURE: u8 = 10;
/// The image is not there.
pub const NO_IMAGE: u8 = 11;
/// The image has signatures and none matches.
pub const NO_MATCHING_SIGNATURE: u8 = 12;
/// The signature has no certificate.
pub const NO_CERTIFICATE: u8 = 13;
/// The tool itself broke.
pub const PANIC: u8 = 70;
/// Interrupted with Ctrl-C: 128 and SIGINT's number, as shells count.
pub const INTERRUPTED: u8 = 130;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// A key, file or service failed.
    Error(Error),
    /// A signature was refused.
    Refused {
        /// What was being verified.
        artifact: String,
        /// Why.
        refusal: Refusal,
    },
    /// The command line is wrong.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// An image has no signature that passes.
    Image {
        /// [`NO_SIGNATURE`], [`NO_IMAGE`], [`NO_MATCHING_SIGNATURE`] or [`NO_CERTIFICATE`].
        code: u8,
        /// What failed and why.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Some of several artifacts failed; each was reported when it happened.
    Batch {
        /// How many failed.
        failed: usize,
        /// Of how many.
        total: usize,
        /// The act, as in `sign`.
        act: &'static str,
        /// What they are, as in `files`.
        what: &'static str,
        /// The exit code where all failed with the same.
        code: u8,
    },
    /// The user stopped the batch; what was done is done.
    Interrupted {
        /// How many were finished.
        done: usize,
        /// Of how many.
        total: usize,
        /// What they are, as in `files`.
        what: &'static str,
    },
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            // Cosign ends every failure of the blob commands with 1 (measured), in both formats.
            Self::Error(_) | Self::Refused { .. } | Self::Usage { .. } => FAILURE,
            Self::Image { code, .. } | Self::Batch { code, .. } => *code,
            Self::Interrupted { .. } => INTERRUPTED,
        }
    }

    /// What failed and why, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::Error(error) => error.to_string(),
            Self::Refused { artifact, refusal } => format!("cannot verify {artifact}: {refusal}"),
            Self::Usage { message, .. } | Self::Image { message, .. } => message.clone(),
            Self::Batch { failed, total, act, what, .. } => {
                format!("cannot {act} {failed} of {total} {what}: see above")
            }
            Self::Interrupted { done, total, what } => format!("interrupted after {done} of {total} {what}"),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Error(error) => error.next_step().map(str::to_owned),
            Self::Refused { refusal, .. } => refusal.hint(),
            Self::Usage { hint, .. } | Self::Image { hint, .. } => hint.clone(),
            Self::Batch { .. } => None,
            Self::Interrupted { .. } => Some("run it again for the rest".to_owned()),
        }
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// A wrong command line, with the way out.
    pub fn usage_with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
