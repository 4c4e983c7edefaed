//! A version of a key, opened: its public half, what it signs, and how Cloud KMS is asked.

use countersign_core::backend::VerifyingKey;
use countersign_core::digest::HashAlgorithm;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::signer::{KeyInfo, RawSignature, SignRequest};
use countersign_core::{Algorithm, Input, KeyType, KeyUri, Location, OpenContext, PublicKey, Scheme, Signer};
use google_cloud_kms_v1::model;
use google_cloud_kms_v1::model::crypto_key_version::CryptoKeyVersionState;
use google_cloud_kms_v1::model::{AsymmetricSignRequest, Digest};

use crate::client::{Kms, incomplete};
use crate::crc32c::checksum;
use crate::purpose;
use crate::uri::{GcpUri, version_of};

/// The longest message that Cloud KMS signs ("Quotas" in its documentation: 64 KiB).
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// How the only enabled versions are asked for.
const ENABLED: &str = "state=ENABLED";

/// A version as `GetPublicKey` tells it.
pub(crate) struct Opened {
    /// Names the version.
    pub(crate) uri: GcpUri,
    pub(crate) name: String,
    pub(crate) public_key: PublicKey,
    /// The one that it signs with.
    pub(crate) algorithm: Algorithm,
    /// `SOFTWARE`, `HSM`, `EXTERNAL` …
    pub(crate) protection: String,
}

/// Opens a key for signing: one call with a version in the URI, else two.
pub(crate) fn open<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
    let (parsed, kms) = connect(uri, context)?;
    let opened = fetch(&parsed, &kms, &format!("open {uri}"))?;
    let mut info =
        KeyInfo::new(opened.uri.to_string(), opened.public_key, vec![opened.algorithm], Location::Service);
    info.version = opened.uri.version.map(|version| version.to_string());
    Ok(Box::new(GcpSigner { kms, name: opened.name, info }))
}

/// The public half of a key and its one algorithm, for as many calls.
pub(crate) fn verifying_key(uri: &KeyUri, context: &OpenContext<'_>) -> Result<VerifyingKey> {
    let (parsed, kms) = connect(uri, context)?;
    let opened = fetch(&parsed, &kms, &format!("read the public key of {uri}"))?;
    Ok(VerifyingKey { public_key: opened.public_key, algorithm: Some(opened.algorithm) })
}

/// A URI that must name a key, and its service.
pub(crate) fn connect<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<(GcpUri, Kms<'a>)> {
    let parsed = GcpUri::parse(uri)?;
    if parsed.key.is_none() {
        return Err(Error::new(ErrorKind::BadUri, format!("cannot open {uri}"))
            .why("it names no key")
            .hint(format!("list the keys with: countersign keys list '{uri}'")));
    }
    let kms = Kms::new(&parsed, context)?;
    Ok((parsed, kms))
}

/// Settles the version, reads it, and checks that the answer is of the version that was asked for.
pub(crate) fn fetch(uri: &GcpUri, kms: &Kms<'_>, act: &str) -> Result<Opened> {
    let key = uri.key_name().ok_or_else(|| incomplete(act, "no key is named"))?;
    let version = match uri.version {
        Some(version) => version,
        None => newest(&key, kms, act)?,
    };
    let name = format!("{key}/cryptoKeyVersions/{version}");
    let answer = kms.public_key(&name, act).map_err(|error| of_purpose(error, &name, kms, act))?;
    parse(answer, uri.with_version(version), name, act)
}

/// A key for encryption has no public half, which the service says in words of its own: one more call tells what it is for.
fn of_purpose(error: Error, name: &str, kms: &Kms<'_>, act: &str) -> Error {
    if !matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::KeyState) {
        return error;
    }
    // Reading a public key does not entail the permission for this; what was said first is told then.
    let Ok(version) = kms.version(name, act) else { return error };
    match version.algorithm.name() {
        Some(algorithm) if purpose::other_than_signing(algorithm).is_some() => {
            purpose::refusal(algorithm, act)
        }
        _ => error,
    }
}

