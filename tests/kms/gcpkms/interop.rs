//! The real Cosign on the same keys, by gRPC and a proxy, both ways. What it cannot do is written down here, since a later one may.

use super::{World, world};
use crate::support::cloudkms::{CloudKms, KEYS, uri};
use crate::support::fault_proxy::FaultProxy;
use crate::support::{self, stderr};

/// What it signs with; it hashes for RSA-4096 with SHA-256 whatever the key says, and knows no Ed25519.
const SIGNS: [&str; 8] = ["p256", "p384", "rsa2048", "rsa3072", "rsa4096", "pss2048", "pss3072", "pss4096"];

/// Runs Cosign, which knows no other address than Google's: the proxy leads there.
fn cosign(server: &CloudKms, world: &World, arguments: &[&str]) -> std::process::Output {
    let proxy = FaultProxy::new(server.variable("RIG_RPC"));
    let mut command = world.prepare(support::cosign().unwrap(), arguments);
    command.env("HTTPS_PROXY", format!("http://{}", proxy.address())).env("NO_PROXY", "").env("no_proxy", "");
    command.env("SSL_CERT_FILE", server.variable("RIG_AUTHORITY"));
    support::run(&mut command)
}

fn cosign_verifies(server: &CloudKms, world: &World, key: &str, bundle: &str) -> bool {
    let arguments = ["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", bundle, "blob"];
    let output = cosign(server, world, &arguments);
    output.status.success() && stderr(&output).contains("Verified OK")
}

#[test]
fn cosign_and_we_accept_each_other() {
    let (Some(server), Some(_)) = (CloudKms::shared(), support::cosign()) else { return };
    let mut world = world(&server);
    world.set("HOME", world.path("").to_str().unwrap());
    let (mut by_file, mut by_service, mut signs) = (Vec::new(), Vec::new(), Vec::new());
    for (key, algorithm) in KEYS {
        let (uri, public, ours, theirs) =
            (uri(key), format!("{key}.pub"), format!("our-{key}.json"), format!("their-{key}.json"));
        world.ok(&["public-key", "--key", &uri, "--outfile", &public]);
        world.sign(&uri, &ours);
        if cosign_verifies(&server, &world, &public, &ours) {
            by_file.push(key);
        }
        if cosign_verifies(&server, &world, &uri, &ours) {
            by_service.push(key);
        }
        let flags = ["sign-blob", "--yes", "--tlog-upload=false", "--use-signing-config=false"];
        let arguments = [&flags[..], &["--key", &uri, "--bundle", &theirs, "blob"]].concat();
        if cosign(&server, &world, &arguments).status.success() {
            signs.push(key);
            let verify = ["verify-blob", "--insecure-ignore-tlog", "--signing-algorithm", algorithm];
            for with in [&uri, &public] {
                world.ok(&[&verify[..], &["--key", with, "--bundle", &theirs, "blob"]].concat());
            }
        }
    }
    assert_eq!(by_file, ["p256", "rsa2048", "rsa3072", "rsa4096", "ed25519"]);
    // The key's algorithm tells it hash and padding there.
    let all_but_ed25519: Vec<_> = KEYS.iter().map(|(key, _)| *key).filter(|key| *key != "ed25519").collect();
    assert_eq!(by_service, all_but_ed25519);
    assert_eq!(signs, SIGNS);
}

#[test]
fn cosign_makes_ring_and_key_and_we_sign_with_it() {
    let (Some(server), Some(_)) = (CloudKms::shared(), support::cosign()) else { return };
    let mut world = world(&server);
    world.set("HOME", world.path("").to_str().unwrap());
    let uri = "gcpkms://projects/rig/locations/global/keyRings/by-cosign/cryptoKeys/made";
    let output = cosign(&server, &world, &["generate-key-pair", "--kms", uri]);
    assert!(output.status.success(), "{}", stderr(&output));
    world.sign(uri, "b.json");
    world.verify("cosign.pub", "b.json");
    assert!(cosign_verifies(&server, &world, "cosign.pub", "b.json"));
    assert!(cosign_verifies(&server, &world, &format!("{uri}/versions/1"), "b.json"));
    // Its public-key and ours are the same bytes.
    let theirs = cosign(&server, &world, &["public-key", "--key", uri]);
    assert_eq!(theirs.stdout, world.ok(&["public-key", "--key", uri]).stdout);
}
