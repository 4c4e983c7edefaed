//! A key, opened: its public half, what it signs, and how the vault is asked.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use azure_core::time::to_rfc3339;
use azure_security_keyvault_keys::models::{
    CurveName, JsonWebKey, Key, KeyAttributes, KeyType as ServiceType, SignatureAlgorithm,
};
use countersign_core::digest::HashAlgorithm;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::Endpoint;
use countersign_core::signer::{KeyInfo, RawSignature, SignRequest};
use countersign_core::{Algorithm, Input, KeyType, KeyUri, Location, OpenContext, PublicKey, Scheme, Signer};

use crate::client::{Vault, incomplete};
use crate::uri::AzureUri;

/// One version of a key, as the vault tells it.
pub(crate) struct Opened {
    /// Host, name and version, whatever the URI left open.
    pub(crate) pinned: AzureUri,
    /// The version's id, which each answer must bear.
    kid: String,
    pub(crate) public_key: PublicKey,
    /// Whether it lives in hardware, which has a smaller quota.
    pub(crate) is_hardware: bool,
    /// Why it does not sign now, if so: kind, cause, next step.
    pub(crate) refusal: Option<(ErrorKind, String, Option<String>)>,
}

impl Opened {
    pub(crate) fn version(&self) -> &str {
        self.pinned.version.as_deref().unwrap_or_default()
    }

    /// What it signs, the default first: a curve with its own hash alone.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        self.public_key.key_type().algorithms().filter(|one| service_name(*one).is_some()).collect()
    }

    /// Four fifths of the vault's quota for this kind of key, in a second (learn.microsoft.com, "Azure Key Vault service
    /// limits": transactions in ten seconds, per vault and region).
    fn max_rate(&self) -> Option<NonZeroU32> {
        let software = match self.public_key.key_type() {
            KeyType::Rsa3072 => 80,
            KeyType::Rsa4096 => 40,
            KeyType::P256 | KeyType::P384 | KeyType::P521 | KeyType::Rsa2048 | KeyType::Ed25519 => 320,
        };
        NonZeroU32::new(if self.is_hardware { software / 2 } else { software })
    }
}

/// Opens a key for signing: one call, and before it the challenge and the login.
pub(crate) fn open<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
    let (parsed, vault) = connect(uri, context)?;
    let act = format!("open {uri}");
    let opened = fetch(&parsed, &vault, &act)?;
    if let Some((kind, why, hint)) = &opened.refusal {
        let error = Error::new(*kind, format!("cannot {act}")).why(why.clone());
        return Err(if let Some(hint) = hint { error.hint(hint.clone()) } else { error });
    }
    let vault = vault.paced(opened.max_rate());
    let algorithms = opened.algorithms();
    let mut info = KeyInfo::new(opened.pinned.to_string(), opened.public_key, algorithms, Location::Service);
    info.version.clone_from(&opened.pinned.version);
    Ok(Box::new(AzureSigner { vault, pinned: opened.pinned, kid: opened.kid, info }))
}

/// The public half of a key: one call, as above. A key that may not sign now still verifies.
pub(crate) fn public_key(uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
    let (parsed, vault) = connect(uri, context)?;
    fetch(&parsed, &vault, &format!("read the public key of {uri}")).map(|opened| opened.public_key)
}

/// A URI that must name a key, and its vault.
pub(crate) fn connect<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<(AzureUri, Vault<'a>)> {
    let parsed = AzureUri::parse(uri)?;
    if parsed.key.is_empty() {
        return Err(Error::new(ErrorKind::BadUri, format!("cannot open {uri}"))
            .why("it names no key")
            .hint(format!("write azurekms://HOST/KEY; list the keys with: countersign keys list '{uri}'")));
    }
    let vault = Vault::new(&parsed, context)?;
    Ok((parsed, vault))
}

/// Reads a key and checks that the answer is of the key that was asked for.
pub(crate) fn fetch(uri: &AzureUri, vault: &Vault<'_>, act: &str) -> Result<Opened> {
    let now = vault.context().clock.now();
    parse(vault.key(&uri.key, uri.version.as_deref(), act)?, uri, act, now)
}

