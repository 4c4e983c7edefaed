//! What goes into a signature: a digest or a message, whichever the algorithm demands.

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::MAX_MESSAGE_BYTES;

/// What is to be signed: whichever the algorithm demands.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// For ECDSA, RSA and Ed25519ph.
    Digest(&'a Digest),
    /// For pure Ed25519.
    Message(&'a [u8]),
    /// For a digest algorithm in a store that hashes by itself: the digest, and the message it was made of.
    Hashed(&'a Digest, &'a [u8]),
}

impl Input<'_> {
    /// What is verified: the digest, or the message for algorithms without one.
    pub fn essence(self) -> Self {
        match self {
            Self::Hashed(digest, _) => Self::Digest(digest),
            other => other,
        }
    }

    /// Refuses input that the algorithm does not take: never a silent hash, never a truncated one.
    pub(crate) fn check(&self, algorithm: Algorithm) -> Result<()> {
        let why = match (self, algorithm.hash()) {
            (Input::Hashed(_, message), Some(_)) if message.len() as u64 > MAX_MESSAGE_BYTES => {
                format!(
                    "the message is larger than {MAX_MESSAGE_BYTES} bytes, and the key store wants all of it"
                )
            }
            (Input::Digest(digest) | Input::Hashed(digest, _), Some(hash)) if digest.algorithm() == hash => {
                return Ok(());
            }
            (Input::Digest(digest) | Input::Hashed(digest, _), Some(hash)) => {
                format!("it takes a {hash} digest, not {}", digest.algorithm())
            }
            (Input::Digest(_) | Input::Hashed(..), None) => {
                "it signs the whole message, not a digest".to_owned()
            }
            (Input::Message(_), Some(hash)) => format!("it takes a {hash} digest, not a message"),
            (Input::Message(message), None) if message.len() as u64 > MAX_MESSAGE_BYTES => {
                format!("the message is larger than {MAX_MESSAGE_BYTES} bytes")
            }
            (Input::Message(_), None) => return Ok(()),
        };
        Err(Error::new(ErrorKind::Unsupported, format!("cannot use {algorithm}")).why(why))
    }
}
