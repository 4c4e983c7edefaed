//! Describes Cosign's older blob bundle, which Cosign's own `bundle inspect` refuses. The layout follows that of a
//! Sigstore bundle.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sigstore_types::{DerCertificate, DerPublicKey};
use x509_cert::der::Decode;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::certificate;
use super::log_entry::integrated_time;
use super::outline::{Outline, present, unreadable};
use super::timestamp::utc;
use crate::bundle::LegacyBundle;

pub(super) fn describe(outline: &mut Outline, bundle: &LegacyBundle) {
    outline.line("Bundle Media Type", "none (Cosign blob bundle before the Sigstore bundle)");
    outline.group("Verification Material", "", |outline| {
        describe_key(outline, bundle);
        match &bundle.rekor_bundle {
            None | Some(Value::Null) => {}
            Some(entry) => outline.group("Transparency Log Entries", 1, |outline| {
                outline.group("Entry [0]", "", |outline| describe_entry(outline, entry));
            }),
        }
    });
    outline.group("Content", "", |outline| {
        outline.line("Type", "Blob Signature");
        outline.line("Signature", size(Some(&bundle.base64_signature)));
    });
}

fn describe_key(outline: &mut Outline, bundle: &LegacyBundle) {
    let Some(pem) = bundle.certificate_pem() else {
        outline.line("Content", "none (the verifier brings the key)");
        return;
    };
    let Ok(pem) = std::str::from_utf8(&pem) else {
        outline.line("Content", unreadable("the certificate is not text"));
        return;
    };
    match (DerCertificate::from_pem(pem), DerPublicKey::from_pem(pem)) {
        (Ok(der), _) => outline.group("Content", "X.509 Certificate", |outline| {
            certificate::describe(outline, der.as_bytes());
        }),
        (_, Ok(der)) => outline.group("Content", "Public Key", |outline| {
            match SubjectPublicKeyInfoOwned::from_der(der.as_bytes()) {
                Ok(key) => certificate::describe_key(outline, &key),
                Err(cause) => outline.line("Subject Public Key Info", unreadable(cause)),
            }
        }),
        (Err(cause), Err(_)) => outline.line("Content", unreadable(cause)),
    }
}

/// Rekor v1's answer: its promise, and the payload that the promise signs.
fn describe_entry(outline: &mut Outline, entry: &Value) {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
    let number = |pointer: &str| entry.pointer(pointer).and_then(Value::as_u64);
    let missing = || unreadable("missing or of another type");
    let index = number("/Payload/logIndex");
    outline.line("Log Index", index.map_or_else(missing, |index| index.to_string()));
    outline.line("Log ID", text("/Payload/logID").map_or_else(missing, str::to_owned));
    let body = text("/Payload/body").and_then(|body| STANDARD.decode(body).ok());
    let record = body.as_deref().and_then(|body| serde_json::from_slice::<Value>(body).ok());
    for (label, field) in [("Kind", "kind"), ("Version", "apiVersion")] {
        let value = record.as_ref().and_then(|record| record.get(field)?.as_str());
        outline.line(label, value.map_or_else(missing, str::to_owned));
    }
    match number("/Payload/integratedTime") {
        Some(0) => integrated_time(outline, None::<String>),
        Some(seconds) => integrated_time(outline, Some(utc(Duration::from_secs(seconds)))),
        None => outline.line("Integrated Time", missing()),
    }
    outline.group("Inclusion Promise", "", |outline| {
        outline.line("Signed Entry Timestamp", size(text("/SignedEntryTimestamp")));
    });
    outline.line("Canonicalized Body", size(text("/Payload/body")));
}

/// The size of what base64 text holds.
fn size(text: Option<&str>) -> String {
    match text.map(|text| STANDARD.decode(text)) {
        Some(Ok(bytes)) => present(bytes.len()),
        Some(Err(cause)) => unreadable(cause),
        None => unreadable("missing or of another type"),
    }
}
