//! Attempts to have something verified that must not be: the negative tests that Sigstore's history asks for. Each bears its
//! number in that list; each refusal is by a named check, and has a neighbour that is accepted and differs in one thing.
//!
//! What is about images stands in `claims.rs`, and where a registry takes part in `tests/images`; 22 are `mutations.rs` and `fuzz/`.

mod binding;
mod chain;
mod claims;
mod counting;
mod identity;
mod shape;
mod statements;
mod time;
