//! Describes what a bundle holds as indented `- Name: value` lines, without verifying anything and without I/O.
//!
//! Labels, values and order are those that Cosign v3.1.3 prints (cmd/cosign/cli/bundle/inspect.go), so that scripts
//! read either. Where we part from it: logs and authorities appear by key id only, since no trusted root is read here;
//! times are UTC throughout; what cannot be parsed says so instead of missing; alternative names of every kind
//! appear; control characters are escaped; warnings are worded differently.
//! [`describe`] is the place to begin; each part of a bundle has its file below.

mod certificate;
mod extensions;
mod legacy;
mod log_entry;
mod outline;
mod sct;
mod timestamp;

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::PAD;
use serde_json::Value;
use sigstore_types::bundle::{
    Bundle as SigstoreBundle, MediaType, MessageSignature, SignatureContent, VerificationMaterial,
    VerificationMaterialContent,
};
use sigstore_types::dsse::DsseEnvelope;

use super::{Bundle, LogEntry};
use outline::{Outline, hex, present, unreadable};

/// The payload type whose content is described, and not only measured.
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Hints that other tools write may leave stray bits in the last character; Go's decoder, and so Cosign, takes them.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// The description: UTF-8 lines, each ended by a line feed, safe to show on a terminal.
pub fn describe(bundle: &Bundle) -> String {
    let mut outline = Outline::default();
    match bundle {
        Bundle::Sigstore(bundle) => describe_sigstore(&mut outline, &bundle.parts, &bundle.entries),
        Bundle::Legacy(bundle) => legacy::describe(&mut outline, bundle),
    }
    outline.into_text()
}

fn describe_sigstore(outline: &mut Outline, bundle: &SigstoreBundle, entries: &[LogEntry]) {
    outline.line("Bundle Media Type", bundle.media_type);
    outline.group("Verification Material", "", |outline| {
        describe_material(outline, &bundle.verification_material, entries, bundle.media_type);
    });
    outline.group("Content", "", |outline| match &bundle.content {
        SignatureContent::MessageSignature(signature) => describe_message(outline, signature),
        SignatureContent::DsseEnvelope(envelope) => {
            describe_envelope(outline, envelope, &bundle.verification_material.content);
        }
        _ => outline.line("Type", unreadable("a kind of content unknown here")),
    });
}

fn describe_material(
    outline: &mut Outline,
    material: &VerificationMaterial,
    entries: &[LogEntry],
    version: MediaType,
) {
    match &material.content {
        VerificationMaterialContent::Certificate(content) => {
            outline.group("Content", "X.509 Certificate", |outline| {
                certificate::describe(outline, content.raw_bytes.as_bytes());
                if version != MediaType::Bundle0_3 {
                    outline.warning("a bundle before v0.3 holds a certificate chain, not one certificate");
                }
            });
        }
        VerificationMaterialContent::X509CertificateChain { certificates } => {
            outline.group("Content", "X.509 Certificate Chain", |outline| {
                if certificates.is_empty() {
                    outline.warning("the certificate chain is empty");
                } else {
                    outline.line("Certificates", certificates.len());
                }
                for (index, one) in certificates.iter().enumerate() {
                    outline.group(&format!("Certificate [{index}]"), "", |outline| {
                        certificate::describe(outline, one.raw_bytes.as_bytes());
                    });
                }
                if version == MediaType::Bundle0_3 {
                    outline.warning("a v0.3 bundle holds one certificate, not a chain");
                }
            });
        }
        VerificationMaterialContent::PublicKey(key) => {
            outline.group("Content", "Public Key Identifier", |outline| match key.hint.as_str() {
                "" => outline.warning("the hint is empty"),
                hint => outline.line("Hint", hint_text(hint)),
            });
        }
        _ => outline.line("Content", unreadable("a kind of material unknown here")),
    }
    if !entries.is_empty() {
        outline.group("Transparency Log Entries", entries.len(), |outline| {
            for (index, entry) in entries.iter().enumerate() {
                outline.group(&format!("Entry [{index}]"), "", |outline| {
                    log_entry::describe(outline, entry, version);
                });
            }
        });
    }
    let timestamps = &material.timestamp_verification_data.rfc3161_timestamps;
    if !timestamps.is_empty() {
        outline.group("Timestamp Verification Data", "", |outline| {
            outline.line("RFC3161 Timestamps", timestamps.len());
            for (index, one) in timestamps.iter().enumerate() {
                outline.group(&format!("Timestamp [{index}]"), "", |outline| {
                    timestamp::describe(outline, one.signed_timestamp.as_bytes());
                });
            }
        });
    }
}

fn describe_message(outline: &mut Outline, message: &MessageSignature) {
    outline.line("Type", "Message Signature");
    if let Some(digest) = &message.message_digest {
        outline.group("Message Digest", "", |outline| {
            outline.line("Algorithm", digest.algorithm);
            outline.line("Digest", present(digest.digest.len()));
        });
    }
    outline.line("Signature", present(message.signature.len()));
}

fn describe_envelope(outline: &mut Outline, envelope: &DsseEnvelope, material: &VerificationMaterialContent) {
    outline.line("Type", "DSSE Envelope");
    outline.line("Payload Type", &envelope.payload_type);
    outline.line("Payload", present(envelope.payload.len()));
    if envelope.payload_type == IN_TOTO {
        match serde_json::from_slice::<Value>(envelope.payload.as_bytes()) {
            Ok(statement) => outline.group("Payload Content (in-toto)", "", |outline| {
                describe_statement(outline, &statement);
            }),
            Err(cause) => outline.line("Payload Content (in-toto)", unreadable(cause)),
        }
    }
    // The bundle specification allows one signature; the type library refuses any other number while parsing.
    outline.group("Signatures", 1, |outline| {
        outline.group("Signature [0]", "", |outline| {
            outline.line("Signature", present(envelope.signature.sig.len()));
            let hint = envelope.signature.keyid.as_str();
            if !hint.is_empty() {
                outline.line("Key Hint", hint_text(hint));
                if matches!(material, VerificationMaterialContent::PublicKey(key) if key.hint != hint) {
                    outline.warning("the envelope names another key than the verification material");
                }
            }
        });
    });
}

fn describe_statement(outline: &mut Outline, statement: &Value) {
    if let Some(predicate_type) = statement.get("predicateType") {
        let text = predicate_type.as_str().map_or_else(|| unreadable("not a string"), str::to_owned);
        outline.line("Predicate Type", text);
    }
    match statement.get("subject") {
        Some(Value::Array(subjects)) => outline.group("Subjects", subjects.len(), |outline| {
            for subject in subjects {
                match subject.get("name") {
                    // in-toto Statement v1 lets a subject go by its digest alone.
                    None if subject.is_object() => outline.line("Name", ""),
                    Some(Value::String(name)) => outline.line("Name", name),
                    _ => outline.line("Name", unreadable("not a string")),
                }
            }
        }),
        Some(_) => outline.line("Subjects", unreadable("not a list")),
        None => {}
    }
}

/// A key hint in base64 reads as hexadecimal, any other stands as it is.
fn hint_text(hint: &str) -> String {
    LENIENT.decode(hint).map_or_else(|_| hint.to_owned(), |bytes| hex(&bytes))
}

#[cfg(test)]
mod tests;
