//! Faults between the service and us, which the stand-in does not make by itself: E.2 29, 34, 35.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{World, at};
use crate::kms::wrong_signatures;
use crate::support::azure::Azure;
use crate::support::fault_proxy::{Fault, FaultProxy};

const KEY: &str = "azurekms://rig.vault.azure.net/p256";
/// In the path of a request for the key in its newest version, and for a signature.
const GET: &str = "/p256/?";
const SIGN: &str = "/sign?";
const LOGIN: &str = "/oauth2/";

fn faulty() -> Option<(Arc<Azure>, FaultProxy, World)> {
    let server = Azure::shared()?;
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, &proxy);
    Some((server, proxy, world))
}

/// As the service refuses: a code, perhaps an inner one, and for people a text.
pub(super) fn says(status: &'static str, code: &str, inner: &str, message: &str) -> Fault {
    let body = json!({ "error": { "code": code, "message": message, "innererror": { "code": inner } } });
    let headers = vec![("content-type", "application/json".to_owned())];
    Fault::Answer { status, headers, body: body.to_string() }
}

pub(super) fn throttled(after: Option<&str>) -> Fault {
    let body = r#"{"error":{"code":"Throttled","message":"Request was not processed because too many requests were received."}}"#;
    let headers = after.map(|after| ("retry-after", after.to_owned())).into_iter().collect();
    Fault::Answer { status: "429 Too Many Requests", headers, body: body.to_owned() }
}

/// A signature with other bits.
pub(super) fn spoiled(body: String) -> String {
    let at = body.find("\"value\": \"").expect("a signature") + 10 + 40;
    let other = if body[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &body[..at], &body[at + 1..])
}

fn count(proxy: &FaultProxy, word: &str) -> usize {
    proxy.asked().iter().filter(|path| path.contains(word)).count()
}

#[test]
fn throttling_is_waited_for_and_its_end_is_told() {
    let Some((_server, proxy, world)) = faulty() else { return };
    proxy.spoil(SIGN, [throttled(None), throttled(Some("1"))]);
    let started = std::time::Instant::now();
    world.sign(KEY, "b.json");
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After is waited for");
    assert_eq!(count(&proxy, SIGN), 3);
    world.verify(KEY, "b.json");
    proxy.take();
    proxy.spoil(SIGN, (0..9).map(|_| throttled(None)));
    world.refuse_sign(KEY, &["too many requests", "--max-rate"]);
    assert_eq!(count(&proxy, SIGN), 4, "three more tries, no more");
    proxy.spoil(SIGN, [throttled(Some("3600"))]);
    world.refuse_sign(KEY, &["too many requests"]);
    assert_eq!(count(&proxy, SIGN), 1, "an hour is not waited for");
    // So is the login's, and the key's.
    proxy.spoil(LOGIN, [throttled(None)]);
    proxy.spoil(GET, [throttled(None)]);
    world.sign(KEY, "b.json");
    proxy.take();
    proxy.spoil(LOGIN, (0..9).map(|_| throttled(None)));
    world.refuse_sign(KEY, &["the login by AZURE_CLIENT_SECRET is"]);
    assert_eq!(count(&proxy, LOGIN), 4);
}

#[test]
fn trouble_of_the_moment_passes_and_refusals_stay() {
    let Some((_server, proxy, world)) = faulty() else { return };
    let trouble = || says("500 Internal Server Error", "InternalServerError", "", "storage is away");
    proxy.spoil(SIGN, [trouble()]);
    // Challenge, login and answer are one call, which is tried four times.
    proxy.spoil(GET, [Fault::Cut, Fault::Pass, Fault::CutInside]);
    world.sign(KEY, "b.json");
    proxy.take();
    proxy.spoil(LOGIN, [trouble(), Fault::Cut]);
    world.sign(KEY, "b.json");
    world.verify(KEY, "b.json");
    proxy.take();
    proxy.spoil(SIGN, (0..9).map(|_| trouble()));
    world.refuse_sign(KEY, &["storage is away", "try again"]);
    assert_eq!(count(&proxy, SIGN), 4);
    for (fault, words) in [
        (
            says("403 Forbidden", "Forbidden", "ForbiddenByRbac", "Caller is not authorized"),
            vec!["keys/sign is not allowed", "Key Vault Crypto User"],
        ),
        (
            says("403 Forbidden", "Forbidden", "ForbiddenByFirewall", "Client address is not authorized"),
            vec!["ForbiddenByFirewall", "the vault's firewall"],
        ),
        (
            says(
                "403 Forbidden",
                "Forbidden",
                "KeyDisabled",
                "Operation sign is not allowed on a disabled key.",
            ),
            vec!["the key is disabled", "--vault-name rig --name p256"],
        ),
        (says("403 Forbidden", "Forbidden", "KeyExpired", "x"), vec!["the key has expired", "key rotate"]),
        (says("403 Forbidden", "Forbidden", "KeyNotYetValid", "x"), vec!["the key is not yet valid"]),
        (
            says("403 Forbidden", "Forbidden", "KeyOperationForbidden", "x"),
            vec!["KeyOperationForbidden", "make a key that signs"],
        ),
        (
            says("400 Bad Request", "BadParameter", "", "no such algorithm"),
            vec!["BadParameter: no such algorithm"],
        ),
        (says("404 Not Found", "KeyNotFound", "", "x"), vec!["has no key p256/"]),
    ] {
        proxy.spoil(SIGN, [fault]);
        world.refuse_sign(KEY, &words);
        assert_eq!(count(&proxy, SIGN), 1, "a refusal is not repeated: {words:?}");
    }
}

