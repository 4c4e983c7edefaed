//! A key file opened for signing.

use countersign_core::context::{Event, SecretPurpose};
use countersign_core::error::{Error, Result};
use countersign_core::local_key::{self, LocalKey};
use countersign_core::{
    KeyInfo, KeyUri, Location, OpenContext, PublicKey, RawSignature, Secret, SignRequest, Signer,
};

use crate::client::load;
use crate::uri::{self, Place};

struct FileSigner {
    info: KeyInfo,
    key: LocalKey,
}

impl Signer for FileSigner {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        self.key.sign_raw(request)
    }
}

/// Opens the private key, asking for its password at most once.
pub(crate) fn open(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Box<dyn Signer>> {
    let place = uri::parse(uri, context)?;
    let content = load(&place, context)?;
    warn_of_readers(&place, &content, context);
    let key = unlock(uri, &content, context)?;
    let info = KeyInfo::new(uri.to_string(), key.public_key().clone(), key.algorithms(), Location::File);
    Ok(Box::new(FileSigner { info, key }))
}

/// The public half: of a public key or certificate as it stands, of a private key after reading it.
pub(crate) fn public_key(uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
    let content = load(&uri::parse(uri, context)?, context)?;
    if local_key::form(content.expose()).is_ok() {
        return Ok(unlock(uri, &content, context)?.public_key().clone());
    }
    PublicKey::from_pem_or_der(content.expose()).map_err(|error| named(error, uri))
}

fn unlock(uri: &KeyUri, content: &Secret, context: &OpenContext<'_>) -> Result<LocalKey> {
    local_key::parse(content.expose(), || context.prompt.secret(&uri.to_string(), SecretPurpose::Unlock))
        .map_err(|error| named(error, uri))
}

/// Says which file: the core, which parses the bytes, does not know it.
fn named(error: Error, uri: &KeyUri) -> Error {
    error.with_what(|what| match what.strip_suffix(" key") {
        Some(_) => format!("{what} {uri}"),
        None => what,
    })
}

/// An unencrypted key that others may read is as good as published.
fn warn_of_readers(place: &Place, content: &Secret, context: &OpenContext<'_>) {
    let Place::Path(path) = place else { return };
    let plain = local_key::form(content.expose()).is_ok_and(|form| form.is_plain());
    if plain && readable_by_others(path) {
        context.events.event(Event::Warning(format!(
            "the unencrypted key {0} can be read by others: run chmod 600 {0}",
            path.display()
        )));
    }
}

#[cfg(unix)]
pub(crate) fn readable_by_others(path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(crate) fn readable_by_others(_path: &std::path::Path) -> bool {
    false
}
