#![doc = include_str!("../README.md")]

mod certificate;
mod client;
mod delete;
mod doctor;
mod errors;
mod login;
mod module;
mod object;
mod opened;
mod signer;
mod store;
mod token;
mod uri;

use countersign_core::backend::Finding;
use countersign_core::error::Result;
use countersign_core::{Ability, Backend, KeyStore, KeyUri, OpenContext, PublicKey, Signer, Variable};

pub use uri::{ObjectType, Pkcs11Uri, UriPin};

/// Keys on PKCS#11 tokens.
#[derive(Debug)]
pub struct Pkcs11Backend;

const VARIABLES: &[Variable] = &[
    Variable::new(module::MODULE_PATH, "is the PKCS#11 module for URIs that name none", "an absolute path"),
    Variable::new(
        module::ALLOWED_MODULES,
        "allows these PKCS#11 modules only",
        "absolute paths, separated as in PATH",
    ),
    Variable::secret(login::PIN, "is the PIN for pkcs11: URIs without a source of one", "a PIN"),
    Variable::new(client::IGNORE_CERTIFICATE, "leaves certificates on tokens alone", "1"),
];

impl Backend for Pkcs11Backend {
    fn schemes(&self) -> &'static [&'static str] {
        &["pkcs11"]
    }

    fn variables(&self) -> &'static [Variable] {
        VARIABLES
    }

    fn abilities(&self) -> &'static [Ability] {
        &[Ability::List, Ability::Generate, Ability::Delete, Ability::Certificates]
    }

    fn open_signer<'a>(&self, uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
        client::open(uri, context).map_err(|error| error.for_key(uri))
    }

    fn public_key(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
        client::public_key(uri, context).map_err(|error| error.for_key(uri))
    }

    fn diagnose(&self, uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
        doctor::diagnose(uri, context, found);
    }

    fn loads_libraries(&self) -> bool {
        true
    }

    fn key_store(&self) -> Option<&dyn KeyStore> {
        Some(self)
    }
}
