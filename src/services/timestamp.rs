//! Asks a timestamp authority (RFC 3161 2.4): the SHA-256 of the signature goes there, a signed time comes back.

use countersign_core::HashAlgorithm;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{Client, Method, Request, SecretBody};
use der::Encode;
use der::asn1::{Any, Int, Null, ObjectIdentifier, OctetString};
use x509_cert::spki::AlgorithmIdentifier;
use x509_tsp::{MessageImprint, TimeStampReq, TspVersion};

use crate::verify;

const ACT: &str = "get a signed timestamp";
/// NIST: id-sha256.
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// The response, DER. That it answers this request is checked here; whether the authority is trusted is the caller's matter.
pub(super) fn ask(client: &Client<'_>, signature: &[u8]) -> Result<Vec<u8>> {
    let nonce = nonce()?;
    let body = SecretBody::new(query(signature, &nonce)?);
    let headers =
        &[("content-type", "application/timestamp-query"), ("accept", "application/timestamp-reply")];
    let request = Request { method: Method::Post, path: "", headers, credentials: &[], body: Some(&body) };
    let answer = client.send(ACT, &request)?;
    if !answer.is_success() {
        let said = String::from_utf8_lossy(&answer.body);
        let said: String = said.chars().filter(|letter| !letter.is_control()).take(300).collect();
        let kind = match answer.status {
            401 | 403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            429 => ErrorKind::Throttled { after: answer.retry_after },
            500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Unsupported,
        };
        return Err(Error::new(kind, format!("cannot {ACT}"))
            .why(format!("{} answers with status {}: {said}", client.endpoint(), answer.status))
            .hint("check the address: it ends in the authority's path, as in /api/v1/timestamp"));
    }
    verify::answers(&answer.body, signature, &nonce).map_err(|why| {
        Error::new(ErrorKind::Integrity, format!("cannot {ACT}"))
            .why(format!("{}: {why}", client.endpoint()))
            .hint("check the address; nothing was written")
    })?;
    Ok(answer.body.to_vec())
}

/// A positive number of 63 bits, as the bytes of a DER integer.
fn nonce() -> Result<[u8; 8]> {
    let mut nonce = countersign_core::random::bytes::<8>()?;
    // Neither negative nor shortened by DER.
    nonce[0] = nonce[0] & 0x3f | 0x40;
    Ok(nonce)
}

fn query(signature: &[u8], nonce: &[u8]) -> Result<Vec<u8>> {
    let failed = |_| Error::internal("a timestamp query that cannot be encoded");
    let imprint = MessageImprint {
        hash_algorithm: AlgorithmIdentifier { oid: SHA256, parameters: Some(Any::from(Null)) },
        hashed_message: OctetString::new(HashAlgorithm::Sha256.digest(signature).bytes()).map_err(failed)?,
    };
    let request = TimeStampReq {
        version: TspVersion::V1,
        message_imprint: imprint,
        req_policy: None,
        nonce: Some(Int::new(nonce).map_err(failed)?),
        // The signer's certificate comes along, so that those who know the root alone can verify.
        cert_req: true,
        extensions: None,
    };
    request.to_der().map_err(failed)
}
