//! What a log entry says: whose signature over what. Rekor version 1 (`hashedrekord`, `dsse` 0.0.1, `intoto` 0.0.1 and
//! 0.0.2) and version 2 (`hashedrekord`, `dsse` 0.0.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::certificate::Certificate;
use countersign_core::{Digest, HashAlgorithm, PublicKey};
use serde_json::Value;

use super::material::Envelope;
use super::refusal::{Check, Refusal};
use crate::json;

/// An entry's body, taken apart.
pub(super) struct Body {
    /// `kind` and `apiVersion`, as `hashedrekord 0.0.1`.
    pub(super) kind: String,
    about: About,
    signatures: Vec<Logged>,
}

/// What the signatures are over.
enum About {
    /// The artifact, or for an envelope its pre-authentication encoding.
    Artifact(Digest),
    /// An envelope's payload.
    Payload(Digest),
    /// A whole envelope, as it was sent to the log; the payload too, where it is stated.
    Envelope(Digest, Option<Digest>),
}

/// One signature in an entry. `intoto` 0.0.1 names the verifier alone.
struct Logged {
    signature: Option<Vec<u8>>,
    verifier: Verifier,
}

enum Verifier {
    Certificate(Vec<u8>),
    Key(PublicKey),
}

/// The signature that an entry must be about.
pub(super) struct Subject<'a> {
    pub(super) signature: &'a [u8],
    pub(super) envelope: Option<&'a Envelope>,
    pub(super) claims: Option<&'a [u8]>,
    pub(super) key: &'a PublicKey,
    pub(super) certificate: Option<&'a Certificate>,
    /// Whether the signer is known by the certificate alone, so that the entry must name it too.
    pub(super) by_certificate: bool,
}

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Check::LogEntry`], naming the field.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let value = json::parse(bytes).map_err(bad)?;
        let kind = format!("{} {}", text(&value, "/kind")?, text(&value, "/apiVersion")?);
        let (about, signatures) = match kind.as_str() {
            "hashedrekord 0.0.1" => (
                About::Artifact(hex_digest(&value, "/spec/data/hash")?),
                vec![Logged {
                    signature: Some(base64(&value, "/spec/signature/content")?),
                    verifier: pem(&value, "/spec/signature/publicKey/content")?,
                }],
            ),
            "hashedrekord 0.0.2" => {
                let spec = at(&value, "/spec/hashedRekordV002")?;
                (
                    About::Artifact(proto_digest(spec, "/data")?),
                    vec![proto_signature(at(spec, "/signature")?)?],
                )
            }
            "dsse 0.0.1" => {
                let one = |one: &Value| {
                    let signature = Some(base64(one, "/signature")?);
                    Ok(Logged { signature, verifier: pem(one, "/verifier")? })
                };
                (
                    About::Payload(hex_digest(&value, "/spec/payloadHash")?),
                    list(&value, "/spec/signatures", one)?,
                )
            }
            "dsse 0.0.2" => {
                let spec = at(&value, "/spec/dsseV002")?;
                (
                    About::Payload(proto_digest(spec, "/payloadHash")?),
                    list(spec, "/signatures", proto_signature)?,
                )
            }
            "intoto 0.0.2" => {
                // The signature is base64 within base64: the log takes the envelope's text for bytes.
                let one = |one: &Value| {
                    let signature =
                        STANDARD.decode(base64(one, "/sig")?).map_err(|cause| bad(cause.to_string()))?;
                    Ok(Logged { signature: Some(signature), verifier: pem(one, "/publicKey")? })
                };
                let about = About::Payload(hex_digest(&value, "/spec/content/payloadHash")?);
                (about, list(&value, "/spec/content/envelope/signatures", one)?)
            }
            "intoto 0.0.1" => {
                let payload = value.pointer("/spec/content/payloadHash");
                let payload = payload.map(|_| hex_digest(&value, "/spec/content/payloadHash")).transpose()?;
                let about = About::Envelope(hex_digest(&value, "/spec/content/hash")?, payload);
                (about, vec![Logged { signature: None, verifier: pem(&value, "/spec/publicKey")? }])
            }
            _ => return Err(bad(format!("it is of the kind {kind}, which is not known here"))),
        };
        Ok(Self { kind, about, signatures })
    }

    /// Ties the entry to a signature: same bytes, same signer, same content. Gives the artifact's digest that the entry
    /// states, which the caller must hold against the artifact.
    ///
    /// # Errors
    /// [`Check::LogBinding`].
    pub(super) fn tie(&self, subject: &Subject<'_>) -> Result<Option<Digest>, Refusal> {
        let artifact = self.content(subject)?;
        let same =
            |one: &&Logged| one.signature.as_deref().is_none_or(|signature| signature == subject.signature);
        let Some(logged) = self.signatures.iter().find(same) else {
            return Err(unbound("this signature", "another signature"));
        };
        let signer = match (&logged.verifier, subject.certificate) {
            (Verifier::Certificate(der), Some(certificate)) => der == certificate.der(),
            (Verifier::Certificate(der), None) => {
                !subject.by_certificate
                    && Certificate::from_der(der).is_ok_and(|one| one.public_key() == subject.key)
            }
            (Verifier::Key(key), _) => !subject.by_certificate && key == subject.key,
        };
        if signer { Ok(artifact) } else { Err(unbound("this signer", "another certificate or key")) }
    }

    fn content(&self, subject: &Subject<'_>) -> Result<Option<Digest>, Refusal> {
        let holds = |stated: &Digest, bytes: &[u8]| stated.algorithm().digest(bytes) == *stated;
        let Some(envelope) = subject.envelope else {
            return match (&self.about, subject.claims) {
                (About::Artifact(digest), None) => Ok(Some(*digest)),
                (About::Artifact(digest), Some(claims)) if holds(digest, claims) => Ok(None),
                (About::Artifact(_), Some(_)) => Err(unbound("these claims", "other claims")),
                _ => Err(unbound("an artifact's signature", format!("an entry of the kind {}", self.kind))),
            };
        };
        let same = match &self.about {
            About::Artifact(digest) => holds(digest, &envelope.signed()),
            About::Payload(digest) => holds(digest, &envelope.payload),
            About::Envelope(digest, payload) => {
                payload.as_ref().is_none_or(|payload| holds(payload, &envelope.payload))
                    && envelope.as_sent().iter().any(|bytes| holds(digest, bytes.as_bytes()))
            }
        };
        if same { Ok(None) } else { Err(unbound("this envelope", "another envelope")) }
    }
}

fn bad(found: String) -> Refusal {
    Check::LogEntry.refuse("", found)
}

fn unbound(expected: &str, found: impl Into<String>) -> Refusal {
    Check::LogBinding.refuse(expected, found)
}

fn at<'a>(value: &'a Value, pointer: &str) -> Result<&'a Value, Refusal> {
    value.pointer(pointer).ok_or_else(|| bad(format!("it has no {pointer}")))
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, Refusal> {
    at(value, pointer)?.as_str().ok_or_else(|| bad(format!("its {pointer} is no text")))
}

fn base64(value: &Value, pointer: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD
        .decode(text(value, pointer)?)
        .map_err(|cause| bad(format!("its {pointer} is no base64: {cause}")))
}

fn list(
    value: &Value,
    pointer: &str,
    one: impl FnMut(&Value) -> Result<Logged, Refusal>,
) -> Result<Vec<Logged>, Refusal> {
    let list = at(value, pointer)?.as_array().ok_or_else(|| bad(format!("its {pointer} is no list")))?;
    list.iter().map(one).collect()
}

fn hex_digest(value: &Value, pointer: &str) -> Result<Digest, Refusal> {
    let name = text(value, &format!("{pointer}/algorithm"))?;
    let bytes = countersign_core::hexadecimal::from_hex(text(value, &format!("{pointer}/value"))?);
    digest(HashAlgorithm::ALL.into_iter().find(|hash| hash.name() == name), bytes, pointer)
}

fn proto_digest(value: &Value, pointer: &str) -> Result<Digest, Refusal> {
    let name = text(value, &format!("{pointer}/algorithm"))?;
    let bytes = base64(value, &format!("{pointer}/digest"))?;
    digest(HashAlgorithm::ALL.into_iter().find(|hash| hash.bundle_name() == name), Some(bytes), pointer)
}

fn digest(hash: Option<HashAlgorithm>, bytes: Option<Vec<u8>>, pointer: &str) -> Result<Digest, Refusal> {
    let digest = hash.zip(bytes).and_then(|(hash, bytes)| Digest::from_bytes(hash, &bytes).ok());
    digest.ok_or_else(|| bad(format!("its {pointer} is no digest known here")))
}

fn proto_signature(value: &Value) -> Result<Logged, Refusal> {
    let verifier = match value.pointer("/verifier/x509Certificate") {
        Some(_) => Verifier::Certificate(base64(value, "/verifier/x509Certificate/rawBytes")?),
        None => key(&base64(value, "/verifier/publicKey/rawBytes")?)?,
    };
    Ok(Logged { signature: Some(base64(value, "/content")?), verifier })
}

/// A certificate or key in PEM, base64.
fn pem(value: &Value, pointer: &str) -> Result<Verifier, Refusal> {
    let pem = base64(value, pointer)?;
    if pem.trim_ascii_start().starts_with(b"-----BEGIN CERTIFICATE-----") {
        let certificate = Certificate::from_pem_or_der(&pem).map_err(|cause| bad(cause.to_string()))?;
        return Ok(Verifier::Certificate(certificate.der().to_vec()));
    }
    key(&pem)
}

fn key(bytes: &[u8]) -> Result<Verifier, Refusal> {
    PublicKey::from_pem_or_der(bytes).map(Verifier::Key).map_err(|cause| bad(cause.to_string()))
}
