//! Signs images: what is signed, and where it goes in each layout.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Algorithm, Certificate, Digest, HashAlgorithm, Signer};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::tags::{self, Layer};
use crate::attest;
use crate::bundle::{self, Content};
use crate::services::Testimony;
use crate::sign::{SignedBlob, SigningKey, sign_bytes};
use crate::verify::{Envelope, SIGNATURE, SIMPLE_SIGNING};

/// What a signature says of an image, beside which one it is.
pub type Annotations = BTreeMap<String, String>;

/// The statement that is an image's signature, as Cosign 3 writes it.
pub fn statement(image: &Digest, annotations: &Annotations) -> Vec<u8> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { image.algorithm().name(): image.hex() }, "annotations": annotations }],
        "predicateType": SIGNATURE,
        "predicate": {},
    });
    statement.to_string().into_bytes()
}

#[derive(Serialize)]
struct Claims<'a> {
    critical: Critical<'a>,
    optional: Option<Map<String, Value>>,
}

#[derive(Serialize)]
struct Critical<'a> {
    identity: BTreeMap<&'static str, &'a str>,
    image: BTreeMap<&'static str, String>,
    r#type: &'static str,
}

/// The claims that are an image's signature in the older layout. `reference` names the repository.
pub fn claims(reference: &str, image: &Digest, annotations: &Annotations) -> Vec<u8> {
    let said: Map<_, _> = annotations.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let claims = Claims {
        critical: Critical {
            identity: [("docker-reference", reference)].into(),
            image: [("docker-manifest-digest", image.to_string())].into(),
            r#type: SIMPLE_SIGNING,
        },
        optional: (!said.is_empty()).then_some(said),
    };
    serde_json::to_vec(&claims).expect("structs of strings always serialise into memory")
}

/// The algorithm for the older layout: with SHA-256, which its readers take for granted whatever the key; else what the key
/// does, and the reason to warn.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where the key does nothing that we know.
pub fn older_algorithm(signer: &dyn Signer) -> Result<(Algorithm, Option<String>)> {
    let info = signer.info();
    let own = info.public_key.key_type();
    let usual = Algorithm::with_hash(own, HashAlgorithm::Sha256).filter(|one| info.algorithms.contains(one));
    if let Some(usual) = usual {
        return Ok((usual, None));
    }
    let other = info.algorithms.first().copied().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, format!("cannot sign with {}", info.uri))
            .why("the key does no algorithm that we know")
    })?;
    let why = format!(
        "{} signs with {other}: most readers of the older layout expect SHA-256 and must be told otherwise",
        info.uri
    );
    Ok((other, Some(why)))
}

/// Signs claims. Costs one operation of the key.
///
/// # Errors
/// Those of the signer and of the services.
pub fn sign_claims(
    key: &SigningKey<'_>,
    algorithm: Algorithm,
    claims: Vec<u8>,
) -> Result<(Layer, Testimony)> {
    let SignedBlob { signature, digest } = sign_bytes(&*key.signer, algorithm, &claims)?;
    let testimony =
        key.witness_as(algorithm, Content::Artifact(&digest, signature.bytes()), signature.bytes())?;
    let mut annotations = beside(key, &testimony)?;
    annotations.insert(tags::SIGNATURE.to_owned(), STANDARD.encode(signature.bytes()));
    Ok((Layer { media_type: tags::SIMPLE_SIGNING, content: claims, annotations }, testimony))
}

/// The layer of an attestation in the older layout.
///
/// # Errors
/// Those of a certificate that cannot be read.
pub fn attestation(
    key: &SigningKey<'_>,
    envelope: &Envelope,
    predicate_type: &str,
    testimony: &Testimony,
) -> Result<Layer> {
    let mut annotations = beside(key, testimony)?;
    annotations.insert(tags::SIGNATURE.to_owned(), String::new());
    annotations.insert(tags::PREDICATE_TYPE.to_owned(), predicate_type.to_owned());
    Ok(Layer { media_type: tags::ENVELOPE, content: envelope.to_json(), annotations })
}

/// Signs a statement and has it witnessed. Costs one operation of the key.
///
/// # Errors
/// Those of the signer and of the services.
pub fn sign_statement(key: &SigningKey<'_>, statement: Vec<u8>) -> Result<(Envelope, Testimony)> {
    let envelope = attest::sign(&*key.signer, key.algorithm, statement)?;
    let testimony = key.witness(Content::Envelope(&envelope), &envelope.signature)?;
    Ok((envelope, testimony))
}

/// The notes on a layer that are not the signature itself. The chain is filled, though Cosign 3 leaves it empty: Ratify and
/// containers/image need it.
fn beside(key: &SigningKey<'_>, testimony: &Testimony) -> Result<Annotations> {
    let mut notes = Annotations::new();
    if let Some(pem) = key.certificate_pem()? {
        notes.insert(tags::CERTIFICATE.to_owned(), pem);
        let chain: Vec<_> =
            key.certified.chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<_>>()?;
        notes.insert(tags::CHAIN.to_owned(), chain.iter().map(Certificate::to_pem).collect());
    }
    if let Some(entry) = testimony.entries.first() {
        notes.insert(tags::BUNDLE.to_owned(), bundle::promise(entry).to_string());
    }
    if let Some(stamp) = testimony.timestamps.first() {
        let json = bundle::timestamp_json(stamp);
        notes.insert(tags::TIMESTAMP.to_owned(), String::from_utf8_lossy(&json).into_owned());
    }
    Ok(notes)
}
