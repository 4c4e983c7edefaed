//! What we write, byte for byte as Cosign v3 writes it: one line, a space after each comma between fields.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Digest;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::{LegacyBundle, MEDIA_TYPE};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageBundle<'a> {
    media_type: &'static str,
    verification_material: Material<'a>,
    message_signature: MessageSignature,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Material<'a> {
    PublicKey(Hint<'a>),
    Certificate(RawBytes),
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
struct MessageSignature {
    message_digest: MessageDigest,
    signature: String,
}

#[derive(Serialize)]
struct MessageDigest {
    algorithm: &'static str,
    digest: String,
}

/// What a bundle says of the key that signed.
#[derive(Debug, Clone, Copy)]
pub enum Signatory<'a> {
    /// Its name alone, as [`PublicKey::hint`](countersign_core::PublicKey::hint) writes it.
    Hint(&'a str),
    /// Its certificate, DER.
    Certificate(&'a [u8]),
}

/// A v0.3 bundle with a message signature: UTF-8 JSON without a line ending.
pub fn message_signature_json(signatory: Signatory<'_>, digest: &Digest, signature: &[u8]) -> Vec<u8> {
    let bundle = MessageBundle {
        media_type: MEDIA_TYPE,
        verification_material: match signatory {
            Signatory::Hint(hint) => Material::PublicKey(Hint { hint }),
            Signatory::Certificate(der) => {
                Material::Certificate(RawBytes { raw_bytes: STANDARD.encode(der) })
            }
        },
        message_signature: MessageSignature {
            message_digest: MessageDigest {
                algorithm: digest.algorithm().bundle_name(),
                digest: STANDARD.encode(digest.bytes()),
            },
            signature: STANDARD.encode(signature),
        },
    };
    let mut json = Vec::with_capacity(512);
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, ProtoJson);
    bundle.serialize(&mut serializer).expect("plain structs of strings always serialise into memory");
    json
}

/// Cosign's older blob bundle around one signature; the certificate in PEM.
pub fn legacy_json(signature: &[u8], certificate: Option<&str>) -> Vec<u8> {
    let bundle = LegacyBundle {
        base64_signature: STANDARD.encode(signature),
        cert: certificate.map(|pem| STANDARD.encode(pem)),
        rekor_bundle: None,
    };
    serde_json::to_vec(&bundle).expect("plain structs of strings always serialise into memory")
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