/// The newest enabled version, as in Cosign v3.1.3, which has no other rule: an asymmetric key has no primary version.
fn newest(key: &str, kms: &Kms<'_>, act: &str) -> Result<u64> {
    let mut newest = None;
    for version in kms.versions(key, ENABLED, act)? {
        let Some(number) = version_of(&version.name, key) else {
            return Err(incomplete(
                act,
                &format!(
                    "Cloud KMS answers for another key: expected {key}, found {}",
                    version.name.escape_debug()
                ),
            ));
        };
        if let Some(algorithm) = version.algorithm.name()
            && purpose::other_than_signing(algorithm).is_some()
        {
            return Err(purpose::refusal(algorithm, act));
        }
        if version.state == CryptoKeyVersionState::Enabled {
            newest = newest.max(Some(number));
        }
    }
    match newest {
        Some(version) => Ok(version),
        None => Err(none_enabled(key, kms, act)),
    }
}

/// Says what the versions are, since none is enabled: one more call.
fn none_enabled(key: &str, kms: &Kms<'_>, act: &str) -> Error {
    let all = match kms.versions(key, "", act) {
        Ok(all) => all,
        Err(error) => return error,
    };
    let mut states: Vec<_> =
        all.iter().filter_map(|one| Some((version_of(&one.name, key)?, state_name(&one.state)))).collect();
    states.sort();
    let shown: Vec<_> =
        states.iter().rev().take(5).map(|(number, state)| format!("version {number} is {state}")).collect();
    let error = Error::new(ErrorKind::KeyState, format!("cannot {act}"));
    if shown.is_empty() {
        return error.why("the key has no versions").hint("make one with: gcloud kms keys versions create");
    }
    error
        .why(format!("no version of the key is enabled: {}", shown.join(", ")))
        .hint("gcloud kms keys versions enable (or restore, before it is destroyed) brings a version back")
}

/// The service's name of a state.
pub(crate) fn state_name(state: &CryptoKeyVersionState) -> String {
    state.name().map_or_else(|| "in an unknown state".to_owned(), str::to_owned)
}

fn parse(answer: model::PublicKey, uri: GcpUri, name: String, act: &str) -> Result<Opened> {
    let what = format!("cannot {act}");
    if answer.name != name {
        return Err(incomplete(
            act,
            &format!(
                "Cloud KMS answers for another version: expected {name}, found {}",
                answer.name.escape_debug()
            ),
        ));
    }
    let called = answer.algorithm.name().unwrap_or("unknown").to_owned();
    let Some(algorithm) = Algorithm::all().find(|one| service_name(*one) == Some(called.as_str())) else {
        return Err(purpose::refusal(&called, act));
    };
    if answer.pem_crc32c != Some(checksum(answer.pem.as_bytes())) {
        return Err(incomplete(act, "the public key changed on the way: its CRC-32C does not match"));
    }
    let public_key =
        PublicKey::from_pem_or_der(answer.pem.as_bytes()).map_err(|error| error.within(what.clone()))?;
    if public_key.key_type() != algorithm.key_type() {
        let why = format!("the answer says {called}, and its public key is {}", public_key.key_type());
        return Err(incomplete(act, &why));
    }
    let protection = answer.protection_level.name().unwrap_or("unknown").to_owned();
    Ok(Opened { uri, name, public_key, algorithm, protection })
}

/// A version of a key in Cloud KMS.
struct GcpSigner<'a> {
    kms: Kms<'a>,
    name: String,
    info: KeyInfo,
}

