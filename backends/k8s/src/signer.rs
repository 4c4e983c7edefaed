//! A key from a secret, opened here for signing.

use countersign_core::context::SecretPurpose;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::{self, LocalKey};
use countersign_core::{
    KeyInfo, KeyUri, Location, OpenContext, PublicKey, RawSignature, Secret, SignRequest, Signer,
};

use crate::client::{Cluster, KEY, Object, PASSWORD, PUBLIC_KEY};
use crate::uri::SecretUri;

struct SecretSigner {
    info: KeyInfo,
    key: LocalKey,
}

impl Signer for SecretSigner {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        self.key.sign_raw(request)
    }
}

pub(crate) fn connect<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<Cluster<'a>> {
    context.time_left("read the key")?;
    Cluster::new(SecretUri::parse(uri)?, context)
}

/// Opens the private key with the password beside it; without such a field the user is asked.
pub(crate) fn open(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Box<dyn Signer>> {
    let object = read(uri, context)?;
    let content = field(uri, &object, KEY)?;
    let password = || match object.field(PASSWORD)? {
        Some(password) => Ok(password),
        None => context.prompt.secret(&uri.to_string(), SecretPurpose::Unlock),
    };
    let key = local_key::parse(content.expose(), password)
        .map_err(|error| error.with_what(|what| format!("{what} in {KEY} of {uri}")))?;
    // What lies in the cluster comes to this machine: the key is no better kept than a file.
    let info = KeyInfo::new(uri.to_string(), key.public_key().clone(), key.algorithms(), Location::File);
    Ok(Box::new(SecretSigner { info, key }))
}

/// The public half as it was saved: no password.
pub(crate) fn public_key(uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
    let content = field(uri, &read(uri, context)?, PUBLIC_KEY)?;
    PublicKey::from_pem_or_der(content.expose())
        .map_err(|error| error.with_what(|what| format!("{what} in {PUBLIC_KEY} of {uri}")))
}

fn read(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Object> {
    connect(uri, context)?.read()?.ok_or_else(|| absent(uri, "there is no such secret".to_owned()))
}

fn field(uri: &KeyUri, object: &Object, name: &str) -> Result<Secret> {
    object.field(name)?.ok_or_else(|| absent(uri, format!("the secret has no field {name}")))
}

fn absent(uri: &KeyUri, why: String) -> Error {
    Error::new(ErrorKind::NotFound, format!("cannot open {uri}"))
        .why(why)
        .hint(format!("make a key there with: countersign generate-key-pair {uri}"))
}
