//! Making, listing, signing, verifying, and the bytes checked by OpenSSL.

use std::fs;

use super::{World, world};
use crate::support::ministack::{KEYS, Ministack};
use crate::support::{self, stderr, stdout};

#[test]
fn every_key_signs_and_verifies() {
    let Some(server) = Ministack::shared() else { return };
    let world = world(&server);
    for key in KEYS {
        let (uri, public, bundle) =
            (format!("awskms:///alias/{key}"), format!("{key}.pub"), format!("{key}.json"));
        world.ok(&["public-key", "--key", &uri, "--outfile", &public]);
        world.sign(&uri, &bundle);
        world.verify(&uri, &bundle);
        world.verify(&public, &bundle);
        let changed =
            ["verify-blob", "--insecure-ignore-tlog", "--key", &uri, "--bundle", &bundle, "changed"];
        world.refuse(&changed, &["cannot verify changed"]);
    }
    world.refuse_verify("awskms:///alias/p384", "p256.json", &["another key"]);
}

/// What OpenSSL says of a bare signature.
fn openssl_accepts(world: &World, public: &str, hash: &str, signature: &str, more: &[&str]) -> bool {
    let base = ["dgst", hash, "-verify", public, "-signature", signature];
    let arguments = [&base[..], more, &["blob"]].concat();
    support::run(&mut world.prepare(support::openssl().unwrap(), &arguments)).status.success()
}

#[test]
fn openssl_accepts_every_algorithm() {
    let (Some(server), Some(_)) = (Ministack::shared(), support::openssl()) else { return };
    let world = world(&server);
    let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    let mut cases = vec![
        ("p256", "ecdsa-sha2-256-nistp256".to_owned(), "-sha256", &[][..]),
        ("p384", "ecdsa-sha2-384-nistp384".to_owned(), "-sha384", &[]),
        ("p521", "ecdsa-sha2-512-nistp521".to_owned(), "-sha512", &[]),
    ];
    for (key, size) in [("rsa2048", 2048), ("rsa3072", 3072), ("rsa4096", 4096)] {
        for (hash, flag) in [("sha256", "-sha256"), ("sha384", "-sha384"), ("sha512", "-sha512")] {
            cases.push((key, format!("rsa-sign-pkcs1-{size}-{hash}"), flag, &[]));
        }
        cases.push((key, format!("rsa-sign-pss-{size}-sha256"), "-sha256", &pss));
    }
    for (key, algorithm, hash, more) in cases {
        let (uri, public) = (format!("awskms:///alias/{key}"), format!("{key}.pub"));
        world.ok(&["public-key", "--key", &uri, "--outfile", &public]);
        let sign = ["sign-blob", "--tlog-upload=false", "--key", &uri, "--signing-algorithm", &algorithm];
        world.ok(&[&sign[..], &["--yes", "--output-signature", "sig.b64", "blob"]].concat());
        let decode = ["base64", "-d", "-A", "-in", "sig.b64", "-out", "sig"];
        assert!(support::run(&mut world.prepare(support::openssl().unwrap(), &decode)).status.success());
        assert!(openssl_accepts(&world, &public, hash, "sig", more), "{algorithm}");
        let other = if key == "p256" { "rsa2048.pub" } else { "p256.pub" };
        if world.path(other).exists() {
            assert!(!openssl_accepts(&world, other, hash, "sig", &[]), "{algorithm} with another key");
        }
    }
    let uri = "awskms:///alias/p384";
    let another = ["--signing-algorithm", "ecdsa-sha2-256-nistp384"];
    world.refuse_sign_with(uri, &another, &["ecdsa-sha2-256-nistp384"]);
}

#[test]
fn ids_and_arns_name_the_same_key() {
    let Some(server) = Ministack::shared() else { return };
    let mut world = world(&server);
    let id = server.make_key("alias/named/four-ways", "ECC_NIST_P256", "SIGN_VERIFY");
    let arn = format!("arn:aws:kms:us-east-1:000000000000:key/{id}");
    world.sign("awskms:///alias/named/four-ways", "b.json");
    for key in
        [id.clone(), arn.clone(), "arn:aws:kms:us-east-1:000000000000:alias/named/four-ways".to_owned()]
    {
        world.verify(&format!("awskms:///{key}"), "b.json");
    }
    // The region of an ARN is taken, whatever the environment says, and so is the attribute's.
    world.set("AWS_REGION", "eu-west-1");
    world.verify(&format!("awskms:///{arn}"), "b.json");
    world.verify("awskms:///alias/named/four-ways?region=us-east-1", "b.json");
    world.refuse_verify("awskms:///alias/named/four-ways", "b.json", &["region eu-west-1 has no alias"]);
}

#[test]
fn makes_a_key_once_and_lists_it() {
    let Some(server) = Ministack::shared() else { return };
    let world = world(&server);
    let make = ["generate-key-pair", "--kms", "awskms:///alias/made-here", "--signing-algorithm"];
    let said = stderr(&world.ok(&[&make[..], &["ecdsa-sha2-384-nistp384"]].concat()));
    assert!(said.contains("awskms:///arn:aws:kms:us-east-1:000000000000:key/"), "{said}");
    world.sign("awskms:///alias/made-here", "b.json");
    world.verify("cosign.pub", "b.json");
    let public = fs::read(world.path("cosign.pub")).unwrap();
    assert_eq!(world.ok(&["public-key", "--key", "awskms:///alias/made-here"]).stdout, public);
    let list = stdout(&world.ok(&["keys", "list", "awskms:///"]));
    let line = list.lines().find(|line| line.contains("made-here")).unwrap_or_else(|| panic!("{list}"));
    assert!(line.contains("P-384"), "{line}");
    // The listed URI signs.
    world.sign(line.split_whitespace().next().unwrap(), "again.json");
    world.verify("cosign.pub", "again.json");
    let again = ["generate-key-pair", "--kms", "awskms:///alias/made-here", "--yes"];
    world.refuse(&again, &["the alias exists", "countersign public-key"]);
    assert_eq!(fs::read(world.path("cosign.pub")).unwrap(), public, "a refusal writes nothing");
    for (uri, why) in [
        ("awskms:///1234abcd-12ab-34cd-56ef-1234567890ab", "KMS chooses a new key's id; an alias names it"),
        ("awskms:///alias/aws/x", "AWS's own"),
    ] {
        world.refuse(&["generate-key-pair", "--kms", uri, "--yes"], &[why]);
    }
}

#[test]
fn doctor_says_who_and_what() {
    let Some(server) = Ministack::shared() else { return };
    let world = world(&server);
    let said = stdout(&world.ok(&["keys", "doctor", "awskms:///alias/p256"]));
    for word in
        ["region us-east-1, at http://127.0.0.1", "the access key AKIA", "signs ecdsa-sha2-256", "kms:Sign"]
    {
        assert!(said.contains(word), "no \"{word}\" in {said}");
    }
    let output = world.run(&["keys", "doctor", "awskms:///alias/absent"]);
    assert!(!output.status.success() && stdout(&output).contains("has no alias/absent"));
}