impl Signer for GcpSigner<'_> {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        let act = format!("sign with {}", self.info.uri);
        let algorithm = request.algorithm();
        let ask = AsymmetricSignRequest::new().set_name(&self.name);
        let ask = match request.input() {
            Input::Digest(digest) | Input::Hashed(digest, _) => {
                let bytes = digest.bytes().to_vec();
                let crc = checksum(&bytes);
                let digest = match algorithm.hash() {
                    Some(HashAlgorithm::Sha256) => Digest::new().set_sha256(bytes),
                    Some(HashAlgorithm::Sha384) => Digest::new().set_sha384(bytes),
                    Some(HashAlgorithm::Sha512) => Digest::new().set_sha512(bytes),
                    None => return Err(Error::internal(format!("{algorithm} signs no digest"))),
                };
                ask.set_digest(digest).set_digest_crc32c(crc)
            }
            Input::Message(message) if message.len() > MAX_MESSAGE_BYTES => {
                return Err(Error::new(ErrorKind::Unsupported, format!("cannot {act}"))
                    .why(format!(
                        "Ed25519 signs the whole file, and Cloud KMS takes {MAX_MESSAGE_BYTES} bytes"
                    ))
                    .hint("use an ECDSA or RSA key for larger files: their digest is signed"));
            }
            Input::Message(message) => ask.set_data(message.to_vec()).set_data_crc32c(checksum(message)),
        };
        let takes_message = algorithm.signs_message();
        let answer = self.kms.sign(&ask, &act)?;
        if answer.name != self.name {
            let why = format!(
                "Cloud KMS signed with another version: expected {}, found {}",
                self.name,
                answer.name.escape_debug()
            );
            return Err(incomplete(&act, &why));
        }
        let arrived = if takes_message { answer.verified_data_crc32c } else { answer.verified_digest_crc32c };
        if !arrived {
            return Err(incomplete(&act, "Cloud KMS does not say that what it signed arrived whole"));
        }
        if answer.signature_crc32c != Some(checksum(&answer.signature)) {
            return Err(incomplete(&act, "the signature changed on the way: its CRC-32C does not match"));
        }
        let bytes = answer.signature.to_vec();
        Ok(match algorithm.scheme() {
            Scheme::Ecdsa => RawSignature::EcdsaDer(bytes),
            Scheme::RsaPkcs1v15 | Scheme::RsaPss => RawSignature::Rsa(bytes),
            Scheme::Ed25519 | Scheme::Ed25519ph => RawSignature::Ed25519(bytes),
        })
    }
}

/// The service's name of an algorithm; `None` where it has none. A version has one algorithm, hash and padding included; what
/// it calls PSS has a salt as long as the hash.
pub(crate) fn service_name(algorithm: Algorithm) -> Option<&'static str> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    Some(match (algorithm.scheme(), algorithm.key_type(), algorithm.hash()) {
        (Scheme::Ecdsa, KeyType::P256, Some(Sha256)) => "EC_SIGN_P256_SHA256",
        (Scheme::Ecdsa, KeyType::P384, Some(Sha384)) => "EC_SIGN_P384_SHA384",
        (Scheme::RsaPkcs1v15, KeyType::Rsa2048, Some(Sha256)) => "RSA_SIGN_PKCS1_2048_SHA256",
        (Scheme::RsaPkcs1v15, KeyType::Rsa3072, Some(Sha256)) => "RSA_SIGN_PKCS1_3072_SHA256",
        (Scheme::RsaPkcs1v15, KeyType::Rsa4096, Some(Sha256)) => "RSA_SIGN_PKCS1_4096_SHA256",
        (Scheme::RsaPkcs1v15, KeyType::Rsa4096, Some(Sha512)) => "RSA_SIGN_PKCS1_4096_SHA512",
        (Scheme::RsaPss, KeyType::Rsa2048, Some(Sha256)) => "RSA_SIGN_PSS_2048_SHA256",
        (Scheme::RsaPss, KeyType::Rsa3072, Some(Sha256)) => "RSA_SIGN_PSS_3072_SHA256",
        (Scheme::RsaPss, KeyType::Rsa4096, Some(Sha256)) => "RSA_SIGN_PSS_4096_SHA256",
        (Scheme::RsaPss, KeyType::Rsa4096, Some(Sha512)) => "RSA_SIGN_PSS_4096_SHA512",
        (Scheme::Ed25519, ..) => "EC_SIGN_ED25519",
        (Scheme::Ecdsa | Scheme::RsaPkcs1v15 | Scheme::RsaPss | Scheme::Ed25519ph, ..) => return None,
    })
}
