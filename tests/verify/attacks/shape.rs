//! Sizes and depths that a stranger chooses (the bundle's part of number 21).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::bundle::MAX_BUNDLE_BYTES;
use countersign::verify::Check;
use serde_json::{Value, json};

use crate::verify::forge::bundles::{ARTIFACT, statement};
use crate::verify::forge::case::unreadable;
use crate::verify::forge::{Case, Signer, WORLD};

const MOST: usize = 32;

#[test]
fn e2_21_too_many_log_entries() {
    let case = Case::logged(&WORLD.signer());
    let entry = case.bundle.pointer("/verificationMaterial/tlogEntries/0").unwrap();
    let of = |count: usize| case.with("/verificationMaterial/tlogEntries", vec![entry.clone(); count]);
    of(MOST).accepted();
    of(MOST + 1).unreadable("more than 32 log entries");
}

#[test]
fn e2_21_too_many_timestamps() {
    let case = Case::tiled(&WORLD.signer());
    let place = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    let one = case.bundle.pointer(place).unwrap()[0].clone();
    let of = |count: usize| case.with(place, vec![one.clone(); count]);
    of(MOST).accepted();
    of(MOST + 1).unreadable("more than 32 timestamps");
}

#[test]
fn e2_21_deep_json() {
    let signer = Signer::bare();
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let case = Case::logged(&signer);
    let trust = case.trust();
    for depth in [1_000, 1_000_000] {
        unreadable(case.decide_bytes(&trust, nested(depth).as_bytes()), "recursion limit");
        let bundle = case.bundle.to_string().replacen('{', &format!("{{\"x\":{},", nested(depth)), 1);
        unreadable(case.decide_bytes(&trust, bundle.as_bytes()), "recursion limit");
    }
    // In what an attestation says, and in what a log is told.
    let saying = |depth: usize| {
        let payload = statement(ARTIFACT).to_string().replacen("\"good\"", &nested(depth), 1);
        Case::sealing(&signer, payload.as_bytes())
    };
    saying(100).accepted();
    saying(200).refused(Check::Statement);
    saying(100_000).refused(Check::Statement);
    let telling = |depth: usize| {
        let signature = signer.sign(ARTIFACT);
        let body = signer.hashedrekord(ARTIFACT, &signature).to_string();
        let body = body.replacen('{', &format!("{{\"a\":{},", nested(depth)), 1);
        let mut entry = WORLD.logs[0].entry(&json!({"kind": "hashedrekord", "apiVersion": "0.0.1"}));
        entry["canonicalizedBody"] = STANDARD.encode(body).into();
        entry["inclusionProof"] = Value::Null;
        WORLD.logs[0].promise(&mut entry, crate::verify::forge::TIME);
        Case::new(&signer, signer.legacy(&signature, &entry))
    };
    telling(100).accepted();
    telling(200).refused(Check::LogEntry);
    telling(100_000).refused(Check::LogEntry);
}

#[test]
fn e2_21_huge_base64() {
    let case = Case::tiled(&WORLD.signer());
    let trust = case.trust();
    case.accepted();
    // A bundle above the limit is not even parsed.
    let size = usize::try_from(MAX_BUNDLE_BYTES).unwrap();
    let mut bundle = case.bundle.to_string().into_bytes();
    bundle.resize(size, b' ');
    assert!(case.decide_bytes(&trust, &bundle).is_ok());
    bundle.push(b' ');
    unreadable(case.decide_bytes(&trust, &bundle), "is larger than");
    // Below it, each part is held against what it may be.
    let huge = STANDARD.encode(vec![0x30; 8 * 1024 * 1024]);
    let stamp = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";
    let refusal = case.with(stamp, huge.as_str()).refused(Check::Timestamp);
    assert!(refusal.found().contains("larger than"), "{refusal}");
    case.with("/verificationMaterial/certificate/rawBytes", huge.as_str()).unreadable("certificate");
    let entry = "/verificationMaterial/tlogEntries/0";
    case.with(&format!("{entry}/canonicalizedBody"), huge.as_str()).refused(Check::LogEntry);
    case.with(&format!("{entry}/logId/keyId"), huge.as_str()).refused(Check::TransparencyLog);
    case.with("/messageSignature/messageDigest/digest", huge.as_str()).unreadable("digest");
    // A timestamp is over the signature, and so comes first.
    case.with("/messageSignature/signature", huge.as_str()).refused(Check::Timestamp);
    Case::logged(&Signer::bare()).with("/messageSignature/signature", huge).refused(Check::LogBinding);
}
