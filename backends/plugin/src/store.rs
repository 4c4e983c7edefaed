//! Making keys: the protocol's `createKey`, with an algorithm by the plugin's own name.

use countersign_core::backend::{Created, KeySummary};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::LocalKey;
use countersign_core::{Algorithm, KeyStore, KeyType, KeyUri, OpenContext, Scheme};

use crate::client::Plugin;
use crate::protocol::Method;
use crate::signer::{fetch_public_key, find, read_public_key};
use crate::{PluginBackend, errors};

/// What plugins call the key types, in lower case and with `-` for `_`: the names of Cosign's own key stores.
const NAMES: [(KeyType, &[&str]); 7] = [
    (
        KeyType::P256,
        &["ecdsa-p256", "ecdsa-p256-sha256", "ecc-nist-p256", "ecdsa-sha2-256-nistp256", "es256", "p-256"],
    ),
    (
        KeyType::P384,
        &["ecdsa-p384", "ecdsa-p384-sha384", "ecc-nist-p384", "ecdsa-sha2-384-nistp384", "es384", "p-384"],
    ),
    (
        KeyType::P521,
        &["ecdsa-p521", "ecdsa-p521-sha512", "ecc-nist-p521", "ecdsa-sha2-512-nistp521", "es512", "p-521"],
    ),
    (
        KeyType::Rsa2048,
        &["rsa-2048", "rsa-pkcs1v15-2048-sha256", "rsa-pkcs1v15-2048", "rsa-sign-pkcs1-2048-sha256"],
    ),
    (
        KeyType::Rsa3072,
        &["rsa-3072", "rsa-pkcs1v15-3072-sha256", "rsa-pkcs1v15-3072", "rsa-sign-pkcs1-3072-sha256"],
    ),
    (
        KeyType::Rsa4096,
        &["rsa-4096", "rsa-pkcs1v15-4096-sha256", "rsa-pkcs1v15-4096", "rsa-sign-pkcs1-4096-sha256"],
    ),
    (KeyType::Ed25519, &["ed25519", "eddsa"]),
];

/// The key type that a plugin's name means, where the table knows it.
fn key_type(name: &str) -> Option<KeyType> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(key_type, _)| *key_type)
}

impl KeyStore for PluginBackend {
    fn list(&self, uri: &KeyUri, _: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        Err(Error::new(ErrorKind::Unsupported, format!("cannot list the keys of {uri}"))
            .why("the protocol of plugins has no word for it"))
    }

    fn generate(
        &self,
        uri: &KeyUri,
        algorithm: Algorithm,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        find(self.host, uri, context)
            .and_then(|plugin| generate(&plugin, algorithm, overwrite, context))
            .map_err(|error| error.for_key(uri))
    }

    fn import(&self, uri: &KeyUri, _: &LocalKey, _: bool, _: &OpenContext<'_>) -> Result<Created> {
        Err(Error::new(ErrorKind::Unsupported, format!("cannot import a key into {uri}"))
            .why("the protocol of plugins has no word for it")
            .hint("make one with: countersign generate-key-pair --kms URI"))
    }
}

/// Makes a key where there is none: three calls.
fn generate(
    plugin: &Plugin<'_>,
    algorithm: Algorithm,
    overwrite: bool,
    context: &OpenContext<'_>,
) -> Result<Created> {
    let uri = plugin.uri.to_string();
    let act = format!("make the key {uri}");
    let what = format!("cannot {act}");
    if algorithm.scheme() == Scheme::Ed25519ph {
        return Err(Error::new(ErrorKind::Unsupported, what).why("the protocol of plugins has no Ed25519ph"));
    }
    nothing_is_there(plugin, overwrite, context, &act)?;
    let names = supported(plugin, &act)?;
    let wanted = algorithm.key_type();
    let Some(name) = names.iter().find(|name| key_type(name) == Some(wanted)) else {
        return Err(Error::new(ErrorKind::Unsupported, what)
            .why(format!("the plugin makes no {wanted} key, as far as its names tell: {}", names.join(", ")))
            .hint("choose another with --signing-algorithm, or make the key with the service's own tool"));
    };
    let method = Method::CreateKey(name);
    let answer = plugin.call(method, &[], &act)?;
    let public_key = read_public_key(plugin, method, answer.create_key, &act)?;
    if public_key.key_type() != wanted {
        return Err(Error::new(ErrorKind::Integrity, what).why(format!(
            "the plugin made another key than asked for: expected {wanted}, found {}",
            public_key.key_type()
        )));
    }
    Ok(Created { uri: uri.clone(), public_key, private_path: uri.clone(), public_path: uri })
}

/// A plugin may overwrite or rotate a key that exists, so it is looked at before.
fn nothing_is_there(
    plugin: &Plugin<'_>,
    overwrite: bool,
    context: &OpenContext<'_>,
    act: &str,
) -> Result<()> {
    match fetch_public_key(plugin, act) {
        Ok(key) => Err(Error::new(ErrorKind::Denied, format!("cannot {act}"))
            .why(format!("it exists: {}, {}", key.key_type(), key.fingerprint()))
            .hint(format!("print its public half with: countersign public-key --key '{}'", plugin.uri))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // The protocol has no code for a missing key: it may be there all the same.
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            let why = error.cause().unwrap_or_default().to_owned();
            let question = format!("{why}. Make the key {} all the same?", plugin.uri);
            if overwrite || context.prompt.confirm(&question)? {
                return Ok(());
            }
            Err(error.hint("if that means that there is no such key, pass -y"))
        }
        Err(error) => Err(error),
    }
}

/// The algorithms that the plugin names.
pub(crate) fn supported(plugin: &Plugin<'_>, act: &str) -> Result<Vec<String>> {
    let method = Method::SupportedAlgorithms;
    let answer = plugin.call(method, &[], act)?.supported_algorithms;
    let answer = answer.ok_or_else(|| errors::nothing(&plugin.program, method, act))?;
    Ok(answer.supported_algorithms.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_several_stores_mean_the_same() {
        for (name, expected) in [
            ("ECC_NIST_P384", Some(KeyType::P384)),
            ("rsa-pkcs1v15-4096-sha256", Some(KeyType::Rsa4096)),
            ("RSA_2048", Some(KeyType::Rsa2048)),
            ("ES256", Some(KeyType::P256)),
            ("sm2", None),
        ] {
            assert_eq!(key_type(name), expected, "{name}");
        }
    }
}
