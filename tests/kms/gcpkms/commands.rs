//! Making, listing, signing, verifying, and the bytes checked by OpenSSL.

use std::fs;

use serde_json::json;

use super::{World, world};
use crate::support::cloudkms::{CloudKms, KEYS, RING, uri};
use crate::support::{self, stderr, stdout};

#[test]
fn every_key_signs_and_verifies() {
    let Some(server) = CloudKms::shared() else { return };
    let world = world(&server);
    for (key, algorithm) in KEYS {
        let (uri, public, bundle) = (uri(key), format!("{key}.pub"), format!("{key}.json"));
        world.ok(&["public-key", "--key", &uri, "--outfile", &public]);
        world.sign(&uri, &bundle);
        let verify = ["verify-blob", "--insecure-ignore-tlog", "--signing-algorithm", algorithm];
        for key in [&uri, &public] {
            world.ok(&[&verify[..], &["--key", key, "--bundle", &bundle, "blob"]].concat());
            let changed = [&verify[..], &["--key", key, "--bundle", &bundle, "changed"]].concat();
            world.refuse(&changed, &["cannot verify changed"]);
        }
    }
    world.refuse_verify(&uri("p384"), "p256.json", &["another key"]);
}

/// What OpenSSL says of a bare signature.
fn openssl_accepts(world: &World, public: &str, arguments: &[&str]) -> bool {
    let base = ["pkeyutl", "-verify", "-pubin", "-inkey", public, "-sigfile", "sig", "-rawin", "-in", "blob"];
    let arguments = [&base[..], arguments].concat();
    support::run(&mut world.prepare(support::openssl().unwrap(), &arguments)).status.success()
}

#[test]
fn openssl_accepts_every_algorithm() {
    let (Some(server), Some(_)) = (CloudKms::shared(), support::openssl()) else { return };
    let world = world(&server);
    let pss = ["-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"];
    for (key, algorithm) in KEYS {
        let public = format!("{key}.pub");
        world.ok(&["public-key", "--key", &uri(key), "--outfile", &public]);
        let sign = ["sign-blob", "--tlog-upload=false", "--yes", "--key"];
        world.ok(&[&sign[..], &[&uri(key), "--output-signature", "sig.b64", "blob"]].concat());
        let decode = ["base64", "-d", "-A", "-in", "sig.b64", "-out", "sig"];
        assert!(support::run(&mut world.prepare(support::openssl().unwrap(), &decode)).status.success());
        let how = match algorithm {
            "ed25519" => &[][..],
            _ if algorithm.contains("pss") => &pss,
            _ if algorithm.contains("384") => &["-digest", "sha384"],
            _ if algorithm.contains("sha512") => &["-digest", "sha512"],
            _ => &["-digest", "sha256"],
        };
        assert!(openssl_accepts(&world, &public, how), "{algorithm}");
        fs::write(world.path("kept"), fs::read(world.path("blob")).unwrap()).unwrap();
        fs::write(world.path("blob"), "something else").unwrap();
        assert!(!openssl_accepts(&world, &public, how), "{algorithm} of something else");
        fs::rename(world.path("kept"), world.path("blob")).unwrap();
    }
    let another = ["--signing-algorithm", "rsa-sign-pss-2048-sha256"];
    world.refuse_sign_with(&uri("rsa2048"), &another, &["rsa-sign-pss-2048-sha256"]);
}

#[test]
fn makes_ring_and_key_once_and_lists_them() {
    let Some(server) = CloudKms::new() else { return };
    let world = world(&server);
    let ring = "gcpkms://projects/rig/locations/global/keyRings/made-here";
    let key = format!("{ring}/cryptoKeys/release");
    // A key that is in the making for a while.
    server.change(&json!({ "pending": 2 }));
    let make = ["generate-key-pair", "--kms", &key, "--signing-algorithm", "ecdsa-sha2-384-nistp384"];
    let said = stderr(&world.ok(&make));
    assert!(said.contains(&format!("{key}/cryptoKeyVersions/1")), "{said}");
    world.sign(&key, "b.json");
    world.verify("cosign.pub", "b.json");
    let public = fs::read(world.path("cosign.pub")).unwrap();
    assert_eq!(world.ok(&["public-key", "--key", &key]).stdout, public);
    for place in [ring, "gcpkms://projects/rig/locations/global"] {
        let list = stdout(&world.ok(&["keys", "list", place]));
        let line = list.lines().find(|line| line.contains("release")).unwrap_or_else(|| panic!("{list}"));
        assert!(line.contains("P-384") && line.contains("protection SOFTWARE"), "{line}");
        // The listed URI signs.
        world.sign(line.split_whitespace().next().unwrap(), "again.json");
        world.verify("cosign.pub", "again.json");
    }
    world.refuse(&[&make[..], &["--yes"]].concat(), &["the key exists", "countersign public-key"]);
    assert_eq!(fs::read(world.path("cosign.pub")).unwrap(), public, "a refusal writes nothing");
    // One that is never done.
    server.change(&json!({ "pending": 100_000 }));
    let slow = format!("{ring}/cryptoKeys/slow");
    let limited = ["generate-key-pair", "--kms", &slow, "--yes", "--timeout", "700ms"];
    world.refuse(&limited, &["the time limit passed", "--timeout"]);
    let version = format!("{key}/versions/1");
    for (uri, algorithm, why) in [
        (version.as_str(), "ecdsa-sha2-256-nistp256", "numbers the versions of a new key"),
        (&slow, "ecdsa-sha2-512-nistp521", "has no keys for ecdsa-sha2-512-nistp521"),
        (&slow, "rsa-sign-pkcs1-2048-sha512", "has no keys for rsa-sign-pkcs1-2048-sha512"),
    ] {
        let make = ["generate-key-pair", "--kms", uri, "--yes", "--signing-algorithm", algorithm];
        world.refuse(&make, &[why]);
    }
}

#[test]
fn doctor_says_who_what_and_what_is_missing() {
    let Some(server) = CloudKms::new() else { return };
    let world = world(&server);
    let said = stdout(&world.ok(&["keys", "doctor", &uri("hsm")]));
    for word in [
        "location global, at http://127.0.0.1",
        "signer@rig.iam.gserviceaccount.com",
        "version 1 is enabled: P-256",
        "protection HSM",
        "cloudkms.cryptoKeyVersions.useToSign is allowed",
        "gcloud iam roles create",
    ] {
        assert!(said.contains(word), "no \"{word}\" in {said}");
    }
    server.change(&json!({ "deny": "cloudkms.cryptoKeyVersions.useToSign" }));
    let output = world.run(&["keys", "doctor", &uri("hsm")]);
    let said = stdout(&output);
    let missing = format!("cloudkms.cryptoKeyVersions.useToSign is missing on {RING}/cryptoKeys/hsm");
    assert!(!output.status.success() && said.contains(&missing), "{said}");
    assert!(said.contains("grant roles/cloudkms.signer"), "{said}");
    let output = world.run(&["keys", "doctor", &uri("absent")]);
    assert!(!output.status.success() && stdout(&output).contains("cryptoKeys/absent not found"));
}
