//! Listing keys and making them.

use azure_security_keyvault_keys::models::{
    CreateKeyParameters, CurveName, KeyOperation, KeyType as ServiceType,
};
use countersign_core::backend::{Created, KeySummary};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::LocalKey;
use countersign_core::{Algorithm, KeyStore, KeyType, KeyUri, Location, OpenContext};

use crate::AzurekmsBackend;
use crate::client::{Vault, incomplete};
use crate::signer::{Opened, connect, fetch, parse};
use crate::uri::AzureUri;

impl KeyStore for AzurekmsBackend {
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
            .why("keys of a vault are made there")
            .hint(format!("make one with: countersign generate-key-pair --kms '{uri}'")))
    }
}

/// The signing keys of the vault, or the one key that the URI names. One call for each key, one for each page of the list.
fn list(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
    let parsed = AzureUri::parse(uri)?;
    let vault = Vault::new(&parsed, context)?;
    let act = format!("list the keys of {uri}");
    if !parsed.key.is_empty() {
        return Ok(vec![summary(fetch(&parsed, &vault, &act)?)]);
    }
    let mut keys = Vec::new();
    for kid in vault.keys(&act)? {
        let named = named(&kid, &parsed).ok_or_else(|| {
            incomplete(&act, &format!("the list holds the key of another vault: {}", kid.escape_debug()))
        })?;
        match fetch(&named, &vault, &act) {
            Ok(opened) => keys.push(summary(opened)),
            // It encrypts, or is of a kind with which nothing is signed here.
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) if error.kind() == ErrorKind::Denied => keys.push(KeySummary {
                uri: named.to_string(),
                public_key: None,
                location: Location::Service,
                notes: vec!["may not be read".to_owned()],
                label: None,
                id: None,
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}

/// The key that a list's id names, in its newest version: `https://HOST/keys/NAME`.
fn named(kid: &str, vault: &AzureUri) -> Option<AzureUri> {
    let name = kid.strip_prefix("https://")?.strip_prefix(vault.host.as_str())?.strip_prefix("/keys/")?;
    let uri = KeyUri::parse(&format!("azurekms://{}/{name}", vault.host)).ok()?;
    AzureUri::parse(&uri).ok().filter(|parsed| !parsed.key.is_empty())
}

fn summary(opened: Opened) -> KeySummary {
    KeySummary {
        uri: opened.pinned.to_string(),
        notes: opened.refusal.iter().map(|(_, why, _)| why.clone()).collect(),
        public_key: Some(opened.public_key),
        location: Location::Service,
        label: None,
        id: None,
    }
}

/// Makes a key: two calls. One that exists is never given another version.
fn generate(uri: &KeyUri, algorithm: Algorithm, context: &OpenContext<'_>) -> Result<Created> {
    let (parsed, vault) = connect(uri, context)?;
    let act = format!("make the key {uri}");
    let what = format!("cannot {act}");
    if parsed.version.is_some() {
        return Err(Error::new(ErrorKind::BadUri, what)
            .why("a vault chooses a new key's version")
            .hint(format!("write azurekms://{}/{}", parsed.host, parsed.key)));
    }
    let wish = wish(algorithm, vault.place().is_hsm).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, what.clone())
            .why(format!("no vault makes keys for {algorithm}"))
            .hint("there are P-256, P-384, P-521 and RSA keys, each with its own hash or, for RSA, any")
    })?;
    match vault.key(&parsed.key, None, &act) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(_) => {
            return Err(Error::new(ErrorKind::Denied, what).why("the key exists").hint(format!(
                "print its public half with: countersign public-key --key '{uri}'; a new version is made with: az keyvault \
                 key rotate --id https://{}/keys/{}",
                parsed.host, parsed.key
            )));
        }
    }
    let made = vault.create(&parsed.key, &wish, &act)?;
    let opened = parse(made, &parsed, &act, context.clock.now())?;
    if opened.public_key.key_type() != algorithm.key_type() {
        let found = opened.public_key.key_type();
        return Err(incomplete(&act, &format!("expected a {} key, found {found}", algorithm.key_type())));
    }
    let path = opened.pinned.to_string();
    Ok(Created {
        uri: parsed.to_string(),
        public_key: opened.public_key,
        private_path: path,
        public_path: parsed.to_string(),
    })
}

/// What a vault is asked to make; a managed HSM makes keys in hardware alone.
fn wish(algorithm: Algorithm, is_hsm: bool) -> Option<CreateKeyParameters> {
    let key_type = algorithm.key_type();
    let curve = match key_type {
        KeyType::P256 => Some(CurveName::P256),
        KeyType::P384 => Some(CurveName::P384),
        KeyType::P521 => Some(CurveName::P521),
        KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => None,
        KeyType::Ed25519 => return None,
    };
    let kty = match (curve.is_some(), is_hsm) {
        (true, false) => ServiceType::Ec,
        (true, true) => ServiceType::EcHsm,
        (false, false) => ServiceType::Rsa,
        (false, true) => ServiceType::RsaHsm,
    };
    Some(CreateKeyParameters {
        curve,
        kty: Some(kty),
        key_size: key_type.rsa_bits().and_then(|bits| i32::try_from(bits).ok()),
        key_ops: Some(vec![KeyOperation::Sign, KeyOperation::Verify]),
        ..CreateKeyParameters::default()
    })
}
