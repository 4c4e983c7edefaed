#![doc = include_str!("../README.md")]

mod client;
mod config;
mod doctor;
mod errors;
mod kubeconfig;
mod signer;
mod store;
mod uri;

use countersign_core::backend::Finding;
use countersign_core::error::Result;
use countersign_core::{Ability, Backend, KeyStore, KeyUri, OpenContext, PublicKey, Signer, Variable};

pub use uri::SecretUri;

/// Encrypted keys in the secrets of a Kubernetes cluster.
#[derive(Debug)]
pub struct KubernetesBackend;

impl Backend for KubernetesBackend {
    fn schemes(&self) -> &'static [&'static str] {
        &["k8s"]
    }

    fn variables(&self) -> &'static [Variable] {
        config::VARIABLES
    }

    fn abilities(&self) -> &'static [Ability] {
        &[Ability::List, Ability::Generate, Ability::Import]
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