#[test]
fn an_expired_token_is_replaced_once() {
    let Some(server) = Azure::new() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, &proxy);
    let expired = || {
        let challenge = "Bearer authorization=\"https://login.microsoftonline.com/x\", resource=\"https://vault.azure.net\", error=\"invalid_token\"";
        let headers = vec![("www-authenticate", challenge.to_owned())];
        Fault::Answer {
            status: "401 Unauthorized",
            headers,
            body: r#"{"error":{"code":"Unauthorized","message":"AKV10046: expired"}}"#.to_owned(),
        }
    };
    proxy.spoil(SIGN, [expired()]);
    world.sign(KEY, "b.json");
    proxy.take();
    proxy.spoil(SIGN, [expired(), expired()]);
    world.refuse_sign(KEY, &["the token of AZURE_CLIENT_SECRET is not accepted", "AKV10046", "clock"]);
    assert_eq!(count(&proxy, SIGN), 2);
    // One that the service forgets between two calls.
    let other = Arc::new(server);
    let forgetful = Arc::clone(&other);
    let forget = move |body| {
        forgetful.call("forget-tokens", &json!({}));
        body
    };
    proxy.spoil(GET, [Fault::Pass, Fault::Change(Box::new(forget))]);
    world.refuse_sign(KEY, &["is not accepted"]);
}

