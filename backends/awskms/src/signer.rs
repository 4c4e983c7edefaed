//! A key, opened: its public half, what it signs, and how KMS is asked.

use aws_sdk_kms::operation::get_public_key::GetPublicKeyOutput;
use aws_sdk_kms::types::{KeyUsageType, MessageType};
use countersign_core::digest::HashAlgorithm;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::signer::{KeyInfo, RawSignature, SignRequest};
use countersign_core::{Algorithm, Input, KeyType, KeyUri, Location, OpenContext, PublicKey, Scheme, Signer};

use crate::client::{Kms, incomplete};
use crate::uri::AwsUri;

/// The longest message that pure Ed25519 signs (Sign, "Message", in the AWS KMS API reference).
const MAX_MESSAGE_BYTES: usize = 4096;

/// A key as `GetPublicKey` tells it.
pub(crate) struct Opened {
    /// The ARN of the key itself, which an alias may cease to name.
    pub(crate) arn: String,
    pub(crate) public_key: PublicKey,
    /// What it signs, the default first.
    pub(crate) algorithms: Vec<Algorithm>,
}

/// Opens a key for signing: one call.
pub(crate) fn open<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>> {
    let (parsed, kms) = connect(uri, context)?;
    let opened = fetch(&parsed, &kms, &format!("open {uri}"))?;
    let canonical = canonical(&parsed, &opened.arn).to_string();
    let info = KeyInfo::new(canonical, opened.public_key, opened.algorithms, Location::Service);
    Ok(Box::new(AwsSigner { kms, arn: opened.arn, info }))
}

/// The public half of a key: one call.
pub(crate) fn public_key(uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
    let (parsed, kms) = connect(uri, context)?;
    fetch(&parsed, &kms, &format!("read the public key of {uri}")).map(|opened| opened.public_key)
}

/// A URI that must name a key, and its service.
pub(crate) fn connect<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<(AwsUri, Kms<'a>)> {
    let parsed = AwsUri::parse(uri)?;
    if parsed.key.is_empty() {
        return Err(Error::new(ErrorKind::BadUri, format!("cannot open {uri}"))
            .why("it names no key")
            .hint(format!("write awskms:///alias/NAME; list the keys with: countersign keys list '{uri}'")));
    }
    let kms = Kms::new(&parsed, context)?;
    Ok((parsed, kms))
}

/// Reads a key and checks that the answer is of the key that was asked for.
pub(crate) fn fetch(uri: &AwsUri, kms: &Kms<'_>, act: &str) -> Result<Opened> {
    parse(kms.public_key(&uri.key, act)?, uri, act)
}

/// The same key by its own ARN, which names it wherever the environment points.
pub(crate) fn canonical(uri: &AwsUri, arn: &str) -> AwsUri {
    AwsUri { key: arn.to_owned(), region: None, ..uri.clone() }
}

fn parse(answer: GetPublicKeyOutput, uri: &AwsUri, act: &str) -> Result<Opened> {
    let what = format!("cannot {act}");
    let arn = answer.key_id.unwrap_or_default();
    let named = AwsUri { key: arn.clone(), ..AwsUri::default() };
    let id = uri.key.rsplit_once(":key/").map_or(uri.key.as_str(), |(_, id)| id);
    let same = named.arn_region().is_some()
        && (uri.is_alias()
            || arn == uri.key
            || (!uri.key.starts_with("arn:") && arn.ends_with(&format!(":key/{id}"))));
    if !same {
        return Err(incomplete(
            act,
            &format!("KMS answers for another key: expected {}, found {}", uri.key, arn.escape_debug()),
        ));
    }
    if answer.key_usage != Some(KeyUsageType::SignVerify) {
        let usage = answer.key_usage.map_or_else(|| "nothing".to_owned(), |usage| usage.as_str().to_owned());
        return Err(Error::new(ErrorKind::Unsupported, what)
            .why(format!("the key is for {usage}, not for SIGN_VERIFY"))
            .hint(
                "make a key for signing, as with: countersign generate-key-pair --kms awskms:///alias/NAME",
            ));
    }
    let spec = answer.key_spec.map_or_else(String::new, |spec| spec.as_str().to_owned());
    let Some(key_type) = KeyType::ALL.into_iter().find(|one| spec_name(*one) == spec) else {
        return Err(Error::new(ErrorKind::Unsupported, what)
            .why(format!("the key is of type {}, with which nothing is signed here", spec.escape_debug())));
    };
    let der = answer.public_key.ok_or_else(|| incomplete(act, "the answer has no public key"))?;
    let public_key = PublicKey::from_spki_der(der.as_ref()).map_err(|error| error.within(what.clone()))?;
    if public_key.key_type() != key_type {
        let why = format!("the answer says {key_type}, and its public key is {}", public_key.key_type());
        return Err(incomplete(act, &why));
    }
    let offered = answer.signing_algorithms.unwrap_or_default();
    let offers = |name: &str| offered.iter().any(|offered| offered.as_str() == name);
    let algorithms: Vec<_> =
        key_type.algorithms().filter(|one| service_name(*one).is_some_and(offers)).collect();
    if algorithms.is_empty() {
        return Err(
            Error::new(ErrorKind::Unsupported, what).why("KMS names no algorithm of this key that we know")
        );
    }
    Ok(Opened { arn, public_key, algorithms })
}

