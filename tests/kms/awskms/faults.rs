//! Faults between the service and us, which ministack does not make by itself: E.2 29, 34, 35.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{World, at};
use crate::kms::wrong_signatures;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::ministack::Ministack;

const KEY: &str = "awskms:///alias/p256";

fn faulty() -> Option<(std::sync::Arc<Ministack>, FaultProxy, World)> {
    let server = Ministack::shared()?;
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    Some((server, proxy, world))
}

/// As the service refuses: a code, and for people a text.
pub(super) fn says(status: &'static str, code: &str, message: &str) -> Fault {
    let body = format!("{{\"__type\":\"{code}\",\"message\":\"{message}\"}}");
    Fault::Answer { status, headers: vec![("content-type", "application/x-amz-json-1.1".to_owned())], body }
}

pub(super) fn throttled() -> Fault {
    says("400 Bad Request", "ThrottlingException", "Rate exceeded")
}

/// An answer whose signature has another letter.
pub(super) fn spoiled(body: String) -> String {
    let at = body.find("\"Signature\": \"").expect("a signature") + 14 + 40;
    let other = if body[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &body[..at], &body[at + 1..])
}

#[test]
fn throttling_is_waited_for_and_its_end_is_told() {
    let Some((_server, proxy, world)) = faulty() else { return };
    proxy.spoil("Sign", [throttled(), throttled()]);
    world.sign(KEY, "b.json");
    assert_eq!(proxy.operations(), ["GetPublicKey", "Sign", "Sign", "Sign"]);
    world.verify(KEY, "b.json");
    proxy.take();
    proxy.spoil("Sign", (0..9).map(|_| throttled()));
    world.refuse_sign(KEY, &["ThrottlingException: Rate exceeded", "--max-rate"]);
    assert_eq!(proxy.operations().len(), 5, "four tries");
}

#[test]
fn troubles_of_the_moment_are_tried_again_and_refusals_are_not() {
    let Some((_server, proxy, world)) = faulty() else { return };
    let internal = || says("500 Internal Server Error", "KMSInternalException", "try later");
    let busy = says("400 Bad Request", "KeyUnavailableException", "later");
    proxy.spoil("GetPublicKey", [internal(), Fault::Cut]);
    proxy.spoil("Sign", [busy, Fault::CutInside]);
    world.sign(KEY, "b.json");
    assert_eq!(proxy.operations().len(), 6);
    for (code, words) in [
        ("AccessDeniedException", ["kms:Sign is not allowed to the access key", "allow kms:Sign on the key"]),
        ("ExpiredTokenException", ["have expired", "aws sso login"]),
        ("UnrecognizedClientException", ["are not accepted", "access key and secret belong together"]),
        ("KMSInvalidStateException", ["key/x is pending import", "cancel-key-deletion"]),
        ("SomethingNewException", ["KMS says: SomethingNewException", "key/x is pending import"]),
    ] {
        proxy.spoil("Sign", [says("400 Bad Request", code, "key/x is pending import")]);
        world.refuse_sign(KEY, &words);
        assert_eq!(proxy.operations(), ["GetPublicKey", "Sign"], "{code} is not repeated");
    }
}

/// E.2 34: of another key, by another algorithm; and the same of the public key.
#[test]
fn answers_that_are_not_ours_are_withheld() {
    let Some((server, proxy, world)) = faulty() else { return };
    let other = server.make_key("alias/other", "ECC_NIST_P256", "SIGN_VERIFY");
    let own = world.ok(&["keys", "list", KEY]);
    let own = crate::support::stdout(&own);
    let own = own.split("key/").nth(1).and_then(|text| text.split_whitespace().next()).unwrap().to_owned();
    proxy.take();
    proxy.spoil("Sign", [Fault::replace(&own, &other)]);
    world.refuse_sign(KEY, &["KMS signed with another key: expected arn:aws:kms", &other]);
    proxy.spoil("Sign", [Fault::replace("ECDSA_SHA_256", "ECDSA_SHA_384")]);
    world.refuse_sign(KEY, &["KMS signed with another algorithm"]);
    proxy.spoil("Sign", [Fault::Change(Box::new(spoiled))]);
    world.refuse_sign(KEY, &["is withheld"]);
    proxy.spoil("GetPublicKey", [Fault::replace(&own, &other)]);
    let by_id = format!("awskms:///{own}");
    world.refuse_sign(&by_id, &["KMS answers for another key"]);
    proxy.spoil("GetPublicKey", [Fault::replace("ECC_NIST_P256", "ECC_NIST_P384")]);
    world.refuse_sign(KEY, &["says P-384, and its public key is P-256"]);
    proxy.spoil("GetPublicKey", [Fault::status("200 OK", "junk")]);
    world.refuse_sign(KEY, &["cannot open"]);
    proxy.spoil(
        "GetPublicKey",
        [Fault::with_header("307 Temporary Redirect", "location", "https://x.example.com")],
    );
    world.refuse_sign(KEY, &["status 307"]);
}

/// E.2 29: of another key, torn, in another form.
#[test]
fn a_wrong_signature_is_withheld() {
    let Some((server, proxy, world)) = faulty() else { return };
    server.make_key("alias/another", "ECC_NIST_P256", "SIGN_VERIFY");
    for (what, signature) in wrong_signatures::der(&world, KEY, "awskms:///alias/another") {
        proxy.take();
        let change = wrong_signatures::with_field("Signature", STANDARD.encode(signature));
        proxy.spoil("Sign", [Fault::Change(Box::new(change))]);
        world.refuse_sign(KEY, &["awskms:///arn:aws:kms:us-east-1:"]);
        assert_eq!(
            proxy.operations(),
            ["GetPublicKey", "Sign"],
            "{what}: a wrong one is not asked for again"
        );
    }
}

/// E.2 35.
#[test]
fn the_time_limit_holds() {
    let Some((_server, proxy, world)) = faulty() else { return };
    for word in ["GetPublicKey", "Sign"] {
        proxy.spoil(word, [Fault::Slow(std::time::Duration::from_secs(5))]);
        world.refuse_sign_with(KEY, &["--timeout", "700ms"], &["the time limit passed", "--timeout"]);
        proxy.take();
    }
}