/// Reads a key as the vault tells it, `now` being the time for which its state counts.
pub(crate) fn parse(answer: Key, uri: &AzureUri, act: &str, now: SystemTime) -> Result<Opened> {
    let key = answer.key.ok_or_else(|| incomplete(act, "the answer has no key"))?;
    let kid = key.kid.clone().unwrap_or_default();
    let pinned = pin(&kid, uri).ok_or_else(|| {
        let found = kid.escape_debug().take(200).collect::<String>();
        incomplete(act, &format!("the vault answers for another key: expected {uri}, found {found}"))
    })?;
    let public_key = read_public_key(&key, act)?;
    let is_hardware = matches!(key.kty, Some(ServiceType::EcHsm | ServiceType::RsaHsm));
    let refusal = refusal(&key, answer.attributes.as_ref(), &pinned, now);
    Ok(Opened { pinned, kid, public_key, is_hardware, refusal })
}

/// The key that an id names, if it is the URI's, in its version: `https://HOST/keys/NAME/VERSION`.
fn pin(kid: &str, uri: &AzureUri) -> Option<AzureUri> {
    let (origin, path) = kid.split_once("/keys/")?;
    let (name, version) = path.split_once('/')?;
    let origin_of = |text: &str| Endpoint::parse(text, "an id").ok().map(|one| one.to_string());
    let same_host = origin_of(origin)? == origin_of(&format!("https://{}", uri.host))?;
    // Names in Key Vault are not told apart by the case of their letters.
    let same_name = uri.key.is_empty() || name.eq_ignore_ascii_case(&uri.key);
    let same_version = uri.version.as_ref().is_none_or(|wanted| wanted == version);
    let pinned = uri.pinned(name, version);
    let parses = KeyUri::parse(&pinned.to_string()).and_then(|uri| AzureUri::parse(&uri));
    let is_good = parses.is_ok_and(|parsed| parsed == pinned) && !version.is_empty();
    (same_host && same_name && same_version && is_good).then_some(pinned)
}

/// RFC 7517, 7518 6: numbers big-endian, whose leading zeros some leave out.
fn read_public_key(key: &JsonWebKey, act: &str) -> Result<PublicKey> {
    let what = format!("cannot {act}");
    let part = |part: &Option<Vec<u8>>, name: &str| {
        part.clone().ok_or_else(|| incomplete(act, &format!("the answer's key has no {name}")))
    };
    let unknown = |kind: &str| {
        Error::new(ErrorKind::Unsupported, what.clone())
            .why(format!("the key is of type {}, with which nothing is signed here", kind.escape_debug()))
            .hint("make a key for signing, as with: countersign generate-key-pair --kms azurekms://HOST/KEY")
    };
    let read = match &key.kty {
        Some(ServiceType::Ec | ServiceType::EcHsm) => {
            let key_type = match &key.crv {
                Some(CurveName::P256) => KeyType::P256,
                Some(CurveName::P384) => KeyType::P384,
                Some(CurveName::P521) => KeyType::P521,
                Some(other) => return Err(unknown(&format!("EC {}", other.as_ref()))),
                None => return Err(incomplete(act, "the answer's key has no curve")),
            };
            let width = key_type.field_bytes().unwrap_or_default();
            let mut point = vec![4];
            for (number, name) in [(part(&key.x, "x")?, "x"), (part(&key.y, "y")?, "y")] {
                let Some(zeros) = width.checked_sub(number.len()) else {
                    return Err(incomplete(act, &format!("the answer's {name} is too long for {key_type}")));
                };
                point.extend(std::iter::repeat_n(0, zeros));
                point.extend(number);
            }
            PublicKey::from_parts(key_type, point)
        }
        Some(ServiceType::Rsa | ServiceType::RsaHsm) => {
            PublicKey::from_rsa_numbers(&part(&key.n, "n")?, &part(&key.e, "e")?)
        }
        Some(other) => return Err(unknown(other.as_ref())),
        None => return Err(incomplete(act, "the answer's key has no type")),
    };
    read.map_err(|error| error.within(what))
}

