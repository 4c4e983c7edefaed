//! countersign signs and verifies software artifacts with the key store you have.
//!
//! # A tour: `countersign sign-blob --key cosign.key --tlog-upload=false FILE`
//!
//! 1. `main.rs` hands the arguments to [`commands::run`], which accepts Cosign's spellings and binds each flag to
//!    its `COSIGN_<FLAG>` variable ([`mod@env`]).
//! 2. `commands/sign_blob.rs` reads the flags, settles where bundles go ([`sign::plan`]) and asks [`backends`] who
//!    serves the key's scheme. That backend opens the key; a password comes through [`prompt`].
//! 3. [`artifact`] reads the file once into the digest that the key's algorithm takes ([`countersign_core::algorithm`]).
//! 4. [`sign`] asks the signer. The core verifies the signature before it leaves.
//! 5. [`bundle`] puts it into the bytes that Cosign writes; the file appears whole or not at all.
//! 6. [`output`] says so, [`report`] says it to machines, [`exit`] turns a failure into its code.
//!
//! `verify-blob` goes the same way, takes the trusted root from [`trust`] or a file, and ends in [`verify`], which is pure: it
//! decides, and touches nothing.

pub mod artifact;
pub mod attest;
pub mod backends;
pub mod batch;
pub mod bundle;
pub mod commands;
pub mod env;
pub mod exit;
pub mod image;
pub mod instance;
pub mod interrupt;
mod json;
pub mod oci;
pub mod output;
pub mod policy;
pub mod progress;
pub mod prompt;
pub mod report;
pub mod services;
pub mod sign;
pub mod trust;
pub mod verify;
