#![doc = include_str!("../README.md")]

mod administration;
mod algorithm;
mod apdu;
mod attestation;
mod attester;
mod card;
mod chain;
mod client;
mod doctor;
mod errors;
mod find;
mod keys;
mod link;
mod make;
mod management;
mod metadata;
mod objects;
mod patience;
mod pcsc;
mod pin;
mod prepare;
mod protected_key;
mod public_half;
mod reset;
mod signer;
mod slot;
mod store;
mod tlv;
mod transport;
mod uri;

use countersign_core::backend::Finding;
use countersign_core::device::Device;
use countersign_core::error::Result;
use countersign_core::{
    Ability, Attester, Backend, KeyStore, KeyUri, OpenContext, PublicKey, Signer, Variable,
};

pub use pcsc::PcscReaders;
pub use slot::Slot;
pub use transport::{Exchange, Reader, Readers, Transport, TransportError};
pub use uri::PivUri;

/// Keys on YubiKeys and other PIV cards.
pub struct PivBackend {
    readers: &'static dyn Readers,
}

impl PivBackend {
    /// The backend over the system's readers.
    pub const fn new() -> Self {
        Self { readers: &PcscReaders }
    }

    /// The backend over other readers: cards in process, for tests.
    pub const fn with_readers(readers: &'static dyn Readers) -> Self {
        Self { readers }
    }
}

impl Default for PivBackend {
    fn default() -> Self {
        Self::new()
    }
}

const VARIABLES: &[Variable] =
    &[Variable::secret(pin::PIN, "is the PIN for piv: URIs without a source of one", "a PIN")];

impl Backend for PivBackend {
    fn schemes(&self) -> &'static [&'static str] {
        &["piv", "yubikey"]
    }

    fn variables(&self) -> &'static [Variable] {
        VARIABLES
    }

    fn abilities(&self) -> &'static [Ability] {
        &[
            Ability::List,
            Ability::Generate,
            Ability::Import,
            Ability::Delete,
            Ability::Certificates,
            Ability::Attest,
        ]
    }

    fn open_signer<'a>(&self, uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
        client::open(self.readers, uri, context).map_err(|error| error.for_key(uri))
    }

    fn public_key(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
        client::public_key(self.readers, uri, context).map_err(|error| error.for_key(uri))
    }

    fn diagnose(&self, uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
        doctor::diagnose(self.readers, uri, context, found);
    }

    fn key_store(&self) -> Option<&dyn KeyStore> {
        Some(self)
    }

    fn attester(&self) -> Option<&dyn Attester> {
        Some(self)
    }

    fn device(&self) -> Option<&dyn Device> {
        Some(self)
    }
}
