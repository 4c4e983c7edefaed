//! A log entry as a bundle carries it. `sigstore-types` knows four kinds of entries and refuses bundles with others;
//! this reads and writes them all and leaves the judgement to who knows the kinds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use sigstore_types::bundle::{InclusionPromise, InclusionProof, LogId};
use sigstore_types::{CanonicalizedBody, LogIndex};

/// A log's entry.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// The log that it is said to be in.
    pub log_id: Vec<u8>,
    /// Its index in the whole log.
    pub index: u64,
    /// The kind and version that the bundle states, as `hashedrekord 0.0.1`; older forms state none.
    pub kind: Option<String>,
    /// Seconds since 1970 at which the log took it; worth something under a promise alone.
    pub integrated: Option<i64>,
    /// The log's signature over all this (SET).
    pub promise: Option<Vec<u8>>,
    /// The proof that it lies in the tree.
    pub proof: Option<InclusionProof>,
    /// What was logged.
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    log_index: LogIndex,
    log_id: LogId,
    kind_version: KindVersion,
    #[serde(default)]
    integrated_time: Option<Number>,
    #[serde(default)]
    inclusion_promise: Option<InclusionPromise>,
    #[serde(default)]
    inclusion_proof: Option<InclusionProof>,
    canonicalized_body: CanonicalizedBody,
}

#[derive(Deserialize)]
struct KindVersion {
    kind: String,
    version: String,
}

/// A 64-bit number in protobuf's JSON: text by the book, a number too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Bare(i64),
}

impl LogEntry {
    /// Seconds since 1970 as a time; none where they are no time at all.
    pub fn integrated_time(&self) -> Option<jiff::Timestamp> {
        self.integrated.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
    }
}

impl<'de> Deserialize<'de> for LogEntry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let seconds = match wire.integrated_time {
            None => 0,
            Some(Number::Bare(seconds)) => seconds,
            Some(Number::Text(text)) => {
                text.parse().map_err(|_| D::Error::custom("integratedTime is no number"))?
            }
        };
        if seconds < 0 {
            return Err(D::Error::custom("integratedTime is negative"));
        }
        Ok(Self {
            log_id: wire.log_id.key_id.as_bytes().to_vec(),
            index: wire.log_index.get(),
            kind: Some(format!("{} {}", wire.kind_version.kind, wire.kind_version.version)),
            // Logs of version 2 state none, or zero, which is the same in protobuf.
            integrated: (seconds > 0).then_some(seconds),
            promise: wire.inclusion_promise.map(|one| one.signed_entry_timestamp.as_bytes().to_vec()),
            proof: wire.inclusion_proof,
            body: wire.canonicalized_body.as_bytes().to_vec(),
        })
    }
}

/// `TransparencyLogEntry` of protobuf-specs, in its own order. A log of version 2 states no time.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    log_index: String,
    log_id: KeyId,
    kind_version: Kind<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrated_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inclusion_promise: Option<Promise>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inclusion_proof: Option<&'a InclusionProof>,
    canonicalized_body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyId {
    key_id: String,
}

#[derive(Serialize)]
struct Kind<'a> {
    kind: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

impl Serialize for LogEntry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, version) = self.kind.as_deref().and_then(|kind| kind.split_once(' ')).unwrap_or_default();
        let promise = self.promise.as_ref();
        Written {
            log_index: self.index.to_string(),
            log_id: KeyId { key_id: STANDARD.encode(&self.log_id) },
            kind_version: Kind { kind, version },
            integrated_time: self.integrated.map(|seconds| seconds.to_string()),
            inclusion_promise: promise.map(|set| Promise { signed_entry_timestamp: STANDARD.encode(set) }),
            inclusion_proof: self.proof.as_ref(),
            canonicalized_body: STANDARD.encode(&self.body),
        }
        .serialize(serializer)
    }
}
