//! The real Cosign on the same plugin, both ways. What it cannot do is written down here, since a later one may.

use super::world;
use crate::kms::matrix::{self, Service};
use crate::kms::world::World;
use crate::support::sample_plugin::{KEYS, SamplePlugin};
use crate::support::{self, stderr};

fn cosign(world: &World, arguments: &[&str]) -> bool {
    let output = support::run(&mut world.prepare(support::cosign().unwrap(), arguments));
    eprintln!("{arguments:?}: {}", stderr(&output));
    output.status.success()
}

/// Whether Cosign accepts a bundle with a key.
fn cosign_verifies(world: &World, key: &str, bundle: &str) -> bool {
    cosign(world, &["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", bundle, "blob"])
}

fn cosign_signs(world: &World, key: &str, bundle: &str) -> bool {
    let flags = ["--yes", "--tlog-upload=false", "--use-signing-config=false"];
    cosign(world, &[&["sign-blob"], &flags[..], &["--key", key, "--bundle", bundle, "blob"]].concat())
}

#[test]
fn cosign_and_we_accept_each_other_as_the_matrix_says() {
    let Some(plugin) = SamplePlugin::with_keys(&KEYS) else { return };
    let uri = |key: &str| format!("sample://{key}");
    matrix::run(Service { scheme: "sample", world: world(&plugin), keys: &KEYS, uri, cosign: Vec::new() });
}

#[test]
fn cosign_makes_the_key_and_we_sign_with_it() {
    let (Some(plugin), Some(_)) = (SamplePlugin::with_keys(&[]), support::cosign()) else { return };
    let mut world = world(&plugin);
    world.set("HOME", world.path("").to_str().unwrap());
    let uri = "sample://made-by-cosign";
    assert!(cosign(&world, &["generate-key-pair", "--kms", uri]));
    world.sign(uri, "b.json");
    world.verify("cosign.pub", "b.json");
    assert!(cosign_verifies(&world, "cosign.pub", "b.json") && cosign_verifies(&world, uri, "b.json"));
    // Its public-key and ours are the same bytes.
    let theirs = support::run(&mut world.prepare(support::cosign().unwrap(), &["public-key", "--key", uri]));
    assert_eq!(theirs.stdout, world.ok(&["public-key", "--key", uri]).stdout);
}

/// Cosign takes a signature from a plugin that failed; we do not (reference: exit status ignored).
#[test]
fn cosign_ignores_the_exit_status() {
    let (Some(plugin), Some(_)) = (SamplePlugin::with_keys(&["p256"]), support::cosign()) else { return };
    let mut world = world(&plugin);
    world.set("HOME", world.path("").to_str().unwrap());
    world.set("SAMPLE_FAULT", "exit:signMessage");
    assert!(cosign_signs(&world, super::KEY, "theirs.json"));
    world.refuse_sign(super::KEY, &["ended with exit status: 7"]);
}
