//! The contract between countersign and its key stores.
//!
//! A backend turns a [`KeyUri`] into a [`Signer`]; the tool hashes, asks the signer for one signature, and gets
//! back bytes that were already verified against the key's own public half. Everything a backend needs from the
//! world comes through [`OpenContext`]; nothing here reads the environment, the terminal or the clock by itself.
//!
//! Begin with [`signer`] (what a key does), then [`backend`] (how one is opened), [`algorithm`] (the one table of
//! what is signed how) and [`error`] (the closed set of what can go wrong). [`local_key`] is the only place
//! where private key bytes live.

pub mod algorithm;
pub mod backend;
pub mod bounded;
pub mod certificate;
pub mod certificate_request;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod context;
pub mod device;
pub mod digest;
pub mod encoding;
pub mod error;
pub mod hexadecimal;
#[cfg(feature = "http")]
pub mod http;
pub mod input;
pub mod key_uri;
pub mod limits;
pub mod local_key;
pub mod pin_source;
mod prehashed;
pub mod program;
pub mod public_key;
pub mod random;
pub mod secret;
pub mod signer;
pub mod whole_file;

pub use algorithm::{Algorithm, KeyType, Scheme};
pub use backend::{Ability, Attester, Backend, KeyStore, KeySummary};
pub use certificate::Certificate;
pub use context::{Cancellation, Events, OpenContext, Prompt, TrustLevel, Variable};
pub use digest::{Digest, HashAlgorithm, Hasher};
pub use error::{Error, ErrorKind, Retry};
pub use input::Input;
pub use key_uri::KeyUri;
pub use pin_source::PinSource;
pub use public_key::PublicKey;
pub use secret::Secret;
pub use signer::{KeyInfo, Location, RawSignature, SignRequest, Signature, Signer};
