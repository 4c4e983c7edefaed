//! The real Cosign on the same server, both ways. What it cannot do is written down here, since a later one may.

use super::{World, world};
use crate::kms::matrix::{self, Service};
use crate::support::ministack::{KEYS, Ministack};
use crate::support::{self, stderr};

/// Whether Cosign accepts a bundle with a key.
fn cosign_verifies(world: &World, key: &str, bundle: &str) -> bool {
    let arguments = ["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", bundle, "blob"];
    let output = support::run(&mut world.prepare(support::cosign().unwrap(), &arguments));
    output.status.success() && stderr(&output).contains("Verified OK")
}

#[test]
fn cosign_and_we_accept_each_other_as_the_matrix_says() {
    let Some(server) = Ministack::shared() else { return };
    let uri = |key: &str| format!("awskms:///alias/{key}");
    matrix::run(Service { scheme: "awskms", world: world(&server), keys: &KEYS, uri, cosign: Vec::new() });
}

#[test]
fn cosign_makes_the_key_and_we_sign_with_it() {
    let (Some(server), Some(_)) = (Ministack::shared(), support::cosign()) else { return };
    let mut world = world(&server);
    world.set("HOME", world.path("").to_str().unwrap());
    let uri = "awskms:///alias/made-by-cosign";
    let output =
        support::run(&mut world.prepare(support::cosign().unwrap(), &["generate-key-pair", "--kms", uri]));
    assert!(output.status.success(), "{}", stderr(&output));
    world.sign(uri, "b.json");
    world.verify("cosign.pub", "b.json");
    assert!(cosign_verifies(&world, "cosign.pub", "b.json"));
    // Its public-key and ours are the same bytes.
    let theirs = support::run(&mut world.prepare(support::cosign().unwrap(), &["public-key", "--key", uri]));
    assert_eq!(theirs.stdout, world.ok(&["public-key", "--key", uri]).stdout);
}
