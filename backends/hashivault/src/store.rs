//! Listing keys and their versions, and making keys.

use countersign_core::backend::{Created, KeySummary};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::LocalKey;
use countersign_core::{Algorithm, KeyStore, KeyUri, Location, OpenContext, Scheme};

use crate::HashivaultBackend;
use crate::answers::{Key, type_name};
use crate::client::Vault;
use crate::signer::{canonical, connect};
use crate::uri::VaultUri;

impl KeyStore for HashivaultBackend {
    fn list(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        list(uri, context).map_err(|error| error.for_key(uri))
    }

    fn generate(
        &self,
        uri: &KeyUri,
        algorithm: Algorithm,
        _overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        generate(uri, algorithm, context).map_err(|error| error.for_key(uri))
    }

    fn import(&self, uri: &KeyUri, _: &LocalKey, _: bool, _: &OpenContext<'_>) -> Result<Created> {
        Err(Error::new(ErrorKind::Unsupported, format!("cannot import a key into {uri}"))
            .why("keys of a transit engine are made there")
            .hint("make one with: countersign generate-key-pair --kms URI"))
    }
}

/// The signing keys of an engine, each at its latest version; or every version of the one key that the URI names.
fn list(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
    let parsed = VaultUri::parse(uri)?;
    let vault = Vault::new(&parsed, context)?;
    let act = format!("list the keys of {uri}");
    if !parsed.key.is_empty() {
        let key = vault.key(&parsed.key, &act)?;
        let wanted = |version: &u32| parsed.version.is_none_or(|wanted| wanted == *version);
        return versions_of(&key, &parsed, &vault, wanted, &act);
    }
    let mut keys = Vec::new();
    for name in vault.names(&act)? {
        let named = VaultUri { key: name.clone(), ..canonical(&parsed, &vault, None) };
        match vault.key(&name, &act) {
            Ok(key) if key.signing_type().is_some() => {
                keys.push(summary(&named, &key, key.latest_version, &act)?);
            }
            // It encrypts, or derives: nothing to sign with.
            Ok(_) => {}
            // Somebody may list all keys and read some.
            Err(error) if error.kind() == ErrorKind::Denied => keys.push(KeySummary {
                uri: named.to_string(),
                public_key: None,
                location: Location::Service,
                notes: vec!["may not be read".to_owned()],
                label: Some(name),
                id: None,
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}

/// Every version of the key, oldest first: one call.
pub(crate) fn versions(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
    let (parsed, vault) = connect(uri, context)?;
    let act = format!("list the versions of {uri}");
    let key = vault.key(&parsed.key, &act)?;
    versions_of(&key, &parsed, &vault, |_| true, &act)
}

fn versions_of(
    key: &Key,
    uri: &VaultUri,
    vault: &Vault<'_>,
    wanted: impl Fn(&u32) -> bool,
    act: &str,
) -> Result<Vec<KeySummary>> {
    let versions = key.versions().into_iter().filter(wanted);
    versions.map(|version| summary(&canonical(uri, vault, Some(version)), key, version, act)).collect()
}

fn summary(uri: &VaultUri, key: &Key, version: u32, act: &str) -> Result<KeySummary> {
    let mut notes = vec![format!("version {version}")];
    if version == key.latest_version {
        notes.push("latest".to_owned());
    }
    if version < key.min_encryption_version {
        notes.push("verifies only".to_owned());
    }
    Ok(KeySummary {
        uri: uri.to_string(),
        public_key: Some(key.public_key(version, &format!("cannot {act}"))?),
        location: Location::Service,
        notes,
        label: Some(key.name.clone()),
        id: None,
    })
}

/// Makes a key that cannot be exported: two or three calls. One that exists is never touched: a rotation adds a version to
/// it, and is the server's own act.
fn generate(uri: &KeyUri, algorithm: Algorithm, context: &OpenContext<'_>) -> Result<Created> {
    let (parsed, vault) = connect(uri, context)?;
    let act = format!("make the key {uri}");
    let what = format!("cannot {act}");
    if parsed.version.is_some() {
        return Err(Error::new(ErrorKind::BadUri, what)
            .why("a new key's version is 1")
            .hint("leave version out"));
    }
    let key_type = type_name(algorithm.key_type()).filter(|_| algorithm.scheme() != Scheme::Ed25519ph);
    let Some(key_type) = key_type else {
        return Err(
            Error::new(ErrorKind::Unsupported, what).why(format!("a transit engine does no {algorithm}"))
        );
    };
    match vault.key(&parsed.key, &act) {
        Ok(key) => {
            let version = key.latest_version;
            return Err(Error::new(ErrorKind::Denied, what)
                .why(format!("it exists, of type {}, in version {version}", key.key_type))
                .hint(format!(
                    "print its public half with: countersign public-key --key '{uri}'; a new version of it makes: \
                     bao write -f {}/keys/{}/rotate",
                    vault.mount(),
                    parsed.key
                )));
        }
        Err(error) if is_missing(&error, &vault) => {}
        Err(error) => return Err(error),
    }
    vault.create(&parsed.key, key_type, &act)?;
    let key = vault.key(&parsed.key, &act)?;
    if key.key_type != key_type {
        return Err(Error::new(ErrorKind::Integrity, what).why(format!(
            "expected a key of type {key_type}, found {}: somebody made it at the same moment",
            key.key_type
        )));
    }
    let public_key = key.public_key(key.latest_version, &what)?;
    let uri = canonical(&parsed, &vault, None).to_string();
    Ok(Created { uri: uri.clone(), public_key, private_path: uri.clone(), public_path: uri })
}

/// The key is missing, not the engine.
fn is_missing(error: &Error, vault: &Vault<'_>) -> bool {
    error.kind() == ErrorKind::NotFound
        && error.cause().is_some_and(|why| why == crate::errors::no_such_key(vault.mount()))
}
