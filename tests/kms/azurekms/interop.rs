//! The real Cosign on the same server, both ways. What it cannot do is written down here, since a later one may.

use serde_json::json;

use super::{World, world};
use crate::kms::matrix::{self, Service};
use crate::support::azure::{Azure, KEYS, VAULT};
use crate::support::{self, stderr};

/// Whether Cosign accepts a bundle with a key.
fn cosign_verifies(world: &World, key: &str, bundle: &str) -> bool {
    let arguments = ["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", bundle, "blob"];
    let output = support::run(&mut world.prepare(support::cosign().unwrap(), &arguments));
    output.status.success() && stderr(&output).contains("Verified OK")
}

fn cosign_signs(world: &World, key: &str, bundle: &str) -> bool {
    let flags = ["sign-blob", "--yes", "--tlog-upload=false", "--use-signing-config=false"];
    let arguments = [&flags[..], &["--key", key, "--bundle", bundle, "blob"]].concat();
    support::run(&mut world.prepare(support::cosign().unwrap(), &arguments)).status.success()
}

#[test]
fn cosign_and_we_accept_each_other_as_the_matrix_says() {
    let Some(server) = Azure::shared() else { return };
    let uri = |key: &str| format!("azurekms://{VAULT}/{key}");
    matrix::run(Service { scheme: "azurekms", world: world(&server), keys: &KEYS, uri, cosign: Vec::new() });
}

#[test]
fn cosign_makes_the_key_and_we_sign_with_it() {
    let (Some(server), Some(_)) = (Azure::shared(), support::cosign()) else { return };
    let mut world = world(&server);
    world.set("HOME", world.path("").to_str().unwrap());
    let uri = "azurekms://theirs.vault.azure.net/made-by-cosign";
    let output =
        support::run(&mut world.prepare(support::cosign().unwrap(), &["generate-key-pair", "--kms", uri]));
    assert!(output.status.success(), "{}", stderr(&output));
    world.sign(uri, "b.json");
    world.verify("cosign.pub", "b.json");
    assert!(cosign_verifies(&world, "cosign.pub", "b.json"));
    // What it signs there verifies with the key that it exported, by both.
    assert!(cosign_signs(&world, uri, "their.json"));
    assert!(cosign_verifies(&world, "cosign.pub", "their.json"));
    world.verify("cosign.pub", "their.json");
    // Its public-key and ours are the same bytes.
    let theirs = support::run(&mut world.prepare(support::cosign().unwrap(), &["public-key", "--key", uri]));
    assert_eq!(theirs.stdout, world.ok(&["public-key", "--key", uri]).stdout);
    // A version in the URI, and a managed HSM's key.
    let made = server.call("make/theirs.managedhsm.azure.net/k", &json!({ "kty": "EC-HSM" }));
    let version = made["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap();
    let pinned = format!("azurekms://theirs.managedhsm.azure.net/k/{version}");
    assert!(cosign_signs(&world, &pinned, "hsm.json"));
    world.verify(&pinned, "hsm.json");
}
