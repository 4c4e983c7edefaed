//! Refusals of the service and of addresses.

use serde_json::json;

use super::{World, world};
use crate::support::cloudkms::{CloudKms, RING, uri};
use crate::support::{self, stdout};

#[test]
fn keys_that_are_missing_disabled_or_going_away_are_told_apart() {
    let Some(server) = CloudKms::shared() else { return };
    let world = world(&server);
    let key = server.make_key("changing");
    let version = format!("{key}/versions/1");
    world.sign(&key, "b.json");
    for state in ["DISABLED", "DESTROY_SCHEDULED", "DESTROYED", "PENDING_GENERATION"] {
        server.set_state("changing", 1, state);
        if state == "PENDING_GENERATION" {
            // It is done when it is looked at next.
            break;
        }
        world.refuse_sign(
            &key,
            &[&format!("no version of the key is enabled: version 1 is {state}"), "restore"],
        );
        world.refuse_sign(&version, &[&format!("is not enabled, current state is: {state}")]);
    }
    let absent = format!("there is no {RING}/cryptoKeys/absent");
    world.refuse_sign(&uri("absent"), &[&absent, "countersign keys list"]);
    let words = ["there is no", "p256/cryptoKeyVersions/9"];
    world.refuse_sign(&format!("{}/versions/9", uri("p256")), &words);
    world.refuse_sign(&format!("gcpkms://{RING}"), &["it names no key", "countersign keys list"]);
}

#[test]
fn keys_that_do_not_sign_here_are_refused_by_name() {
    let Some(server) = CloudKms::shared() else { return };
    let world = world(&server);
    for (key, algorithm) in [
        ("secp256k1", "EC_SIGN_SECP256K1_SHA256"),
        ("raw", "RSA_SIGN_RAW_PKCS1_2048"),
        ("pss4096-sha512", "RSA_SIGN_PSS_4096_SHA512"),
    ] {
        let words = [&format!("the key is of algorithm {algorithm}, with which nothing is signed here")];
        world.refuse_sign(&uri(key), &[words[0], "generate-key-pair --kms"]);
    }
    let words = ["Sigstore knows PSS with SHA-256 alone", "--signing-algorithm rsa-sign-pss-4096-sha256"];
    world.refuse_sign(&uri("pss4096-sha512"), &words);
    let list = stdout(&world.ok(&["keys", "list", &format!("gcpkms://{RING}")]));
    assert!(list.contains("cryptoKeys/p256/cryptoKeyVersions/1"), "{list}");
    assert!(!list.contains("symmetric") && !list.contains("decrypts"), "{list}");
    assert!(
        list.lines().any(|line| line.contains("secp256k1") && line.contains("EC_SIGN_SECP256K1_SHA256")),
        "{list}"
    );
}

/// With a version in the URI the service is asked for the public key at once; without, the list tells.
#[test]
fn keys_for_encryption_are_refused_by_their_purpose() {
    let Some(server) = CloudKms::shared() else { return };
    let world = world(&server);
    for (key, purpose) in [
        ("symmetric", "ENCRYPT_DECRYPT (GOOGLE_SYMMETRIC_ENCRYPTION)"),
        ("decrypts", "ASYMMETRIC_DECRYPT (RSA_DECRYPT_OAEP_2048_SHA256)"),
    ] {
        let why = format!("the key's purpose is {purpose}, not ASYMMETRIC_SIGN");
        let words = [why.as_str(), "make one with the purpose asymmetric-signing"];
        for uri in [uri(key), format!("{}/versions/1", uri(key))] {
            world.refuse_sign(&uri, &words);
            world.refuse(&["public-key", "--key", &uri], &words);
        }
    }
}

#[test]
fn ed25519_takes_small_files_alone() {
    let Some(server) = CloudKms::shared() else { return };
    let world = world(&server);
    std::fs::write(world.path("blob"), vec![b'a'; 64 * 1024]).unwrap();
    world.sign(&uri("ed25519"), "b.json");
    world.verify(&uri("ed25519"), "b.json");
    std::fs::write(world.path("blob"), vec![b'a'; 64 * 1024 + 1]).unwrap();
    world.refuse_sign(&uri("ed25519"), &["Cloud KMS takes 65536 bytes", "ECDSA or RSA"]);
}

#[test]
fn a_token_that_has_ended_is_told() {
    let Some(server) = CloudKms::new() else { return };
    let world = world(&server);
    let mut account: serde_json::Value =
        serde_json::from_slice(&std::fs::read(server.variable("GOOGLE_APPLICATION_CREDENTIALS")).unwrap())
            .unwrap();
    // Signed by a key that the service does not know.
    let Some(mut openssl) = support::openssl() else { return };
    let other =
        support::succeed(openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]));
    account["private_key"] = json!(stdout(&other));
    std::fs::write(world.path("adc.json"), account.to_string()).unwrap();
    let mut world = world;
    let path = world.path("adc.json").to_str().unwrap().to_owned();
    world.set("GOOGLE_APPLICATION_CREDENTIALS", &path);
    let words = ["the token of signer@rig.iam.gserviceaccount.com", "is not accepted", "clock is right"];
    world.refuse_sign(&uri("p256"), &words);
}

#[test]
fn addresses_that_would_leak_are_refused() {
    let Some(server) = CloudKms::shared() else { return };
    let mut world: World = world(&server);
    let key = uri("p256");
    let plain = "plain http lets everybody on the way read them";
    let foreign = "it is neither Google's nor this machine";
    for (url, words) in [
        ("http://kms.example.com", [plain, "COUNTERSIGN_PLAIN_HTTP"]),
        ("https://kms.example.com", [foreign, "COUNTERSIGN_GCP_HOSTS=kms.example.com"]),
        ("https://me:sesame@127.0.0.1", ["user name or password", "endpoint of the key URI"]),
        ("kms.example.com", ["it is no URL", "endpoint of the key URI"]),
    ] {
        world.refuse_sign(&format!("{key}?endpoint={url}"), &words);
    }
    world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", "https://kms.example.com");
    world.refuse_sign(&key, &[foreign]);
    let here = format!("{key}?endpoint=http://{}", server.address());
    let said = support::stderr(&world.sign(&here, "b.json"));
    assert!(said.contains("the key URI sends requests to http://127.0.0.1"), "{said}");
    for uri in ["gcpkms://p/k", "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k?regoin=x"] {
        world.refuse_sign(uri, &["cannot read the key URI: at byte"]);
    }
}

/// By Google's own name, through a proxy, as a token would go in earnest.
#[test]
fn tls_is_checked() {
    let Some(server) = CloudKms::shared() else { return };
    let mut world = world(&server);
    let proxy = crate::support::fault_proxy::FaultProxy::new(server.variable("RIG_RPC"));
    world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", "");
    world.set("HTTPS_PROXY", &format!("http://{}", proxy.address()));
    world.refuse_sign(&uri("p256"), &["invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE"]);
    assert!(proxy.asked().iter().all(|asked| asked.starts_with("CONNECT cloudkms.googleapis.com:443")));
    // Trusted, TLS holds; what answers there speaks gRPC alone.
    world.set("SSL_CERT_FILE", server.variable("RIG_AUTHORITY"));
    let said = world.refuse_sign(&uri("p256"), &["cannot open"]);
    assert!(!said.contains("UnknownIssuer"), "{said}");
}
