//! Attempts to have something verified that must not be: the negative tests that Sigstore's history asks for. Each bears its
//! number in that list; each refusal is by a named check, and has a neighbour that is accepted and differs in one thing.
//!
//! Numbers 8, 10 and 12 are about images, which come later; 22 are `mutations.rs` and `fuzz/`; the rest of 21 and those from 23
//! on are not about verifying.

mod binding;
mod chain;
mod counting;
mod identity;
mod shape;
mod statements;
mod time;
