//! Registries with TLS: whom we believe, and what we show.

use std::path::Path;
use std::process::Command;

use super::world::{SIGN, VERIFY, World};
use crate::support;
use crate::support::registry::{Offers, Registry};

const EXTENSIONS: &str = "\
[req]
distinguished_name = none
[none]
[authority]
basicConstraints = critical,CA:TRUE
[here]
subjectAltName = IP:127.0.0.1
[elsewhere]
subjectAltName = DNS:registry.test
[client]
extendedKeyUsage = clientAuth
";

/// An authority, `ca.pem`, and what it issued: `here.pem`, `elsewhere.pem` and `client.pem`, each with its key.
fn certificates(world: &World) -> Option<()> {
    world.write("tls.conf", EXTENSIONS);
    let openssl = |arguments: &[&str]| {
        let mut command: Command = support::openssl()?;
        support::succeed(command.args(arguments).current_dir(world.path("")));
        Some(())
    };
    let key = |name: &str| {
        openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name])
    };
    key("ca.key")?;
    openssl(&[
        "req",
        "-x509",
        "-new",
        "-key",
        "ca.key",
        "-subj",
        "/CN=test authority",
        "-days",
        "2",
        "-config",
        "tls.conf",
        "-extensions",
        "authority",
        "-out",
        "ca.pem",
    ])?;
    for name in ["here", "elsewhere", "client"] {
        let (private, request, certificate) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        key(&private)?;
        openssl(&[
            "req", "-new", "-key", &private, "-subj", "/CN=test", "-config", "tls.conf", "-out", &request,
        ])?;
        openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "tls.conf",
            "-extensions",
            name,
            "-out",
            &certificate,
        ])?;
    }
    Some(())
}

fn round(world: &World, image: &str, more: &[&str]) {
    world.succeed(&[&SIGN[..], &["--again", "--key", "key.pem"], more, &[image]].concat());
    world.succeed(&[&VERIFY[..], &["--key", "key.pub"], more, &[image]].concat());
}

fn image(registry: &Registry) -> String {
    format!("{}@{}", registry.name("app"), registry.image("app", "v1", "app"))
}

fn tls(world: &World, name: &str, clients: Option<&Path>, curl: &[&str]) -> Option<Registry> {
    Registry::with_tls(
        &world.path(&format!("{name}.pem")),
        &world.path(&format!("{name}.key")),
        clients,
        curl,
    )
}

#[test]
fn a_registry_s_certificate_is_checked_unless_the_user_says_otherwise() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    if certificates(&world).is_none() {
        return;
    }
    let Some(registry) = tls(&world, "here", None, &[]) else { return };
    let image = image(&registry);
    let verify = [&VERIFY[..], &["--key", "key.pub", &image]].concat();
    world.refuse(&verify, 1, "TLS");
    round(&world, &image, &["--registry-cacert", "ca.pem"]);
    round(&world, &image, &["--allow-insecure-registry"]);
    // The real Cosign finds what was signed there.
    if let Some(mut cosign) = support::cosign() {
        cosign.args(&verify).args(["--registry-cacert", "ca.pem"]).current_dir(world.path(""));
        support::succeed(&mut cosign);
    }
    world.write("empty.pem", "");
    world.refuse(&[&verify[..], &["--registry-cacert", "empty.pem"]].concat(), 1, "holds none in PEM");
    world.refuse(&[&verify[..], &["--registry-cacert", "absent.pem"]].concat(), 1, "absent.pem");
}

#[test]
fn a_certificate_for_another_name_needs_that_name() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    if certificates(&world).is_none() {
        return;
    }
    let Some(registry) = tls(&world, "elsewhere", None, &[]) else { return };
    let image = image(&registry);
    let verify = [&VERIFY[..], &["--key", "key.pub", "--registry-cacert", "ca.pem"]].concat();
    world.refuse(&[&verify[..], &[&image]].concat(), 1, "TLS");
    round(&world, &image, &["--registry-cacert", "ca.pem", "--registry-server-name", "registry.test"]);
    world.refuse(&[&verify[..], &["--registry-server-name", "other.test", &image]].concat(), 1, "TLS");
}

#[test]
fn a_registry_that_asks_is_shown_our_certificate() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    if certificates(&world).is_none() {
        return;
    }
    let (authority, certificate, key) =
        (world.path("ca.pem"), world.path("client.pem"), world.path("client.key"));
    let curl = ["--cert", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let Some(registry) = tls(&world, "here", Some(&authority), &curl) else { return };
    let image = image(&registry);
    let verify = [&VERIFY[..], &["--key", "key.pub", "--registry-cacert", "ca.pem"]].concat();
    world.refuse(&[&verify[..], &[&image]].concat(), 1, "asks for a certificate");
    round(
        &world,
        &image,
        &[
            "--registry-cacert",
            "ca.pem",
            "--registry-client-cert",
            "client.pem",
            "--registry-client-key",
            "client.key",
        ],
    );
    let half =
        [&verify[..], &["--registry-client-cert", "client.pem", "--registry-client-key", "here.key", &image]]
            .concat();
    world.refuse(&half, 1, "not a pair");
}
