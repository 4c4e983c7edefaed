//! Faults between the service and us, which the stand-in does not make by itself: E.2 29, 34, 35.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{World, at};
use crate::kms::wrong_signatures;
use crate::support::cloudkms::{CloudKms, uri};
use crate::support::fault_proxy::{Fault, FaultProxy};

pub(super) const SIGN: &str = "asymmetricSign";
pub(super) const READ: &str = "publicKey";
pub(super) const LIST: &str = "cryptoKeyVersions?";

fn faulty() -> Option<(Arc<CloudKms>, FaultProxy, World, String)> {
    let server = CloudKms::shared()?;
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    Some((server, proxy, world, format!("{}/versions/1", uri("p256"))))
}

/// As the service refuses.
pub(super) fn says(status: &'static str, code: &str, message: &str) -> Fault {
    let number: u16 = status.split(' ').next().unwrap().parse().unwrap();
    let body = serde_json::json!({ "error": { "code": number, "status": code, "message": message } });
    Fault::Answer { status, headers: Vec::new(), body: body.to_string() }
}

pub(super) fn throttled() -> Fault {
    says("429 Too Many Requests", "RESOURCE_EXHAUSTED", "Quota exceeded")
}

fn signs(proxy: &FaultProxy) -> usize {
    proxy.asked().iter().filter(|asked| asked.contains(SIGN)).count()
}

#[test]
fn throttling_is_waited_for_and_its_end_is_told() {
    let Some((_server, proxy, world, key)) = faulty() else { return };
    proxy.spoil(SIGN, [throttled(), Fault::with_header("429 Slow", "retry-after", "1")]);
    world.sign(&key, "b.json");
    assert_eq!(signs(&proxy), 3);
    proxy.spoil(SIGN, (0..9).map(|_| throttled()));
    world.refuse_sign(&key, &["RESOURCE_EXHAUSTED: Quota exceeded", "--max-rate"]);
    assert_eq!(signs(&proxy), 4, "four tries");
    // A wait that nobody would sit through is not begun, whether header or body asks for it.
    proxy.spoil(SIGN, [Fault::with_header("429 Slow", "retry-after", "3600")]);
    world.refuse_sign(&key, &["status 429", "--max-rate"]);
    assert_eq!(signs(&proxy), 1);
    let details =
        r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"later","details":[{"retryDelay":"3600.5s"}]}}"#;
    proxy.spoil(SIGN, [Fault::Answer { status: "429 Slow", headers: Vec::new(), body: details.to_owned() }]);
    world.refuse_sign(&key, &["RESOURCE_EXHAUSTED: later"]);
    assert_eq!(signs(&proxy), 1);
}

#[test]
fn troubles_of_the_moment_are_tried_again_and_refusals_are_not() {
    let Some((_server, proxy, world, key)) = faulty() else { return };
    proxy.spoil(READ, [says("500 Internal Server Error", "INTERNAL", "oops"), Fault::Cut]);
    proxy.spoil(SIGN, [says("503 Service Unavailable", "UNAVAILABLE", "later"), Fault::CutInside]);
    world.sign(&key, "b.json");
    assert_eq!(proxy.asked().len(), 6);
    for (status, code, words) in [
        (
            "403 Forbidden",
            "PERMISSION_DENIED",
            ["useToSign is not allowed to signer@rig", "grant roles/cloudkms.signer"],
        ),
        ("401 Unauthorized", "UNAUTHENTICATED", ["is not accepted", "clock is right"]),
        (
            "400 Bad Request",
            "FAILED_PRECONDITION",
            ["FAILED_PRECONDITION: no", "gcloud kms keys versions enable"],
        ),
        ("404 Not Found", "NOT_FOUND", ["there is no", "keys list"]),
        ("400 Bad Request", "INVALID_ARGUMENT", ["INVALID_ARGUMENT: no", "cannot sign"]),
        ("418 Teapot", "NEW", ["NEW: no", "see that the endpoint is that of Cloud KMS"]),
        ("403 Forbidden", "", ["status 403: no", "roles/cloudkms.signer"]),
        ("401 Unauthorized", "", ["status 401: no", "what stands between"]),
    ] {
        proxy.spoil(SIGN, [says(status, code, "no")]);
        world.refuse_sign(&key, &words);
        assert_eq!(signs(&proxy), 1, "{status} {code} is not repeated");
    }
    proxy.spoil(SIGN, (0..9).map(|_| says("500 Internal Server Error", "INTERNAL", "oops")));
    world.refuse_sign(&key, &["INTERNAL: oops", "status.cloud.google.com"]);
    assert_eq!(signs(&proxy), 4);
    let off = r#"{"error":{"status":"PERMISSION_DENIED","message":"off","details":[{"reason":"SERVICE_DISABLED"}]}}"#;
    proxy.spoil(READ, [Fault::Answer { status: "403 Forbidden", headers: Vec::new(), body: off.to_owned() }]);
    world.refuse_sign(&key, &["gcloud services enable cloudkms.googleapis.com"]);
}

