#![doc = include_str!("../README.md")]

mod client;
mod doctor;
mod errors;
mod sealed;
mod signer;
mod store;
mod uri;

use countersign_core::backend::Finding;
use countersign_core::error::Result;
use countersign_core::{Ability, Backend, KeyStore, KeyUri, OpenContext, PublicKey, Signer, Variable};

pub use uri::GithubUri;

/// Encrypted keys in the Actions secrets of a GitHub repository or organization. They can be written, never read: signing and
/// verifying are refused with the way that works.
#[derive(Debug)]
pub struct GithubBackend;

impl Backend for GithubBackend {
    fn schemes(&self) -> &'static [&'static str] {
        &["github"]
    }

    fn variables(&self) -> &'static [Variable] {
        client::VARIABLES
    }

    fn abilities(&self) -> &'static [Ability] {
        &[Ability::List, Ability::Generate, Ability::Import]
    }

    fn open_signer<'a>(&self, uri: &KeyUri, _context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
        Err(signer::refuse(uri, signer::SIGN).unwrap_or_else(|error| error).for_key(uri))
    }

    fn public_key(&self, uri: &KeyUri, _context: &OpenContext<'_>) -> Result<PublicKey> {
        Err(signer::refuse(uri, signer::VERIFY).unwrap_or_else(|error| error).for_key(uri))
    }

    fn diagnose(&self, uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
        doctor::diagnose(uri, context, found);
    }

    fn key_store(&self) -> Option<&dyn KeyStore> {
        Some(self)
    }
}
