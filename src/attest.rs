//! Makes attestations: an in-toto statement about an artifact, in a signed DSSE envelope.

pub mod policies;
pub mod predicate;

use countersign_core::error::Result;
use countersign_core::{Algorithm, Digest, Signer};
use serde::Serialize;
use serde_json::Value;

use crate::sign::sign_bytes;
use crate::verify::{Envelope, PAYLOAD_TYPE};

/// The version of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 0.1, as Cosign writes statements about files: older verifiers know no other.
    Old,
    /// 1, for images: what every reader of those takes, and some take alone.
    One,
}

impl Version {
    fn name(self) -> &'static str {
        match self {
            Self::Old => "https://in-toto.io/Statement/v0.1",
            Self::One => "https://in-toto.io/Statement/v1",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: [Subject<'a>; 1],
    predicate_type: &'a str,
    predicate: &'a Value,
}

#[derive(Serialize)]
struct Subject<'a> {
    name: &'a str,
    digest: std::collections::BTreeMap<&'static str, String>,
}

/// A statement about one artifact: UTF-8 JSON.
pub fn statement(
    version: Version,
    name: &str,
    digests: &[Digest],
    predicate_type: &str,
    predicate: &Value,
) -> Vec<u8> {
    let digest = digests.iter().map(|digest| (digest.algorithm().name(), digest.hex())).collect();
    let written =
        Written { kind: version.name(), subject: [Subject { name, digest }], predicate_type, predicate };
    serde_json::to_vec(&written).expect("a struct of strings and JSON always serialises into memory")
}

/// Signs a statement. Costs one operation of the key.
///
/// # Errors
/// Those of the signer.
pub fn sign(signer: &dyn Signer, algorithm: Algorithm, statement: Vec<u8>) -> Result<Envelope> {
    let mut envelope = Envelope {
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: statement,
        key_id: String::new(),
        signature: Vec::new(),
    };
    let signed = sign_bytes(signer, algorithm, &envelope.signed())?;
    envelope.signature = signed.signature.bytes().to_vec();
    Ok(envelope)
}

#[cfg(test)]
mod tests;
