//! Making, listing, signing, verifying, and the bytes checked by OpenSSL.

use std::fs;

use serde_json::json;

use super::{World, world};
use crate::support::azure::{Azure, KEYS, VAULT};
use crate::support::{self, stderr, stdout};

#[test]
fn every_key_signs_and_verifies() {
    let Some(server) = Azure::shared() else { return };
    let world = world(&server);
    for key in KEYS {
        let (uri, public, bundle) =
            (format!("azurekms://{VAULT}/{key}"), format!("{key}.pub"), format!("{key}.json"));
        world.ok(&["public-key", "--key", &uri, "--outfile", &public]);
        world.sign(&uri, &bundle);
        world.verify(&uri, &bundle);
        world.verify(&public, &bundle);
        let changed =
            ["verify-blob", "--insecure-ignore-tlog", "--key", &uri, "--bundle", &bundle, "changed"];
        world.refuse(&changed, &["cannot verify changed"]);
    }
    world.refuse_verify(&format!("azurekms://{VAULT}/p384"), "p256.json", &["another key"]);
}

/// What OpenSSL says of a bare signature.
fn openssl_accepts(world: &World, public: &str, hash: &str, signature: &str, more: &[&str]) -> bool {
    let base = ["dgst", hash, "-verify", public, "-signature", signature];
    let arguments = [&base[..], more, &["blob"]].concat();
    support::run(&mut world.prepare(support::openssl().unwrap(), &arguments)).status.success()
}

#[test]
fn openssl_accepts_every_algorithm() {
    let (Some(server), Some(_)) = (Azure::shared(), support::openssl()) else { return };
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
        let (uri, public) = (format!("azurekms://{VAULT}/{key}"), format!("{key}.pub"));
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
    let another = ["--signing-algorithm", "ecdsa-sha2-256-nistp384"];
    let uri = format!("azurekms://{VAULT}/p384");
    world.refuse_sign_with(&uri, &another, &["ecdsa-sha2-256-nistp384"]);
}

