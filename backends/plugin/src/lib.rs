#![doc = include_str!("../README.md")]

mod client;
mod doctor;
mod errors;
mod locate;
mod protocol;
mod signer;
mod store;
mod uri;

use countersign_core::backend::Finding;
use countersign_core::error::Result;
use countersign_core::{Ability, Backend, KeyStore, KeyUri, OpenContext, PublicKey, Signer, Variable};

pub use uri::PluginUri;

/// Keys behind programs `sigstore-kms-NAME`, for every scheme that nothing else serves.
#[derive(Debug, Clone, Copy)]
pub struct PluginBackend {
    host: Host,
}

/// What only the tool around all backends knows.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// The names of the variables that hold our own secrets: no plugin inherits them.
    pub secrets: fn() -> Vec<&'static str>,
    /// What is served without plugins, in words, for whoever mistyped a scheme.
    pub served: fn() -> String,
}

impl PluginBackend {
    /// Plugins of this host.
    pub const fn new(host: Host) -> Self {
        Self { host }
    }
}

impl Backend for PluginBackend {
    /// None of its own: it serves what is left over.
    fn schemes(&self) -> &'static [&'static str] {
        &[]
    }

    fn variables(&self) -> &'static [Variable] {
        locate::VARIABLES
    }

    fn abilities(&self) -> &'static [Ability] {
        &[Ability::Generate]
    }

    fn open_signer<'a>(&self, uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
        signer::open(self.host, uri, context).map_err(|error| error.for_key(uri))
    }

    fn public_key(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
        signer::public_key(self.host, uri, context).map_err(|error| error.for_key(uri))
    }

    fn diagnose(&self, uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
        doctor::diagnose(self.host, uri, context, found);
    }

    fn key_store(&self) -> Option<&dyn KeyStore> {
        Some(self)
    }
}