/// Why a key does not sign now. The vault would refuse it too, at the first signature.
fn refusal(
    key: &JsonWebKey,
    attributes: Option<&KeyAttributes>,
    pinned: &AzureUri,
    now: SystemTime,
) -> Option<(ErrorKind, String, Option<String>)> {
    let state = |why: String, hint: String| Some((ErrorKind::KeyState, why, Some(hint)));
    let seconds = |time: i64| UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(time).unwrap_or(0)));
    if let Some(attributes) = attributes {
        let id = format!(
            "https://{}/keys/{}/{}",
            pinned.host,
            pinned.key,
            pinned.version.as_deref().unwrap_or_default()
        );
        if attributes.enabled == Some(false) {
            let enable = format!(
                "somebody who may enables it with: az keyvault key set-attributes --id {id} --enabled true"
            );
            return state("the key is disabled".to_owned(), enable);
        }
        if let Some(from) = attributes.not_before
            && seconds(from.unix_timestamp()).is_none_or(|from| now < from)
        {
            let why = format!("the key is not yet valid: its activation date is {}", to_rfc3339(&from));
            return state(why, "wait for it, or take another version".to_owned());
        }
        if let Some(until) = attributes.expires
            && seconds(until.unix_timestamp()).is_some_and(|until| now >= until)
        {
            let rotate = format!(
                "rotate it with: az keyvault key rotate --id https://{}/keys/{}",
                pinned.host, pinned.key
            );
            return state(format!("the key expired at {}", to_rfc3339(&until)), rotate);
        }
    }
    let allowed = key.key_ops.as_ref()?;
    if allowed.iter().any(|one| one == "sign") {
        return None;
    }
    let only =
        if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ").escape_debug().collect() };
    let hint = "make a key that signs, as with: countersign generate-key-pair --kms azurekms://HOST/KEY";
    Some((ErrorKind::Unsupported, format!("the key is for {only}, not for sign"), Some(hint.to_owned())))
}

/// A key in a vault.
struct AzureSigner<'a> {
    vault: Vault<'a>,
    pinned: AzureUri,
    kid: String,
    info: KeyInfo,
}

impl Signer for AzureSigner<'_> {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        let act = format!("sign with {}", self.info.uri);
        let algorithm = request.algorithm();
        let Some(name) = service_name(algorithm) else {
            return Err(Error::internal(format!("{algorithm} was offered and Key Vault has no name for it")));
        };
        let (Input::Digest(digest) | Input::Hashed(digest, _)) = request.input() else {
            return Err(Error::internal(format!("{algorithm} was given a message")));
        };
        let version = self.pinned.version.as_deref().unwrap_or_default();
        let answer = self.vault.sign(&self.pinned.key, version, name, digest.bytes(), &act)?;
        let by = answer.kid.unwrap_or_default();
        if by != self.kid {
            let found = by.escape_debug().take(200).collect::<String>();
            let why =
                format!("the vault signed with another key or version: expected {}, found {found}", self.kid);
            return Err(incomplete(&act, &why));
        }
        let bytes = answer.result.ok_or_else(|| incomplete(&act, "the answer has no signature"))?;
        Ok(match algorithm.scheme() {
            // RFC 7518 3.4, not ASN.1.
            Scheme::Ecdsa => RawSignature::EcdsaFixed(bytes),
            Scheme::RsaPkcs1v15 | Scheme::RsaPss => RawSignature::Rsa(bytes),
            Scheme::Ed25519 | Scheme::Ed25519ph => RawSignature::Ed25519(bytes),
        })
    }
}

/// The service's name of an algorithm (RFC 7518 3.1); `None` where it has none. A curve goes with its own hash alone there, an
/// RSA key of any size with each hash, and PSS has a salt as long as the hash.
fn service_name(algorithm: Algorithm) -> Option<SignatureAlgorithm> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    Some(match (algorithm.scheme(), algorithm.key_type(), algorithm.hash()) {
        (Scheme::Ecdsa, KeyType::P256, Some(Sha256)) => SignatureAlgorithm::Es256,
        (Scheme::Ecdsa, KeyType::P384, Some(Sha384)) => SignatureAlgorithm::Es384,
        (Scheme::Ecdsa, KeyType::P521, Some(Sha512)) => SignatureAlgorithm::Es512,
        (Scheme::RsaPkcs1v15, _, Some(Sha256)) => SignatureAlgorithm::Rs256,
        (Scheme::RsaPkcs1v15, _, Some(Sha384)) => SignatureAlgorithm::Rs384,
        (Scheme::RsaPkcs1v15, _, Some(Sha512)) => SignatureAlgorithm::Rs512,
        (Scheme::RsaPss, _, Some(Sha256)) => SignatureAlgorithm::Ps256,
        (Scheme::RsaPss, _, Some(Sha384)) => SignatureAlgorithm::Ps384,
        (Scheme::RsaPss, _, Some(Sha512)) => SignatureAlgorithm::Ps512,
        (Scheme::Ecdsa | Scheme::RsaPkcs1v15 | Scheme::RsaPss | Scheme::Ed25519 | Scheme::Ed25519ph, ..) => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests;
