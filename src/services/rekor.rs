//! Rekor: what its two interfaces share.

pub(super) mod one;
pub(super) mod two;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{Answer, Client, Method, Request, SecretBody};
use countersign_core::{Algorithm, Digest, HashAlgorithm};
use serde::Serialize;

use super::Signed;
use crate::bundle::Content;

const ACT: &str = "add the signature to the transparency log";

/// The name of an algorithm in protobuf-specs (`PublicKeyDetails`), for those that Rekor version 2 takes.
pub(super) fn key_details(algorithm: Algorithm) -> Option<&'static str> {
    Some(match algorithm.name() {
        "ecdsa-sha2-256-nistp256" => "PKIX_ECDSA_P256_SHA_256",
        "ecdsa-sha2-384-nistp384" => "PKIX_ECDSA_P384_SHA_384",
        "ecdsa-sha2-512-nistp521" => "PKIX_ECDSA_P521_SHA_512",
        "rsa-sign-pkcs1-2048-sha256" => "PKIX_RSA_PKCS1V15_2048_SHA256",
        "rsa-sign-pkcs1-3072-sha256" => "PKIX_RSA_PKCS1V15_3072_SHA256",
        "rsa-sign-pkcs1-4096-sha256" => "PKIX_RSA_PKCS1V15_4096_SHA256",
        "ed25519-ph" => "PKIX_ED25519_PH",
        _ => return None,
    })
}

/// The digest that the signature is over: of the artifact, or of an envelope's pre-authentication encoding.
fn digest(signed: &Signed<'_>) -> Digest {
    match signed.content {
        Content::Artifact(digest, _) => *digest,
        Content::Envelope(envelope) => {
            signed.algorithm.hash().unwrap_or(HashAlgorithm::Sha256).digest(&envelope.signed())
        }
    }
}

fn post(client: &Client<'_>, path: &str, body: &impl Serialize) -> Result<Answer> {
    let body = serde_json::to_vec(body).map_err(|_| Error::internal("a question that is no JSON"))?;
    let body = SecretBody::new(body);
    let headers = &[("accept", "application/json")];
    client.send(ACT, &Request { method: Method::Post, path, headers, credentials: &[], body: Some(&body) })
}

fn get(client: &Client<'_>, path: &str) -> Result<Answer> {
    let headers = &[("accept", "application/json")];
    client.send(ACT, &Request { method: Method::Get, path, headers, credentials: &[], body: None })
}

/// An answer that is no entry. The log's own words are part of the reason: they name the field it dislikes.
fn refused(client: &Client<'_>, answer: &Answer) -> Error {
    let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = said.get("message").and_then(|said| said.as_str()).map(str::to_owned);
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
    let said: String = said.chars().filter(|letter| !letter.is_control()).take(300).collect();
    let why = format!("{} answers with status {}: {said}", client.endpoint(), answer.status);
    let error = |kind| Error::new(kind, format!("cannot {ACT}")).why(why.clone());
    match answer.status {
        404 => error(ErrorKind::NotFound)
            .hint("check the address, and whether it is a log of Rekor version 1 or 2"),
        401 | 403 => error(ErrorKind::Denied).hint("ask who runs the log who may write to it"),
        409 => error(ErrorKind::Unsupported).hint(
            "the log holds this very signature: this kind of key signs the same file the same way each time; keep the \
             bundle of the first time",
        ),
        429 => error(ErrorKind::Throttled { after: answer.retry_after })
            .hint("wait a moment and sign again: nothing was logged"),
        500.. => error(ErrorKind::Unavailable).hint(
            "sign again later; whether this signature was logged is unknown, and a second entry does no harm",
        ),
        _ => error(ErrorKind::Unsupported).hint("the log does not take this kind of key or signature"),
    }
}

fn damaged(client: &Client<'_>, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Integrity, format!("cannot {ACT}"))
        .why(format!("the answer of {} is no log entry: {why}", client.endpoint()))
        .hint("check the address, and whether it is a log of Rekor version 1 or 2")
}
