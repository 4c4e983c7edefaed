//! The real Cosign on the same keys, by gRPC and a proxy, both ways. What it cannot do is written down here, since a later one may.

use super::{World, world};
use crate::kms::matrix::{self, Service};
use crate::support::cloudkms::{CloudKms, KEYS, uri};
use crate::support::fault_proxy::FaultProxy;
use crate::support::{self, stderr};

const NAMES: [&str; KEYS.len()] = {
    let mut names = [""; KEYS.len()];
    let mut at = 0;
    while at < KEYS.len() {
        names[at] = KEYS[at].0;
        at += 1;
    }
    names
};

/// Cosign knows no other address than Google's: the proxy leads there.
fn leads_to(server: &CloudKms, proxy: &FaultProxy) -> Vec<(String, String)> {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        set("HTTPS_PROXY", &format!("http://{}", proxy.address())),
        set("NO_PROXY", ""),
        set("no_proxy", ""),
        set("SSL_CERT_FILE", server.variable("RIG_AUTHORITY")),
    ]
}

fn cosign(server: &CloudKms, world: &World, arguments: &[&str]) -> std::process::Output {
    let proxy = FaultProxy::new(server.variable("RIG_RPC"));
    let mut command = world.prepare(support::cosign().unwrap(), arguments);
    support::run(command.envs(leads_to(server, &proxy)))
}

fn cosign_verifies(server: &CloudKms, world: &World, key: &str, bundle: &str) -> bool {
    let arguments = ["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", bundle, "blob"];
    let output = cosign(server, world, &arguments);
    output.status.success() && stderr(&output).contains("Verified OK")
}

#[test]
fn cosign_and_we_accept_each_other_as_the_matrix_says() {
    let Some(server) = CloudKms::shared() else { return };
    let proxy = FaultProxy::new(server.variable("RIG_RPC"));
    let (world, cosign) = (world(&server), leads_to(&server, &proxy));
    matrix::run(Service { scheme: "gcpkms", world, keys: &NAMES, uri, cosign });
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
