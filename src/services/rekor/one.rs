//! Rekor version 1: `POST /api/v1/log/entries`, kinds `hashedrekord` 0.0.1 for artifacts, `dsse` 0.0.1 or `intoto`
//! 0.0.2 for envelopes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::Result;
use countersign_core::hexadecimal::from_hex;
use countersign_core::http::{Answer, Client};
use countersign_core::{Certificate, HashAlgorithm};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::EnvelopeEntry;
use super::{Signed, damaged, digest, get, post, refused};
use crate::bundle::{Content, LogEntry};
use crate::verify::Envelope;

const PATH: &str = "/api/v1/log/entries";
/// Entries taken of a search: a signature is logged once, rarely twice.
const MAX_FOUND: usize = 32;
/// The log holds the same entry already, and says where.
const CONFLICT: u16 = 409;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    body: String,
    integrated_time: i64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: u64,
    verification: Verification,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    inclusion_proof: Option<Proof>,
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    checkpoint: String,
    hashes: Vec<String>,
    log_index: u64,
    root_hash: String,
    tree_size: u64,
}

/// Adds the signature; where the log holds it already, fetches that entry.
pub(in crate::services) fn add(
    client: &Client<'_>,
    signed: &Signed<'_>,
    envelopes: EnvelopeEntry,
) -> Result<LogEntry> {
    let answer = post(client, PATH, &proposal(signed, envelopes)?)?;
    let answer = match (answer.status, answer.location()) {
        (CONFLICT, Some(location)) => {
            // Only the name of the entry is taken from it: a log may stand behind another address.
            let name = location.rsplit('/').next().unwrap_or_default();
            if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_hexdigit()) {
                return Err(damaged(client, "its Location names no entry"));
            }
            get(client, &format!("{PATH}/{name}"))?
        }
        _ => answer,
    };
    if !answer.is_success() {
        return Err(refused(client, &answer));
    }
    only(client, &answer)
}

/// The one entry of an answer, by whatever name.
fn only(client: &Client<'_>, answer: &Answer) -> Result<LogEntry> {
    let value = crate::json::parse(&answer.body).map_err(|cause| damaged(client, cause))?;
    let Some((1, Some((_, entry)))) = value.as_object().map(|map| (map.len(), map.iter().next())) else {
        return Err(damaged(client, "it holds not exactly one"));
    };
    read(entry.clone()).map_err(|why| damaged(client, why))
}

/// The entries of a signature that the log holds, none where it knows of none.
pub(in crate::services) fn find(client: &Client<'_>, signed: &[Signed<'_>]) -> Result<Vec<LogEntry>> {
    let kinds = [EnvelopeEntry::Dsse, EnvelopeEntry::Intoto];
    let kinds = |one: &Signed<'_>| {
        if matches!(one.content, Content::Artifact(..)) { &kinds[..1] } else { &kinds[..] }
    };
    let proposals = signed.iter().flat_map(|one| kinds(one).iter().map(|kind| proposal(one, *kind)));
    let query = json!({"entries": proposals.collect::<Result<Vec<_>>>()?});
    let answer = post(client, &format!("{PATH}/retrieve"), &query)?;
    if !answer.is_success() {
        return Err(refused(client, &answer));
    }
    let value = crate::json::parse(&answer.body).map_err(|cause| damaged(client, cause))?;
    let Some(found) = value.as_array().filter(|found| found.len() <= MAX_FOUND) else {
        return Err(damaged(client, format!("it is no list of at most {MAX_FOUND}")));
    };
    let entries = found.iter().filter_map(|one| one.as_object()).flat_map(|one| one.values().cloned());
    entries.map(|entry| read(entry).map_err(|why| damaged(client, why))).collect()
}

/// The entry at an index of the whole log.
pub(in crate::services) fn at_index(client: &Client<'_>, index: u64) -> Result<LogEntry> {
    let answer = get(client, &format!("{PATH}?logIndex={index}"))?;
    if !answer.is_success() {
        return Err(refused(client, &answer));
    }
    only(client, &answer)
}

fn proposal(signed: &Signed<'_>, envelopes: EnvelopeEntry) -> Result<Value> {
    let pem = match signed.certificate {
        Some(der) => Certificate::from_der(der)?.to_pem(),
        None => signed.key.to_pem(),
    };
    let pem = STANDARD.encode(pem);
    Ok(match signed.content {
        Content::Artifact(..) => {
            let digest = digest(signed);
            json!({
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {
                    "data": {"hash": {"algorithm": digest.algorithm().name(), "value": digest.hex()}},
                    "signature": {"content": STANDARD.encode(signed.signature), "publicKey": {"content": pem}},
                },
            })
        }
        Content::Envelope(envelope) => match envelopes {
            EnvelopeEntry::Dsse => {
                let envelope = String::from_utf8_lossy(&envelope.to_json()).into_owned();
                let proposed = json!({"envelope": envelope, "verifiers": [pem]});
                json!({"apiVersion": "0.0.1", "kind": "dsse", "spec": {"proposedContent": proposed}})
            }
            EnvelopeEntry::Intoto => intoto(envelope, &pem),
        },
    })
}

/// The older kind. It takes the envelope's base64 texts in base64 once more.
fn intoto(envelope: &Envelope, pem: &str) -> Value {
    let twice = |bytes: &[u8]| STANDARD.encode(STANDARD.encode(bytes));
    json!({
        "apiVersion": "0.0.2",
        "kind": "intoto",
        "spec": {"content": {
            "envelope": {
                "payloadType": envelope.payload_type,
                "payload": twice(&envelope.payload),
                "signatures": [{"sig": twice(&envelope.signature), "publicKey": pem}],
            },
            "hash": {"algorithm": "sha256", "value": HashAlgorithm::Sha256.digest(&envelope.to_json()).hex()},
        }},
    })
}

/// The entry in protobuf's JSON, as bundles hold it, and from that in our own form.
fn read(entry: Value) -> std::result::Result<LogEntry, String> {
    let entry: Entry = serde_json::from_value(entry).map_err(|cause| cause.to_string())?;
    let body = STANDARD.decode(&entry.body).map_err(|cause| cause.to_string())?;
    let body: Value = crate::json::parse(&body)?;
    let base64 =
        |text: &str| from_hex(text).map(|bytes| STANDARD.encode(bytes)).ok_or("a hash is no hexadecimal");
    let mut value = json!({
        "logIndex": entry.log_index.to_string(),
        "logId": {"keyId": base64(&entry.log_id)?},
        "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
        "integratedTime": entry.integrated_time.to_string(),
        "inclusionPromise": {"signedEntryTimestamp": entry.verification.signed_entry_timestamp},
        "canonicalizedBody": entry.body,
    });
    if let Some(proof) = entry.verification.inclusion_proof {
        let hashes =
            proof.hashes.iter().map(|hash| base64(hash)).collect::<std::result::Result<Vec<_>, _>>()?;
        value["inclusionProof"] = json!({
            "logIndex": proof.log_index.to_string(),
            "rootHash": base64(&proof.root_hash)?,
            "treeSize": proof.tree_size.to_string(),
            "hashes": hashes,
            "checkpoint": {"envelope": proof.checkpoint},
        });
    }
    serde_json::from_value(value).map_err(|cause| cause.to_string())
}