/// E.2 34: of another key, version or vault, and a public key that does not fit together.
#[test]
fn answers_that_are_not_of_this_key_are_refused() {
    let Some((server, proxy, world)) = faulty() else { return };
    server.call("make/rig.vault.azure.net/other", &json!({ "kty": "EC" }));
    let made = server.call("make/answers.vault.azure.net/k", &json!({ "kty": "EC" }));
    let version = made["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let another = version.chars().rev().collect::<String>();
    let key = "azurekms://answers.vault.azure.net/k";
    let words = ["the vault signed with another key or version: expected https://answers"];
    for (old, new) in
        [("/keys/k/", "/keys/other/"), (version.as_str(), another.as_str()), ("answers.", "others.")]
    {
        proxy.spoil(SIGN, [Fault::replace(old, new)]);
        world.refuse_sign(key, &words);
    }
    // The key itself, by its newest version and by one that was named.
    for (old, new) in [
        ("/keys/k/", "/keys/other/"),
        ("answers.", "others."),
        ("https://", "http://"),
        (&format!("/{version}"), ""),
    ] {
        proxy.spoil("/keys/k/?", [Fault::Pass, Fault::replace(old, new)]);
        world.refuse_sign(key, &["the vault answers for another key: expected azurekms://answers"]);
        proxy.take();
    }
    proxy.spoil("/keys/k/", [Fault::Pass, Fault::replace(&version, &another)]);
    world.refuse_sign(&format!("{key}/{version}"), &["the vault answers for another key"]);
    proxy.take();
    for (old, new, word) in [
        ("\"crv\": \"P-256\"", "\"crv\": \"P-384\"", "cannot open"),
        ("\"crv\": \"P-256\"", "\"curve\": \"P-256\"", "has no curve"),
        ("\"x\": \"", "\"x\": \"AAAA", "x is too long for P-256"),
        ("\"y\": \"", "\"z\": \"", "the answer's key has no y"),
        ("\"kty\": \"EC\"", "\"kind\": \"EC\"", "the answer's key has no type"),
        ("\"key\":", "\"lock\":", "the answer has no key"),
    ] {
        proxy.spoil("/keys/k/?", [Fault::Pass, Fault::replace(old, new)]);
        world.refuse_sign(key, &[word]);
        proxy.take();
    }
}

/// E.2 29: of another key, torn, in another form.
#[test]
fn a_wrong_signature_is_withheld() {
    let Some((server, proxy, world)) = faulty() else { return };
    server.call("make/rig.vault.azure.net/another", &json!({ "kty": "EC" }));
    for (what, signature) in wrong_signatures::raw(&world, KEY, "azurekms://rig.vault.azure.net/another") {
        proxy.take();
        let change = wrong_signatures::with_field("value", URL_SAFE_NO_PAD.encode(signature));
        proxy.spoil(SIGN, [Fault::Change(Box::new(change))]);
        world.refuse_sign(KEY, &["azurekms://rig.vault.azure.net/p256/"]);
        assert_eq!(count(&proxy, SIGN), 1, "{what}: a wrong one is not asked for again");
    }
}

#[test]
fn wrong_signatures_and_junk_are_withheld() {
    let Some((_server, proxy, world)) = faulty() else { return };
    proxy.spoil(SIGN, [Fault::Change(Box::new(spoiled))]);
    world.refuse_sign(KEY, &["is withheld"]);
    proxy.spoil(SIGN, [Fault::replace("\"value\": \"", "\"value\": \"AAAA")]);
    world.refuse_sign(KEY, &["cannot sign with azurekms"]);
    proxy.spoil(SIGN, [Fault::replace("\"value\"", "\"values\"")]);
    world.refuse_sign(KEY, &["the answer has no signature"]);
    for word in [SIGN, GET] {
        for body in ["<html>", "", "[]"] {
            let junk = || Fault::Answer { status: "200 OK", headers: Vec::new(), body: body.to_owned() };
            proxy.spoil(word, [junk()]);
            world.refuse_sign(KEY, &["the answer"]);
            proxy.take();
        }
    }
    let junk = || Fault::Answer { status: "200 OK", headers: Vec::new(), body: "<html>".to_owned() };
    proxy.spoil(LOGIN, [junk()]);
    world.refuse_sign(KEY, &["AZURE_CLIENT_SECRET"]);
    let challenge = Fault::Answer {
        status: "401 Unauthorized",
        headers: vec![("www-authenticate", "Basic realm=\"x\"".to_owned())],
        body: String::new(),
    };
    proxy.take();
    proxy.spoil(GET, [challenge]);
    world.refuse_sign(KEY, &["cannot open"]);
    assert_eq!(count(&proxy, LOGIN), 0);
}

/// A list whose next page is elsewhere, and redirects: no token follows.
#[test]
fn no_token_goes_to_another_host() {
    let Some((server, proxy, world)) = faulty() else { return };
    let elsewhere = "https://others.vault.azure.net/keys/p256/x/sign";
    for word in [SIGN, GET, LOGIN] {
        proxy.spoil(word, [Fault::with_header("307 Temporary Redirect", "location", elsewhere)]);
        world.refuse_sign(
            KEY,
            &[if word == LOGIN { "status 307" } else { "redirects, and credentials do not go along" }],
        );
        let (requests, _) = proxy.take();
        let to: Vec<_> = requests.iter().filter_map(|request| request.header("host")).collect();
        assert!(!to.contains(&"others.vault.azure.net"), "{to:?}");
    }
    for number in 0..5 {
        server.call(&format!("make/pages.vault.azure.net/k{number}"), &json!({ "kty": "EC" }));
    }
    let next =
        || Fault::replace("https://pages.vault.azure.net/keys?", "https://others.vault.azure.net/keys?");
    proxy.spoil("/keys?", [Fault::Pass, next()]);
    let list = ["keys", "list", "azurekms://pages.vault.azure.net"];
    world.refuse(&list, &["the service names an address on https://others.vault.azure.net"]);
    let (requests, _) = proxy.take();
    assert!(requests.iter().all(|request| request.header("host") != Some("others.vault.azure.net")));
    let foreign =
        || Fault::replace("https://pages.vault.azure.net/keys/k0", "https://others.vault.azure.net/keys/k0");
    proxy.spoil("/keys?", [Fault::Pass, foreign()]);
    world.refuse(&list, &["the list holds the key of another vault: https://others.vault.azure.net/keys/k0"]);
}

/// E.2 35: inside the login too.
#[test]
fn the_time_limit_holds() {
    let Some((_server, proxy, world)) = faulty() else { return };
    for word in [SIGN, GET, LOGIN] {
        proxy.spoil(word, [Fault::Slow(Duration::from_secs(5))]);
        world.refuse_sign_with(KEY, &["--timeout", "700ms"], &["the time limit passed", "--timeout"]);
        proxy.take();
    }
}
