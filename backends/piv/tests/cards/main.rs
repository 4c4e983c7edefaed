//! The backend against the virtual YubiKey of `tests/rigs/virtual-yubikey`, which runs as a process of its own: whole
//! flows, what each refusal says, and how many PINs were sent.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod administration;
mod attestation;
mod conformance;
mod faults;
mod pcscd;
mod pin;
mod presence;
mod rig;
mod signing;
mod store;
