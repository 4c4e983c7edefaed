#![doc = include_str!("../README.md")]

mod client;
mod crc32c;
mod credentials;
mod doctor;
mod errors;
mod purpose;
mod settings;
mod signer;
mod store;
mod stub;
mod uri;

use countersign_core::backend::{Finding, VerifyingKey};
use countersign_core::error::Result;
use countersign_core::{Ability, Backend, KeyStore, KeyUri, OpenContext, PublicKey, Signer, Variable};

pub use uri::GcpUri;

/// Keys in Google Cloud KMS.
#[derive(Debug)]
pub struct GcpkmsBackend;

impl Backend for GcpkmsBackend {
    fn schemes(&self) -> &'static [&'static str] {
        &["gcpkms"]
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
        self.verifying_key(uri, context).map(|key| key.public_key)
    }

    fn verifying_key(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<VerifyingKey> {
        signer::verifying_key(uri, context).map_err(|error| error.for_key(uri))
    }

    fn diagnose(&self, uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
        doctor::diagnose(uri, context, found);
    }

    fn key_store(&self) -> Option<&dyn KeyStore> {
        Some(self)
    }
}
