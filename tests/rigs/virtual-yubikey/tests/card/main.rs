//! The card by its APDUs. Signatures and certificates are checked by openssl.

// All of it is tests; clippy knows only functions that are marked as such.
#![allow(clippy::unwrap_used)]

mod attestation;
mod chaining;
mod faults;
mod firmware;
mod garbage;
mod host;
mod import;
mod management;
mod objects;
mod pin;
mod policies;
