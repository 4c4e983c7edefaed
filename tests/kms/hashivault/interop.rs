//! The real Cosign on the same server, both ways. What it cannot do is written down here, since a later one may.

use super::{World, world};
use crate::support::openbao::{KEYS, OpenBao};
use crate::support::{self, stderr};

/// Whether Cosign accepts a bundle with a key.
fn cosign_verifies(world: &World, key: &str, bundle: &str) -> bool {
    let arguments = ["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", bundle, "blob"];
    let output = support::run(&mut world.prepare(support::cosign().unwrap(), &arguments));
    output.status.success() && stderr(&output).contains("Verified OK")
}

fn cosign_signs(world: &World, key: &str, bundle: &str) -> bool {
    let arguments = [
        "sign-blob",
        "--yes",
        "--tlog-upload=false",
        "--use-signing-config=false",
        "--key",
        key,
        "--bundle",
        bundle,
        "blob",
    ];
    support::run(&mut world.prepare(support::cosign().unwrap(), &arguments)).status.success()
}

#[test]
fn cosign_and_we_accept_each_other() {
    let (Some(server), Some(_)) = (OpenBao::shared(), support::cosign()) else { return };
    let mut world = world(&server);
    world.set("HOME", world.path("").to_str().unwrap());
    for key in KEYS {
        let (uri, public, ours, theirs) = (
            format!("hashivault://{key}"),
            format!("{key}.pub"),
            format!("our-{key}.json"),
            format!("their-{key}.json"),
        );
        world.ok(&["public-key", "--key", &uri, "--outfile", &public]);
        world.sign(&uri, &ours);
        // Its clients hash with SHA-256 and verify RSA without saying which padding (A.13 2, C.6).
        let by_service = key == "p256";
        let by_file = key != "p384" && key != "p521";
        assert_eq!(cosign_verifies(&world, &uri, &ours), by_service, "{key}: Cosign with the service");
        assert_eq!(cosign_verifies(&world, &public, &ours), by_file, "{key}: Cosign with the saved key");
        let it_can = key == "p256" || key.starts_with("rsa");
        // Of Ed25519 it signs a digest as if it were the message: a signature that nobody verifies.
        assert_eq!(cosign_signs(&world, &uri, &theirs), it_can || key == "ed25519", "{key}: Cosign signs");
        if it_can {
            world.verify(&uri, &theirs);
            world.verify(&public, &theirs);
        } else if key == "ed25519" {
            world.refuse_verify(&uri, &theirs, &["does not match"]);
            assert!(!cosign_verifies(&world, &uri, &theirs) && !cosign_verifies(&world, &public, &theirs));
        }
    }
}

#[test]
fn cosign_makes_the_key_and_we_sign_with_it() {
    let (Some(server), Some(_)) = (OpenBao::shared(), support::cosign()) else { return };
    let mut world = world(&server);
    world.set("HOME", world.path("").to_str().unwrap());
    let uri = "hashivault://made-by-cosign";
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

/// Cosign reads the latest version alone; a bundle names its key, so we say which version it was.
#[test]
fn after_a_rotation_we_verify_what_cosign_no_longer_does() {
    let (Some(server), Some(_)) = (OpenBao::shared(), support::cosign()) else { return };
    let mut world = world(&server);
    world.set("HOME", world.path("").to_str().unwrap());
    let uri = super::make_key(&server, "cosign-rotated");
    assert!(cosign_signs(&world, &uri, "theirs.json"));
    server.call("POST", "transit/keys/cosign-rotated/rotate", serde_json::json!({}));
    let words = ["the bundle names another key", "hashivault://cosign-rotated?version=1"];
    world.refuse_verify(&uri, "theirs.json", &words);
    world.verify("hashivault://cosign-rotated?version=1", "theirs.json");
}
