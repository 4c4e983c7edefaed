#![doc = include_str!("../README.md")]

mod answers;
mod client;
mod credentials;
mod doctor;
mod errors;
mod settings;
mod signer;
mod store;
mod tls;
mod uri;

use countersign_core::backend::{Finding, KeySummary};
use countersign_core::error::Result;
use countersign_core::{Ability, Backend, KeyStore, KeyUri, OpenContext, PublicKey, Signer, Variable};

pub use uri::VaultUri;

/// Keys of a transit engine in HashiCorp Vault or OpenBao.
#[derive(Debug)]
pub struct HashivaultBackend;

impl Backend for HashivaultBackend {
    fn schemes(&self) -> &'static [&'static str] {
        &["hashivault", "openbao"]
    }

    fn variables(&self) -> &'static [Variable] {
        settings::VARIABLES
    }

    fn abilities(&self) -> &'static [Ability] {
        &[Ability::List, Ability::Generate]
    }

    fn open_signer<'a>(&self, uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
        signer::open(uri, context).map_err(|error| error.for_key(uri))
    }

    fn public_key(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
        signer::public_key(uri, context).map_err(|error| error.for_key(uri))
    }

    fn diagnose(&self, uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
        doctor::diagnose(uri, context, found);
    }

    fn versions(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        store::versions(uri, context).map_err(|error| error.for_key(uri))
    }

    fn key_store(&self) -> Option<&dyn KeyStore> {
        Some(self)
    }
}