/// An answer with another number in the field.
pub(super) fn number(field: &'static str) -> Fault {
    Fault::Change(Box::new(move |body: String| {
        let mut json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(json[field].is_string());
        json[field] = serde_json::json!("1");
        json.to_string()
    }))
}

/// An answer that lacks the field.
pub(super) fn without(field: &'static str) -> Fault {
    Fault::Change(Box::new(move |body: String| {
        let mut json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(json.as_object_mut().unwrap().remove(field).is_some());
        json.to_string()
    }))
}

/// E.2 34: wrong or missing, of what was sent and of what came back.
#[test]
fn checksums_are_demanded_both_ways() {
    let Some((_server, proxy, world, key)) = faulty() else { return };
    let changed = "the signature changed on the way: its CRC-32C does not match";
    let unseen = "does not say that what it signed arrived whole";
    let pem = "the public key changed on the way: its CRC-32C does not match";
    for (word, fault, why) in [
        (SIGN, number("signatureCrc32c"), changed),
        (SIGN, without("signatureCrc32c"), changed),
        (SIGN, without("verifiedDigestCrc32c"), unseen),
        (SIGN, Fault::replace("\"verifiedDigestCrc32c\": true", "\"verifiedDigestCrc32c\": false"), unseen),
        (READ, number("pemCrc32c"), pem),
        (READ, without("pemCrc32c"), pem),
    ] {
        proxy.spoil(word, [fault]);
        world.refuse_sign(&key, &[why]);
        assert!(signs(&proxy) <= 1);
    }
    proxy.spoil(SIGN, [without("verifiedDataCrc32c")]);
    world.refuse_sign(&uri("ed25519"), &[unseen]);
}

/// E.2 29: of another key, torn, in another form, each with the right name and a right checksum.
#[test]
fn a_wrong_signature_is_withheld() {
    let Some((server, proxy, world, key)) = faulty() else { return };
    server.make_key("another");
    for (what, signature) in wrong_signatures::der(&world, &key, &uri("another")) {
        proxy.take();
        let (text, sum) = (STANDARD.encode(&signature), crc32c(&signature).to_string());
        let (signed, summed) = (
            wrong_signatures::with_field("signature", text),
            wrong_signatures::with_field("signatureCrc32c", sum),
        );
        proxy.spoil(SIGN, [Fault::Change(Box::new(move |body| summed(signed(body))))]);
        let said = world.refuse_sign(&key, &[&uri("p256")]);
        assert!(!said.contains("CRC"), "{what}: {said}");
        assert_eq!(signs(&proxy), 1, "{what}: a wrong one is not asked for again");
    }
}

/// Bit by bit, as RFC 9260 appendix A has it.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 })
    })
}

