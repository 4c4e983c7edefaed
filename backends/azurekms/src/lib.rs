#![doc = include_str!("../README.md")]

mod certificate;
mod client;
mod credentials;
mod doctor;
mod errors;
mod guard;
mod settings;
mod signer;
mod store;
mod transport;
mod uri;

use countersign_core::backend::Finding;
use countersign_core::error::Result;
use countersign_core::{Ability, Backend, KeyStore, KeyUri, OpenContext, PublicKey, Signer, Variable};

pub use uri::AzureUri;

/// Keys in Azure Key Vault and Managed HSM.
#[derive(Debug)]
pub struct AzurekmsBackend;

impl Backend for AzurekmsBackend {
    fn schemes(&self) -> &'static [&'static str] {
        &["azurekms"]
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

    fn key_store(&self) -> Option<&dyn KeyStore> {
        Some(self)
    }
}
