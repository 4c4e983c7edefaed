//! A key from a variable, opened here for signing.

use countersign_core::context::SecretPurpose;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::{self, LocalKey};
use countersign_core::{
    KeyInfo, KeyUri, Location, OpenContext, PublicKey, RawSignature, Secret, SignRequest, Signer,
};

use crate::client::{Gitlab, Name};
use crate::uri::GitlabUri;

struct GitlabSigner {
    info: KeyInfo,
    key: LocalKey,
}

impl Signer for GitlabSigner {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        self.key.sign_raw(request)
    }
}

pub(crate) fn connect<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<Gitlab<'a>> {
    context.time_left("read the key")?;
    Gitlab::new(GitlabUri::parse(uri)?, context)
}

/// Opens the private key with the password beside it; without such a variable the user is asked.
pub(crate) fn open(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Box<dyn Signer>> {
    let gitlab = connect(uri, context)?;
    let content = gitlab.read(Name::PrivateKey)?.ok_or_else(|| absent(uri, &gitlab, Name::PrivateKey))?;
    let key = local_key::parse(content.expose(), || password(uri, &gitlab, context))
        .map_err(|error| error.with_what(|what| format!("{what} in {} of {uri}", Name::PrivateKey.text())))?;
    // What lies in the service comes to this machine: the key is no better kept than a file.
    let info = KeyInfo::new(uri.to_string(), key.public_key().clone(), key.algorithms(), Location::File);
    Ok(Box::new(GitlabSigner { info, key }))
}

fn password(uri: &KeyUri, gitlab: &Gitlab<'_>, context: &OpenContext<'_>) -> Result<Secret> {
    match gitlab.read(Name::Password)? {
        Some(password) => Ok(password),
        None => context.prompt.secret(&uri.to_string(), SecretPurpose::Unlock),
    }
}

/// The public half as it was saved: one call, no password.
pub(crate) fn public_key(uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
    let gitlab = connect(uri, context)?;
    let content = gitlab.read(Name::PublicKey)?.ok_or_else(|| absent(uri, &gitlab, Name::PublicKey))?;
    PublicKey::from_pem_or_der(content.expose())
        .map_err(|error| error.with_what(|what| format!("{what} in {} of {uri}", Name::PublicKey.text())))
}

fn absent(uri: &KeyUri, gitlab: &Gitlab<'_>, name: Name) -> Error {
    Error::new(ErrorKind::NotFound, format!("cannot open {uri}"))
        .why(format!("the {} has no variable {}", gitlab.owner(), name.text()))
        .hint(format!("make a key there with: countersign generate-key-pair {uri}"))
}