#[test]
fn a_version_in_the_uri_stays_that_version() {
    let Some(server) = Azure::shared() else { return };
    let world = world(&server);
    let vault = "versions.vault.azure.net";
    let make = || server.call(&format!("make/{vault}/k"), &json!({ "kty": "EC", "crv": "P-256" }));
    let version =
        |made: serde_json::Value| made["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let old = version(make());
    let newest = format!("azurekms://{vault}/k");
    world.sign(&newest, "old.json");
    let new = version(make());
    let said = stderr(&world.sign(&newest, "new.json"));
    assert_ne!(old, new);
    world.verify(&newest, "new.json");
    world.verify(&format!("{newest}/{old}"), "old.json");
    world.refuse_verify(&newest, "old.json", &["another key"]);
    world.refuse_verify(&format!("{newest}/{old}"), "new.json", &["another key"]);
    world.sign(&format!("{newest}/{old}"), "again.json");
    world.verify(&format!("{newest}/{old}"), "again.json");
    // The version that signed is told, in words and in the report.
    let sign = ["sign-blob", "--tlog-upload=false", "--key", &newest, "--bundle", "x.json"];
    world.ok(&[&sign[..], &["--report=report.json", "blob"]].concat());
    let report = fs::read_to_string(world.path("report.json")).unwrap();
    assert!(report.contains(&new) && !report.contains(&old), "{report} {said}");
    world.refuse_sign(&format!("{newest}/{}", "0".repeat(32)), &["has no key k/000"]);
}

#[test]
fn makes_a_key_once_and_lists_it() {
    let Some(server) = Azure::shared() else { return };
    let world = world(&server);
    let vault = "azurekms://made.vault.azure.net";
    // More than a page of them.
    for number in 0..9 {
        server.call(&format!("make/made.vault.azure.net/before{number}"), &json!({ "kty": "EC" }));
    }
    server.call("make/made.vault.azure.net/symmetric", &json!({ "kty": "oct" }));
    let uri = format!("{vault}/made-here");
    let make = ["generate-key-pair", "--kms", &uri, "--signing-algorithm"];
    let said = stderr(&world.ok(&[&make[..], &["ecdsa-sha2-384-nistp384"]].concat()));
    assert!(said.contains(&format!("{uri}/")), "{said}");
    world.sign(&uri, "b.json");
    world.verify("cosign.pub", "b.json");
    let public = fs::read(world.path("cosign.pub")).unwrap();
    assert_eq!(world.ok(&["public-key", "--key", &uri]).stdout, public);
    let list = stdout(&world.ok(&["keys", "list", vault]));
    assert_eq!(list.lines().count(), 10, "{list}");
    let line = list.lines().find(|line| line.contains("made-here")).unwrap_or_else(|| panic!("{list}"));
    assert!(line.contains("P-384"), "{line}");
    // The listed URI signs.
    world.sign(line.split_whitespace().next().unwrap(), "again.json");
    world.verify("cosign.pub", "again.json");
    let again = ["generate-key-pair", "--kms", &uri, "--yes"];
    world.refuse(&again, &["the key exists", "countersign public-key", "az keyvault key rotate"]);
    assert_eq!(fs::read(world.path("cosign.pub")).unwrap(), public, "a refusal writes nothing");
    let with_version = format!("{uri}/{}", "1".repeat(32));
    world.refuse(&["generate-key-pair", "--kms", &with_version, "--yes"], &["a vault chooses"]);
    let ed = ["generate-key-pair", "--kms", &uri, "--signing-algorithm", "ed25519", "--yes"];
    world.refuse(&ed, &["no vault makes keys for ed25519"]);
    server.call("delete/made.vault.azure.net/before0", &json!({}));
    let deleted = format!("{vault}/before0");
    let words = ["was deleted and can still be recovered", "az keyvault key recover --vault-name made"];
    world.refuse(&["generate-key-pair", "--kms", &deleted, "--yes"], &words);
}

#[test]
fn managed_hsms_and_the_other_clouds_are_served() {
    let Some(server) = Azure::shared() else { return };
    let world = world(&server);
    for host in [
        "clouds.managedhsm.azure.net",
        "clouds.vault.usgovcloudapi.net",
        "clouds.managedhsm.usgovcloudapi.net",
        "clouds.vault.azure.cn",
        "clouds.managedhsm.azure.cn",
    ] {
        let uri = format!("azurekms://{host}/k");
        for (key, algorithm) in [("k", "ecdsa-sha2-256-nistp256"), ("rsa", "rsa-sign-pkcs1-2048-sha256")] {
            let make = ["generate-key-pair", "--kms", &format!("azurekms://{host}/{key}"), "--yes"]
                .map(str::to_owned);
            let make: Vec<&str> = make.iter().map(String::as_str).collect();
            world.ok(&[&make[..], &["--signing-algorithm", algorithm]].concat());
        }
        world.sign(&uri, "b.json");
        world.verify(&uri, "b.json");
        let said = stdout(&world.ok(&["keys", "doctor", &uri]));
        let is_hsm = host.contains("managedhsm");
        assert_eq!(said.contains("in hardware"), is_hsm, "{said}");
        assert_eq!(said.contains("Microsoft.KeyVault/managedHsm/keys/sign/action"), is_hsm, "{said}");
    }
}

#[test]
fn doctor_says_who_and_what() {
    let Some(server) = Azure::shared() else { return };
    let world = world(&server);
    let said = stdout(&world.ok(&["keys", "doctor", &format!("azurekms://{VAULT}/p256")]));
    for word in [
        "vault rig.vault.azure.net, logins at https://login.microsoftonline.com",
        "credentials: AZURE_CLIENT_SECRET",
        "we are application signer, object object-of-signer, tenant 11111111-",
        "signs ecdsa-sha2-256",
        "Microsoft.KeyVault/vaults/keys/sign/action",
        "set-policy --name rig --key-permissions get sign",
    ] {
        assert!(said.contains(word), "no \"{word}\" in {said}");
    }
    let output = world.run(&["keys", "doctor", &format!("azurekms://{VAULT}/absent")]);
    assert!(!output.status.success() && stdout(&output).contains("has no key absent"));
    server.call("make/doctor.vault.azure.net/off", &json!({ "attributes": { "enabled": false } }));
    let output = world.run(&["keys", "doctor", "azurekms://doctor.vault.azure.net/off"]);
    assert!(!output.status.success() && stdout(&output).contains("problem the key is disabled"));
}