/// E.2 34: of another version, key or algorithm. E.2 29: over something else.
#[test]
fn answers_that_are_not_ours_are_withheld() {
    let Some((server, proxy, world, key)) = faulty() else { return };
    server.make_key("other");
    proxy.spoil(SIGN, [Fault::replace("p256/cryptoKeyVersions/1", "p256/cryptoKeyVersions/2")]);
    world.refuse_sign(&key, &["Cloud KMS signed with another version: expected projects/rig", "Versions/2"]);
    proxy.spoil(READ, [Fault::replace("p256/cryptoKeyVersions/1", "other/cryptoKeyVersions/1")]);
    world.refuse_sign(&key, &["Cloud KMS answers for another version", "found projects/rig"]);
    proxy.spoil(LIST, [Fault::replace("p256/cryptoKeyVersions/1", "other/cryptoKeyVersions/1")]);
    world.refuse_sign(&uri("p256"), &["Cloud KMS answers for another key"]);
    proxy.spoil(READ, [Fault::replace("\"algorithm\": 12", "\"algorithm\": 13")]);
    world.refuse_sign(&key, &["the answer says EC_SIGN_P384_SHA384, and its public key is P-256"]);
    proxy.spoil(READ, [Fault::replace("\"algorithm\": 12", "\"algorithm\": 4711")]);
    world.refuse_sign(&key, &["with which nothing is signed here"]);
    proxy.take();
    // By the right name and with a right checksum, over something else.
    let twice = FaultProxy::new(server.address());
    let second = at(&server, twice.address());
    second.ok(&["sign-blob", "--tlog-upload=false", "--key", &key, "--bundle", "b.json", "changed"]);
    let wrong = twice.take().0.into_iter().find(|request| request.path().contains(SIGN)).unwrap();
    let stolen = crate::support::exchange::forward(server.address(), &wrong);
    let body = String::from_utf8(stolen.body).unwrap();
    proxy.spoil(SIGN, [Fault::Answer { status: "200 OK", headers: Vec::new(), body }]);
    world.refuse_sign(&key, &["is withheld"]);
    assert_eq!(signs(&proxy), 1, "a wrong signature is not asked for again");
    for junk in ["", "junk", "[]", "{\"name\": 7}", "<html>\u{1b}[2J</html>"] {
        for word in [READ, SIGN] {
            let body = junk.to_owned();
            proxy.spoil(word, [Fault::Answer { status: "200 OK", headers: Vec::new(), body }]);
            let why = format!("the answer of http://{} is not that of Cloud KMS", proxy.address());
            let said = world.refuse_sign(&key, &[&why, "see that the endpoint is that of Cloud KMS"]);
            assert!(!said.contains('\u{1b}') && !said.contains("html"), "{said}");
        }
    }
    let large =
        Fault::Answer { status: "200 OK", headers: Vec::new(), body: " ".repeat(4 * 1024 * 1024 + 1) };
    proxy.spoil(READ, [large]);
    world.refuse_sign(&key, &["is larger than 4194304 bytes"]);
    let long = format!("\u{1b}[31mred \u{7} {}", "word ".repeat(500));
    proxy.spoil(SIGN, [says("400 Bad Request", "INVALID_ARGUMENT", &long)]);
    let said = world.refuse_sign(&key, &["red"]);
    assert!(!said.contains('\u{1b}') && !said.contains('\u{7}') && said.len() < 2000, "{said}");
}

/// E.2 35.
#[test]
fn the_time_limit_holds() {
    let Some((_server, proxy, world, key)) = faulty() else { return };
    for word in [READ, SIGN] {
        proxy.spoil(word, [Fault::Slow(Duration::from_secs(20))]);
        world.refuse_sign_with(&key, &["--timeout", "700ms"], &["the time limit passed", "--timeout"]);
        proxy.take();
    }
}

#[test]
fn a_redirect_takes_the_token_nowhere_else() {
    let Some((server, proxy, world, key)) = faulty() else { return };
    let foreign = FaultProxy::new(server.address());
    let elsewhere = format!("http://{}/v1/x?secret=1", foreign.address());
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        for word in [READ, SIGN] {
            proxy.spoil(word, [Fault::with_header(status, "location", &elsewhere)]);
            world.refuse_sign(&key, &["redirects to http://127.0.0.1", "credentials do not go along"]);
        }
    }
    assert_eq!(foreign.take().1, 0, "nobody comes to the other host");
}
