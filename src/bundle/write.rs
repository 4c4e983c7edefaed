//! What we write, byte for byte as Cosign v3 writes it: one line, a space after each comma between fields.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Digest;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};
use serde_json::{Value, json};

use super::{LegacyBundle, LogEntry, MEDIA_TYPE};
use crate::verify::Envelope;

/// A bundle to be written, version 0.3.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Who signed.
    pub signatory: Signatory<'a>,
    /// What was signed.
    pub content: Content<'a>,
    /// Log entries.
    pub entries: &'a [LogEntry],
    /// RFC 3161 responses, DER.
    pub timestamps: &'a [Vec<u8>],
}

/// What a bundle says of the key that signed.
#[derive(Debug, Clone, Copy)]
pub enum Signatory<'a> {
    /// Its name alone, as [`PublicKey::hint`](countersign_core::PublicKey::hint) writes it.
    Hint(&'a str),
    /// Its certificate, DER.
    Certificate(&'a [u8]),
}

/// What a bundle's signature is over.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// An artifact, by its digest.
    Artifact(&'a Digest, &'a [u8]),
    /// An envelope.
    Envelope(&'a Envelope),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    media_type: &'static str,
    verification_material: Material<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_signature: Option<MessageSignature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<DsseEnvelope<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Material<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<Hint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<RawBytes>,
    #[serde(skip_serializing_if = "<[LogEntry]>::is_empty")]
    tlog_entries: &'a [LogEntry],
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<Timestamps>,
}

#[derive(Serialize)]
struct Hint<'a> {
    hint: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Timestamps {
    rfc3161_timestamps: Vec<SignedTimestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedTimestamp {
    signed_timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    message_digest: MessageDigest,
    signature: String,
}

#[derive(Serialize)]
struct MessageDigest {
    algorithm: &'static str,
    digest: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DsseEnvelope<'a> {
    payload: String,
    payload_type: &'a str,
    signatures: [Signature<'a>; 1],
}

#[derive(Serialize)]
struct Signature<'a> {
    sig: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    keyid: &'a str,
}

impl Draft<'_> {
    /// UTF-8 JSON without a line ending.
    pub fn to_json(&self) -> Vec<u8> {
        let (public_key, certificate) = match self.signatory {
            Signatory::Hint(hint) => (Some(Hint { hint }), None),
            Signatory::Certificate(der) => (None, Some(RawBytes { raw_bytes: STANDARD.encode(der) })),
        };
        let (message_signature, dsse_envelope) = match self.content {
            Content::Artifact(digest, signature) => (Some(message(digest, signature)), None),
            Content::Envelope(envelope) => (None, Some(enveloped(envelope))),
        };
        let signed = |one: &Vec<u8>| SignedTimestamp { signed_timestamp: STANDARD.encode(one) };
        let timestamps = Timestamps { rfc3161_timestamps: self.timestamps.iter().map(signed).collect() };
        let bundle = Written {
            media_type: MEDIA_TYPE,
            verification_material: Material {
                public_key,
                certificate,
                tlog_entries: self.entries,
                timestamp_verification_data: (!self.timestamps.is_empty()).then_some(timestamps),
            },
            message_signature,
            dsse_envelope,
        };
        let mut json = Vec::with_capacity(512);
        let mut serializer = serde_json::Serializer::with_formatter(&mut json, ProtoJson);
        bundle.serialize(&mut serializer).expect("plain structs of strings always serialise into memory");
        json
    }
}

fn message(digest: &Digest, signature: &[u8]) -> MessageSignature {
    MessageSignature {
        message_digest: MessageDigest {
            algorithm: digest.algorithm().bundle_name(),
            digest: STANDARD.encode(digest.bytes()),
        },
        signature: STANDARD.encode(signature),
    }
}

fn enveloped(envelope: &Envelope) -> DsseEnvelope<'_> {
    DsseEnvelope {
        payload: STANDARD.encode(&envelope.payload),
        payload_type: &envelope.payload_type,
        signatures: [Signature { sig: STANDARD.encode(&envelope.signature), keyid: &envelope.key_id }],
    }
}

/// Cosign's older blob bundle around one signature; the certificate or key in PEM, and an entry with a promise.
pub fn legacy_json(signature: &[u8], pem: Option<&str>, entry: Option<&LogEntry>) -> Vec<u8> {
    let bundle = LegacyBundle {
        base64_signature: STANDARD.encode(signature),
        cert: pem.map(|pem| STANDARD.encode(pem)),
        rekor_bundle: entry.map(promise),
    };
    serde_json::to_vec(&bundle).expect("plain structs of strings always serialise into memory")
}

/// Cosign's file around a timestamp response (DER).
pub fn timestamp_json(response: &[u8]) -> Vec<u8> {
    json!({ "SignedRFC3161Timestamp": STANDARD.encode(response) }).to_string().into_bytes()
}

/// What older forms hold of a log's entry.
pub fn promise(entry: &LogEntry) -> Value {
    json!({
        "SignedEntryTimestamp": STANDARD.encode(entry.promise.as_deref().unwrap_or_default()),
        "Payload": {
            "body": STANDARD.encode(&entry.body),
            "integratedTime": entry.integrated.unwrap_or_default(),
            "logIndex": entry.index,
            "logID": countersign_core::hexadecimal::hex(&entry.log_id),
        },
    })
}

/// Spaces as Cosign's protobuf library puts them in its released builds.
struct ProtoJson;

impl Formatter for ProtoJson {
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        CompactFormatter.write_string_fragment(writer, fragment)
    }
}
