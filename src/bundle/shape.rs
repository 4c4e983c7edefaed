//! Which fields a bundle may have: no unknown ones, and of alternatives exactly one.
//!
//! The type library takes the first of two alternatives and skips fields it does not know, so that what one reader
//! verifies another would not even see. Cosign refuses such bundles too.

use serde_json::Value;

/// Objects of a bundle: their place (`*` is every element of a list), the alternatives of which exactly one stands
/// there, and the other fields they may have.
#[rustfmt::skip]
const SHAPE: &[(&str, &[&str], &[&str])] = &[
    ("", &["messageSignature", "dsseEnvelope"], &["mediaType", "verificationMaterial"]),
    ("/verificationMaterial", &["certificate", "x509CertificateChain", "publicKey"], &["tlogEntries", "timestampVerificationData"]),
    ("/verificationMaterial/publicKey", &[], &["hint"]),
    ("/verificationMaterial/certificate", &[], &["rawBytes"]),
    ("/verificationMaterial/x509CertificateChain", &[], &["certificates"]),
    ("/verificationMaterial/x509CertificateChain/certificates/*", &[], &["rawBytes"]),
    ("/verificationMaterial/timestampVerificationData", &[], &["rfc3161Timestamps"]),
    ("/verificationMaterial/timestampVerificationData/rfc3161Timestamps/*", &[], &["signedTimestamp"]),
    ("/verificationMaterial/tlogEntries/*", &[], &["logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise", "inclusionProof", "canonicalizedBody"]),
    ("/verificationMaterial/tlogEntries/*/logId", &[], &["keyId"]),
    ("/verificationMaterial/tlogEntries/*/kindVersion", &[], &["kind", "version"]),
    ("/verificationMaterial/tlogEntries/*/inclusionPromise", &[], &["signedEntryTimestamp"]),
    ("/verificationMaterial/tlogEntries/*/inclusionProof", &[], &["logIndex", "rootHash", "treeSize", "hashes", "checkpoint"]),
    ("/verificationMaterial/tlogEntries/*/inclusionProof/checkpoint", &[], &["envelope"]),
    ("/messageSignature", &[], &["messageDigest", "signature"]),
    ("/messageSignature/messageDigest", &[], &["algorithm", "digest"]),
    ("/dsseEnvelope", &[], &["payload", "payloadType", "signatures"]),
    ("/dsseEnvelope/signatures/*", &[], &["sig", "keyid"]),
];

/// Holds a bundle against [`SHAPE`].
///
/// # Errors
/// What does not fit, in words.
pub(super) fn check(bundle: &Value) -> Result<(), String> {
    for (place, alternatives, others) in SHAPE {
        for object in at(bundle, place) {
            // Of an absent or null object there is nothing to see, unless one of its fields must be there.
            let Some(fields) = object.as_object() else {
                if object.is_null() && alternatives.is_empty() {
                    continue;
                }
                return Err(format!("{place} is no object"));
            };
            let present = fields.keys().filter(|key| alternatives.contains(&key.as_str())).count();
            if !alternatives.is_empty() && present != 1 {
                return Err(format!("expected exactly one of {}, found {present}", alternatives.join(", ")));
            }
            let known = |key: &str| alternatives.contains(&key) || others.contains(&key);
            if let Some(unknown) = fields.keys().find(|key| !known(key)) {
                return Err(format!("it has an unknown field \"{unknown}\""));
            }
        }
    }
    Ok(())
}

/// The values at a place; the two objects that a bundle must have are `null` when they are not there.
fn at<'a>(bundle: &'a Value, place: &str) -> Vec<&'a Value> {
    static ABSENT: Value = Value::Null;
    if place == "/verificationMaterial" {
        return vec![bundle.get("verificationMaterial").unwrap_or(&ABSENT)];
    }
    let mut found = vec![bundle];
    for step in place.split('/').skip(1) {
        found = match step {
            "*" => found.into_iter().filter_map(Value::as_array).flatten().collect(),
            name => found.into_iter().filter_map(|value| value.get(name)).collect(),
        };
    }
    found
}

/// Cosign v3.1.3 writes `"messageDigest":{}` when it signs with a pure Ed25519 key: a digest that is not stated.
pub(super) fn drop_unspecified_digest(bundle: &mut Value) {
    let Some(message) = bundle.get_mut("messageSignature").and_then(Value::as_object_mut) else { return };
    if message.get("messageDigest").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
        message.remove("messageDigest");
    }
}
