//! One version of a key, opened: its public half, what it signs, and how the server is asked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::digest::HashAlgorithm;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::signer::{KeyInfo, RawSignature, SignRequest};
use countersign_core::{Input, KeyUri, Location, OpenContext, PublicKey, Scheme, Signer};
use serde_json::{Value, json};

use crate::answers::Key;
use crate::client::Vault;
use crate::uri::VaultUri;

/// The longest message that pure Ed25519 signs: the server takes requests of 32 MiB, and base64 makes four bytes of three.
const MAX_MESSAGE_BYTES: usize = 23 * 1024 * 1024;

/// Opens one version of a key for signing: one call.
pub(crate) fn open<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
    let (parsed, vault) = connect(uri, context)?;
    let act = format!("open {uri}");
    let key = vault.key(&parsed.key, &act)?;
    let version = parsed.version.unwrap_or(key.latest_version);
    let what = format!("cannot {act}");
    let public_key = key.public_key(version, &what)?;
    refuse_state(&key, version, &what)?;
    // Ed25519ph: OpenBao takes the same option and signs purely all the same, so it is not offered.
    let algorithms =
        public_key.key_type().algorithms().filter(|one| one.scheme() != Scheme::Ed25519ph).collect();
    let canonical = canonical(&parsed, &vault, Some(version)).to_string();
    let mut info = KeyInfo::new(canonical, public_key, algorithms, Location::Service);
    info.version = Some(version.to_string());
    Ok(Box::new(VaultSigner { vault, name: parsed.key, version, info }))
}

/// The public half of a version: one call.
pub(crate) fn public_key(uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
    let (parsed, vault) = connect(uri, context)?;
    let act = format!("read the public key of {uri}");
    let key = vault.key(&parsed.key, &act)?;
    key.public_key(parsed.version.unwrap_or(key.latest_version), &format!("cannot {act}"))
}

/// A URI that must name a key, and its server.
pub(crate) fn connect<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<(VaultUri, Vault<'a>)> {
    let parsed = VaultUri::parse(uri)?;
    if parsed.key.is_empty() {
        return Err(Error::new(ErrorKind::BadUri, format!("cannot open {uri}")).why("it names no key").hint(
            format!("write {}://NAME; list the names with: countersign keys list '{uri}'", parsed.scheme),
        ));
    }
    let vault = Vault::new(&parsed, context)?;
    Ok((parsed, vault))
}

/// The same key with all that the environment added, so that it names the same one elsewhere.
pub(crate) fn canonical(uri: &VaultUri, vault: &Vault<'_>, version: Option<u32>) -> VaultUri {
    VaultUri {
        mount: Some(vault.mount().to_owned()).filter(|mount| uri.mount.is_some() || mount != "transit"),
        namespace: vault.namespace().map(str::to_owned),
        version,
        ..uri.clone()
    }
}

/// Refuses a version that the server would not sign with, before anything is hashed.
pub(crate) fn refuse_state(key: &Key, version: u32, what: &str) -> Result<()> {
    let state = |why: String| Error::new(ErrorKind::KeyState, what).why(why);
    if key.soft_deleted {
        return Err(state("the key is deleted, and can still be restored".to_owned())
            .hint("somebody who may restores it: keys/NAME/soft-delete-restore"));
    }
    if version < key.min_encryption_version {
        return Err(state(format!(
            "version {version} signs no more: min_encryption_version is {}",
            key.min_encryption_version
        ))
        .hint("leave version out to sign with the latest; verifying with it goes on"));
    }
    Ok(())
}

/// A key version on the server.
struct VaultSigner<'a> {
    vault: Vault<'a>,
    name: String,
    version: u32,
    info: KeyInfo,
}

impl Signer for VaultSigner<'_> {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        let act = format!("sign with {}", self.info.uri);
        let what = format!("cannot {act}");
        let body = body(request, self.version, &what)?;
        let bytes = self.vault.sign(&self.name, &body, &act)?.bytes(self.version, &what)?;
        Ok(match request.algorithm().scheme() {
            Scheme::Ecdsa => RawSignature::EcdsaDer(bytes),
            Scheme::RsaPkcs1v15 | Scheme::RsaPss => RawSignature::Rsa(bytes),
            Scheme::Ed25519 | Scheme::Ed25519ph => RawSignature::Ed25519(bytes),
        })
    }
}

/// What the server is asked: the version always, and of the rest nothing that it would choose by itself.
fn body(request: &SignRequest<'_>, version: u32, what: &str) -> Result<Value> {
    let mut body = json!({ "key_version": version });
    match request.input() {
        Input::Digest(digest) | Input::Hashed(digest, _) => {
            body["input"] = STANDARD.encode(digest.bytes()).into();
            body["prehashed"] = true.into();
            body["hash_algorithm"] = hash_name(digest.algorithm()).into();
        }
        Input::Message(message) if message.len() > MAX_MESSAGE_BYTES => {
            return Err(Error::new(ErrorKind::Unsupported, what)
                .why(format!("Ed25519 signs the whole file, and the server takes {MAX_MESSAGE_BYTES} bytes"))
                .hint("use an ECDSA or RSA key for large files: their digest is signed"));
        }
        Input::Message(message) => body["input"] = STANDARD.encode(message).into(),
    }
    match request.algorithm().scheme() {
        Scheme::Ecdsa => body["marshaling_algorithm"] = "asn1".into(),
        // Said always: without it the server takes PSS.
        Scheme::RsaPkcs1v15 => body["signature_algorithm"] = "pkcs1v15".into(),
        Scheme::RsaPss => {
            body["signature_algorithm"] = "pss".into();
            body["salt_length"] = "hash".into();
        }
        Scheme::Ed25519 | Scheme::Ed25519ph => {}
    }
    Ok(body)
}

/// The server's name of a hash.
fn hash_name(hash: HashAlgorithm) -> &'static str {
    match hash {
        HashAlgorithm::Sha256 => "sha2-256",
        HashAlgorithm::Sha384 => "sha2-384",
        HashAlgorithm::Sha512 => "sha2-512",
    }
}
