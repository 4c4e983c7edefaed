//! A key behind a plugin, opened: its public half, fetched once, and how a signature is asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::signer::{KeyInfo, RawSignature, SignRequest};
use countersign_core::{Input, KeyUri, Location, OpenContext, PublicKey, Scheme, Signer};

use crate::client::Plugin;
use crate::protocol::{Key, Method};
use crate::uri::PluginUri;
use crate::{Host, errors};

/// The longest message that pure Ed25519 sends through a pipe, beside its copy in memory.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Opens the key: one call, for its public half.
pub(crate) fn open<'a>(host: Host, uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
    let plugin = find(host, uri, context)?;
    let public_key = fetch_public_key(&plugin, &format!("open {uri}"))?;
    // Of the ways to sign, the protocol names the hash alone. Cosign and its plugins mean PKCS#1 v1.5 by RSA.
    let named = |scheme| matches!(scheme, Scheme::Ecdsa | Scheme::RsaPkcs1v15 | Scheme::Ed25519);
    let algorithms = public_key.key_type().algorithms().filter(|one| named(one.scheme())).collect();
    let info = KeyInfo::new(plugin.uri.to_string(), public_key, algorithms, Location::Service);
    Ok(Box::new(PluginSigner { plugin, info }))
}

/// The public half: one call.
pub(crate) fn public_key(host: Host, uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
    fetch_public_key(&find(host, uri, context)?, &format!("read the public key of {uri}"))
}

/// The plugin that serves the URI, not started yet.
pub(crate) fn find<'a>(host: Host, uri: &KeyUri, context: &OpenContext<'a>) -> Result<Plugin<'a>> {
    Plugin::find(host, PluginUri::parse(host, uri, context)?, context)
}

/// Asks for the key's public half.
pub(crate) fn fetch_public_key(plugin: &Plugin<'_>, act: &str) -> Result<PublicKey> {
    let answer = plugin.call(Method::PublicKey, &[], act)?;
    read_public_key(plugin, Method::PublicKey, answer.public_key, act)
}

/// The PEM of an answer.
pub(crate) fn read_public_key(
    plugin: &Plugin<'_>,
    method: Method<'_>,
    key: Option<Key>,
    act: &str,
) -> Result<PublicKey> {
    let pem = key.and_then(|key| STANDARD.decode(key.public_key_pem).ok());
    let pem = pem.ok_or_else(|| errors::nothing(&plugin.program, method, act))?;
    PublicKey::from_pem_or_der(&pem).map_err(|error| error.within(format!("cannot {act}")))
}

struct PluginSigner<'a> {
    plugin: Plugin<'a>,
    info: KeyInfo,
}

impl Signer for PluginSigner<'_> {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        let act = format!("sign with {}", self.info.uri);
        let (method, message) = match request.input() {
            // The artifact stays here.
            Input::Digest(digest) | Input::Hashed(digest, _) => (Method::SignMessage(Some(digest)), &[][..]),
            Input::Message(message) if message.len() > MAX_MESSAGE_BYTES => {
                return Err(Error::new(ErrorKind::Unsupported, format!("cannot {act}"))
                    .why(format!(
                        "Ed25519 signs the whole file, and a plugin is sent {MAX_MESSAGE_BYTES} bytes at most"
                    ))
                    .hint("use an ECDSA or RSA key for large files: their digest is signed"));
            }
            Input::Message(message) => (Method::SignMessage(None), message),
        };
        let answer = self.plugin.call(method, message, &act)?;
        let bytes = answer.sign_message.and_then(|signed| STANDARD.decode(signed.signature).ok());
        let bytes = bytes.ok_or_else(|| errors::nothing(&self.plugin.program, method, &act))?;
        Ok(match request.algorithm().scheme() {
            Scheme::Ecdsa => RawSignature::EcdsaDer(bytes),
            Scheme::RsaPkcs1v15 | Scheme::RsaPss => RawSignature::Rsa(bytes),
            Scheme::Ed25519 | Scheme::Ed25519ph => RawSignature::Ed25519(bytes),
        })
    }
}
