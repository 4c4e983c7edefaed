//! How often Cloud KMS is asked: a budget, counted between the two.

use serde_json::json;

use super::at;
use crate::support::cloudkms::{CloudKms, RING, uri};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::stderr;

/// Method and last part of each path.
fn asked(proxy: &FaultProxy) -> Vec<String> {
    let short = |asked: &String| {
        let path = asked.split('?').next().unwrap_or_default();
        path.rsplit(['/', ':']).next().unwrap_or_default().to_owned()
    };
    proxy.asked().iter().map(short).collect()
}

#[test]
fn one_signature_is_three_calls_and_two_with_a_version() {
    let Some(server) = CloudKms::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    world.sign(&uri("p256"), "b.json");
    let (requests, connections) = proxy.take();
    assert_eq!(requests.len(), 3);
    // A busy machine may not have put the first connection back before the second request.
    assert!((1..=2).contains(&connections), "{connections} connections");
    assert!(requests[0].path().contains("filter=state%3DENABLED"), "{}", requests[0].path());
    assert!(requests[1].path().contains("/cryptoKeys/p256/cryptoKeyVersions/1/publicKey?"));
    assert!(requests[2].path().contains("/cryptoKeys/p256/cryptoKeyVersions/1:asymmetricSign?"));
    let body: serde_json::Value = serde_json::from_slice(&requests[2].body).unwrap();
    assert!(body["digest"]["sha256"].is_string() && body["digestCrc32c"].is_string(), "{body}");
    for end in ["/cryptoKeyVersions/1", "/versions/1"] {
        world.sign(&format!("{}{end}", uri("p256")), "b.json");
        assert_eq!(asked(&proxy), ["publicKey", "asymmetricSign"]);
    }
    world.verify(&uri("p256"), "b.json");
    assert_eq!(asked(&proxy), ["cryptoKeyVersions", "publicKey"]);
    world.verify(&format!("{}/versions/1", uri("p256")), "b.json");
    assert_eq!(asked(&proxy), ["publicKey"]);
    world.ok(&["public-key", "--key", &uri("p256"), "--outfile", "p256.pub"]);
    proxy.take();
    world.verify("p256.pub", "b.json");
    assert!(asked(&proxy).is_empty(), "a saved key needs no service");
}

#[test]
fn a_batch_opens_once() {
    let Some(server) = CloudKms::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    let names: Vec<String> = (0..20).map(|number| format!("file{number}")).collect();
    for name in &names {
        std::fs::write(world.path(name), name).unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let key = uri("p256");
    let sign = ["sign-blob", "--tlog-upload=false", "--key", &key];
    let said = stderr(&world.ok(&[&sign[..], &names].concat()));
    assert!(said.contains(&format!("Signed 20 of 20 files with {key}/cryptoKeyVersions/1")), "{said}");
    let asked = asked(&proxy);
    let signed = asked.iter().filter(|name| *name == "asymmetricSign").count();
    assert_eq!((signed, asked.len()), (20, 22));
}

/// E.2 30: what was opened is what signs, whatever is made meanwhile.
#[test]
fn a_rotation_between_two_calls_changes_nothing() {
    let Some(server) = CloudKms::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    let key = server.make_key("rotating");
    let first = format!("{key}/cryptoKeyVersions/1");
    world.ok(&["public-key", "--key", &key, "--outfile", "first.pub"]);
    let other = CloudKms::shared().unwrap();
    let rotate = move |body| {
        other.change(&json!({ "rotate": format!("{RING}/cryptoKeys/rotating") }));
        body
    };
    proxy.spoil("publicKey", [Fault::Change(Box::new(rotate))]);
    world.sign(&key, "b.json");
    world.verify("first.pub", "b.json");
    world.verify(&first, "b.json");
    // The newest is chosen from now on.
    world.refuse_verify(&key, "b.json", &["another key"]);
    world.sign(&key, "second.json");
    world.verify(&format!("{key}/versions/2"), "second.json");
    server.set_state("rotating", 2, "DISABLED");
    world.verify(&key, "b.json");
}
