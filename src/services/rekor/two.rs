//! Rekor version 2 (rekor-tiles): `POST /api/v2/log/entries`. An envelope is logged as what it is to its signature, a digest.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, Result};
use countersign_core::http::Client;
use serde::Serialize;

use super::{Signed, damaged, digest, key_details, post, refused};
use crate::bundle::LogEntry;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    hashed_rekord_request_v002: Request,
}

#[derive(Serialize)]
struct Request {
    digest: String,
    signature: Signature,
}

#[derive(Serialize)]
struct Signature {
    content: String,
    verifier: Verifier,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verifier {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<RawBytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x509_certificate: Option<RawBytes>,
    key_details: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

/// Adds the signature and waits for its proof.
pub(in crate::services) fn add(client: &Client<'_>, signed: &Signed<'_>) -> Result<LogEntry> {
    let key_details = key_details(signed.algorithm)
        .ok_or_else(|| Error::internal("an algorithm that was to be refused before signing"))?;
    let raw = |bytes: &[u8]| RawBytes { raw_bytes: STANDARD.encode(bytes) };
    let key = signed.certificate.is_none().then(|| raw(signed.key.spki_der()));
    let verifier = Verifier { public_key: key, x509_certificate: signed.certificate.map(raw), key_details };
    let signature = Signature { content: STANDARD.encode(signed.signature), verifier };
    let request = Request { digest: STANDARD.encode(digest(signed).bytes()), signature };
    let answer = post(client, "/api/v2/log/entries", &Asked { hashed_rekord_request_v002: request })?;
    if !answer.is_success() {
        return Err(refused(client, &answer));
    }
    let value = crate::json::parse(&answer.body).map_err(|cause| damaged(client, cause))?;
    serde_json::from_value(value).map_err(|cause| damaged(client, cause))
}
