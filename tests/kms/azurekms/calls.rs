//! How often Azure is asked: a budget, counted between the two.

use serde_json::json;

use super::at;
use crate::support::azure::{Azure, VAULT};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::stderr;

/// What a request is, by its path.
fn kinds(proxy: &FaultProxy) -> Vec<&'static str> {
    let kind = |asked: &String| match asked.as_str() {
        asked if asked.starts_with("POST") && asked.contains("/oauth2/v2.0/token") => "login",
        asked if asked.starts_with("POST") && asked.contains("/sign?") => "sign",
        asked if asked.starts_with("GET /keys/") => "key",
        _ => "other",
    };
    proxy.asked().iter().map(kind).collect()
}

#[test]
fn one_signature_is_two_calls_beside_challenge_and_login_and_one_verification_one() {
    let Some(server) = Azure::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, &proxy);
    let uri = format!("azurekms://{VAULT}/p256");
    world.sign(&uri, "b.json");
    let (requests, connections) = proxy.take();
    let hosts: Vec<_> = requests.iter().filter_map(|request| request.header("host")).collect();
    assert_eq!(hosts, [VAULT, "login.microsoftonline.com", VAULT, VAULT]);
    // A busy machine may not have put a connection back before the next request.
    assert!(connections < requests.len(), "{connections} connections to two hosts");
    let bears: Vec<_> = requests.iter().map(|request| request.header("authorization").is_some()).collect();
    assert_eq!(bears, [false, false, true, true]);
    let path = requests[3].path();
    assert!(path.starts_with("/keys/p256/") && path.contains("/sign?api-version="), "{path}");
    let version = path.split('/').nth(3).unwrap();
    assert_eq!(version.len(), 32, "the version itself is asked: {path}");
    assert!(!String::from_utf8_lossy(&requests[3].body).contains("to be signed"), "only the digest goes");
    world.verify(&uri, "b.json");
    assert_eq!(kinds(&proxy), ["key", "login", "key"]);
    world.ok(&["public-key", "--key", &uri, "--outfile", "p256.pub"]);
    assert_eq!(kinds(&proxy), ["key", "login", "key"]);
    world.verify("p256.pub", "b.json");
    assert!(kinds(&proxy).is_empty(), "a saved key needs no service");
}

#[test]
fn a_batch_opens_once() {
    let Some(server) = Azure::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, &proxy);
    let names: Vec<String> = (0..40).map(|number| format!("file{number}")).collect();
    for name in &names {
        std::fs::write(world.path(name), name).unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let uri = format!("azurekms://{VAULT}/p256");
    let sign = ["sign-blob", "--tlog-upload=false", "--key", &uri];
    let said = stderr(&world.ok(&[&sign[..], &names].concat()));
    assert!(said.contains(&format!("Signed 40 of 40 files with azurekms://{VAULT}/p256/")), "{said}");
    let asked = kinds(&proxy);
    let count = |kind: &str| asked.iter().filter(|one| **one == kind).count();
    assert_eq!((count("key"), count("login"), count("sign"), asked.len()), (2, 1, 40, 43));
}

/// E.2 30: what was opened is what signs, whatever version is the newest meanwhile.
#[test]
fn a_rotation_between_two_calls_changes_nothing() {
    let Some(server) = Azure::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, &proxy);
    let make = "make/rotated.vault.azure.net/k";
    server.call(make, &json!({ "kty": "EC" }));
    let uri = "azurekms://rotated.vault.azure.net/k";
    world.ok(&["public-key", "--key", uri, "--outfile", "first.pub"]);
    let other = Azure::shared().unwrap();
    let rotate = move |body| {
        other.call(make, &json!({ "kty": "EC" }));
        body
    };
    proxy.spoil("/keys/k/?", [Fault::Pass, Fault::Change(Box::new(rotate))]);
    world.sign(uri, "b.json");
    world.verify("first.pub", "b.json");
    world.refuse_verify(uri, "b.json", &["another key"]);
}