/// A key in KMS.
struct AwsSigner<'a> {
    kms: Kms<'a>,
    arn: String,
    info: KeyInfo,
}

impl Signer for AwsSigner<'_> {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        let act = format!("sign with {}", self.info.uri);
        let algorithm = request.algorithm();
        let Some(name) = service_name(algorithm) else {
            return Err(Error::internal(format!("{algorithm} was offered and KMS has no name for it")));
        };
        let (bytes, kind) = match request.input() {
            Input::Digest(digest) | Input::Hashed(digest, _) => (digest.bytes(), MessageType::Digest),
            Input::Message(message) if message.len() > MAX_MESSAGE_BYTES => {
                return Err(Error::new(ErrorKind::Unsupported, format!("cannot {act}"))
                    .why(format!("Ed25519 signs the whole file, and KMS takes {MAX_MESSAGE_BYTES} bytes"))
                    .hint("use an ECDSA or RSA key for larger files: their digest is signed"));
            }
            Input::Message(message) => (message, MessageType::Raw),
        };
        let answer = self.kms.sign(&self.arn, name, bytes, &kind, &act)?;
        let by = answer.key_id.unwrap_or_default();
        if by != self.arn {
            let why =
                format!("KMS signed with another key: expected {}, found {}", self.arn, by.escape_debug());
            return Err(incomplete(&act, &why));
        }
        if answer.signing_algorithm.as_ref().is_some_and(|done| done.as_str() != name) {
            return Err(incomplete(&act, "KMS signed with another algorithm than was asked for"));
        }
        let bytes =
            answer.signature.ok_or_else(|| incomplete(&act, "the answer has no signature"))?.into_inner();
        Ok(match algorithm.scheme() {
            Scheme::Ecdsa => RawSignature::EcdsaDer(bytes),
            Scheme::RsaPkcs1v15 | Scheme::RsaPss => RawSignature::Rsa(bytes),
            Scheme::Ed25519 | Scheme::Ed25519ph => RawSignature::Ed25519(bytes),
        })
    }
}

/// The service's name of a type of key.
pub(crate) fn spec_name(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::P256 => "ECC_NIST_P256",
        KeyType::P384 => "ECC_NIST_P384",
        KeyType::P521 => "ECC_NIST_P521",
        KeyType::Rsa2048 => "RSA_2048",
        KeyType::Rsa3072 => "RSA_3072",
        KeyType::Rsa4096 => "RSA_4096",
        KeyType::Ed25519 => "ECC_NIST_EDWARDS25519",
    }
}

/// The service's name of an algorithm; `None` where it has none. A curve goes with its own hash alone there, and what it
/// calls PSS has a salt as long as the hash.
fn service_name(algorithm: Algorithm) -> Option<&'static str> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    let name = match (algorithm.scheme(), algorithm.key_type(), algorithm.hash()) {
        (Scheme::Ecdsa, KeyType::P256, Some(Sha256)) => "ECDSA_SHA_256",
        (Scheme::Ecdsa, KeyType::P384, Some(Sha384)) => "ECDSA_SHA_384",
        (Scheme::Ecdsa, KeyType::P521, Some(Sha512)) => "ECDSA_SHA_512",
        (Scheme::RsaPkcs1v15, _, Some(Sha256)) => "RSASSA_PKCS1_V1_5_SHA_256",
        (Scheme::RsaPkcs1v15, _, Some(Sha384)) => "RSASSA_PKCS1_V1_5_SHA_384",
        (Scheme::RsaPkcs1v15, _, Some(Sha512)) => "RSASSA_PKCS1_V1_5_SHA_512",
        (Scheme::RsaPss, _, Some(Sha256)) => "RSASSA_PSS_SHA_256",
        (Scheme::RsaPss, _, Some(Sha384)) => "RSASSA_PSS_SHA_384",
        (Scheme::RsaPss, _, Some(Sha512)) => "RSASSA_PSS_SHA_512",
        (Scheme::Ed25519, ..) => "ED25519_SHA_512",
        // Ed25519ph is there in the real service alone: no stand-in has it, so it is not offered.
        (Scheme::Ecdsa | Scheme::RsaPkcs1v15 | Scheme::RsaPss | Scheme::Ed25519ph, ..) => return None,
    };
    Some(name)
}
