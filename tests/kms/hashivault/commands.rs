//! Every key through the binary: made, listed, signed with, verified, and OpenSSL as judge.

use serde_json::json;

use super::{at, make_key, world};
use crate::support::openbao::{KEYS, OpenBao};
use crate::support::{self, stderr, stdout};

#[test]
fn every_key_signs_and_openssl_agrees() {
    let Some(server) = OpenBao::shared() else { return };
    let Some(_) = support::openssl() else { return };
    let world = world(&server);
    for key in KEYS {
        let uri = format!("hashivault://{key}");
        let bundle = format!("{key}.json");
        world.sign(&uri, &bundle);
        world.verify(&uri, &bundle);
        world.ok(&["public-key", "--key", &uri, "--outfile", &format!("{key}.pub")]);
        world.verify(&format!("{key}.pub"), &bundle);
        let changed =
            ["verify-blob", "--insecure-ignore-tlog", "--key", &uri, "--bundle", &bundle, "changed"];
        world.refuse(&changed, &["cannot verify changed"]);
        let text = std::fs::read_to_string(world.path(&bundle)).unwrap();
        let bundle: serde_json::Value = serde_json::from_str(&text).unwrap();
        let signature = bundle["messageSignature"]["signature"].as_str().unwrap();
        assert!(openssl_verifies(&world, key, signature, &[]), "{key}");
    }
}

#[test]
fn rsa_signs_with_pss_when_told() {
    let Some(server) = OpenBao::shared() else { return };
    let Some(_) = support::openssl() else { return };
    let world = world(&server);
    world.ok(&["public-key", "--key", "hashivault://rsa3072", "--outfile", "rsa3072.pub"]);
    let chosen = ["--signing-algorithm", "rsa-sign-pss-3072-sha256", "--key", "hashivault://rsa3072"];
    let sign = ["sign-blob", "--tlog-upload=false", "--new-bundle-format=false", "blob"];
    let signature = stdout(&world.ok(&[&sign[..], &chosen].concat()));
    let pss = ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"];
    assert!(openssl_verifies(&world, "rsa3072", signature.trim(), &pss));
    assert!(!openssl_verifies(&world, "rsa3072", signature.trim(), &[]));
    // Without being told it is PKCS#1 v1.5, and the one is never taken for the other.
    world.sign("hashivault://rsa3072", "plain.json");
    let verify = ["verify-blob", "--insecure-ignore-tlog", "--bundle", "plain.json", "blob"];
    world.refuse(&[&verify[..], &chosen].concat(), &["does not match"]);
}

/// Whether OpenSSL takes a signature over `blob`; `options` go to `pkeyutl`.
fn openssl_verifies(world: &super::World, key: &str, signature: &str, options: &[&str]) -> bool {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
    std::fs::write(world.path("signature"), bytes).unwrap();
    let public = format!("{key}.pub");
    let mut arguments = vec![
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        &public,
        "-rawin",
        "-in",
        "blob",
        "-sigfile",
        "signature",
    ];
    match key {
        "p384" => arguments.extend(["-digest", "sha384"]),
        "p521" => arguments.extend(["-digest", "sha512"]),
        "ed25519" => {}
        _ => arguments.extend(["-digest", "sha256"]),
    }
    arguments.extend(options);
    support::run(&mut world.prepare(support::openssl().unwrap(), &arguments)).status.success()
}

#[test]
fn makes_keys_of_every_type_and_lists_them() {
    let Some(server) = OpenBao::shared() else { return };
    server.call("POST", "sys/mounts/team/made", json!({ "type": "transit" }));
    let mut world = world(&server);
    let uri = |key: &str| format!("hashivault://{key}?mount=team/made");
    assert!(stderr(&world.ok(&["keys", "list", &uri("")])).contains("no private keys"));
    for (key, algorithm, shown) in [
        ("a", "ecdsa-sha2-384-nistp384", "P-384"),
        ("b", "rsa-sign-pss-2048-sha256", "RSA-2048"),
        ("c", "ed25519", "Ed25519"),
    ] {
        let made = [
            "generate-key-pair",
            "--kms",
            &uri(key),
            "--signing-algorithm",
            algorithm,
            "--output-key-prefix",
            key,
        ];
        world.ok(&made);
        world.sign(&uri(key), &format!("{key}.json"));
        world.verify(&format!("{key}.pub"), &format!("{key}.json"));
        let listed = stdout(&world.ok(&["keys", "list", &uri("")]));
        assert!(listed.contains(&format!("{}\t{shown}\t", uri(key))), "{listed}");
    }
    // The default is Cosign's; a symmetric key beside them is nothing to sign with.
    world.ok(&["generate-key-pair", "--kms", &uri("d")]);
    server.call("POST", "team/made/keys/symmetric", json!({ "type": "aes256-gcm96" }));
    let listed = stdout(&world.ok(&["keys", "list", &uri("")]));
    assert!(listed.contains("//d?mount=team/made\tP-256"), "{listed}");
    assert_eq!(listed.lines().count(), 4, "{listed}");
    // The mount may come from Cosign's variable.
    world.set("TRANSIT_SECRET_ENGINE_PATH", "team/made");
    assert_eq!(stdout(&world.ok(&["keys", "list", "openbao://"])).lines().count(), 4);
    world.sign("openbao://d", "e.json");
    world.verify(&uri("d"), "e.json");
}

#[test]
fn a_key_that_exists_is_never_touched() {
    let Some(server) = OpenBao::shared() else { return };
    let world = world(&server);
    let key = make_key(&server, "kept");
    let words =
        ["it exists, of type ecdsa-p256, in version 1", "countersign public-key --key 'hashivault://kept'"];
    world.refuse(&["generate-key-pair", "--kms", &key], &words);
    assert!(!world.path("cosign.pub").exists());
    world.refuse(&["generate-key-pair", "--kms", &key, "-y"], &words);
    let after = server.call("GET", "transit/keys/kept", serde_json::Value::Null);
    assert_eq!(after["data"]["latest_version"], 1);
}

#[test]
fn older_versions_sign_and_verify_when_named() {
    let Some(server) = OpenBao::shared() else { return };
    let world = world(&server);
    let key = make_key(&server, "rotated");
    world.sign(&key, "one.json");
    server.call("POST", "transit/keys/rotated/rotate", json!({}));
    world.sign(&key, "two.json");
    let first = format!("{key}?version=1");
    world.sign(&first, "again.json");
    for bundle in ["one.json", "again.json"] {
        world.verify(&first, bundle);
        // Verifying with the latest says which version it was.
        world.refuse_verify(
            &key,
            bundle,
            &["the bundle names another key", "hashivault://rotated?version=1"],
        );
    }
    world.verify(&key, "two.json");
    world.verify(&format!("{key}?version=2"), "two.json");
    world.refuse_verify(&first, "two.json", &["hashivault://rotated?version=2"]);
    let listed = stdout(&world.ok(&["keys", "list", &key]));
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("?version=1\tP-256") && listed.contains("version 2, latest"), "{listed}");
    // The report tells which version signed.
    let report = world.ok(&[
        "sign-blob",
        "--tlog-upload=false",
        "--key",
        &key,
        "--bundle",
        "r.json",
        "--report",
        "blob",
    ]);
    let report: serde_json::Value = serde_json::from_str(&stdout(&report)).unwrap();
    assert_eq!(report["key"]["version"], "2", "{report}");
    assert_eq!(report["key"]["uri"], "hashivault://rotated?version=2", "{report}");
    // Of a key that the service does not have nobody can say more.
    world.sign("hashivault://p256", "other.json");
    let said = world.refuse_verify(&key, "other.json", &["the bundle names another key"]);
    assert!(!said.contains("?version="), "{said}");
}

#[test]
fn the_doctor_says_who_we_are_and_what_is_missing() {
    let Some(server) = OpenBao::shared() else { return };
    let mut world = world(&server);
    let doctor = ["keys", "doctor", "hashivault://p256"];
    let said = stdout(&world.ok(&doctor));
    for word in ["version 2.7", "policies root", "the token is root's", "the key is P-256, version 1 of 1"] {
        assert!(said.contains(word), "{word}:\n{said}");
    }
    let policy = r#"path "transit/keys/p256" { capabilities = ["read"] } path "transit/sign/p256" { capabilities = ["update"] }"#;
    assert!(said.contains(policy), "{said}");
    // That policy is enough.
    server.call("POST", "sys/policies/acl/least", json!({ "policy": policy }));
    let token = server.call("POST", "auth/token/create", json!({ "policies": ["least"], "no_parent": true }));
    world.set("VAULT_TOKEN", token["auth"]["client_token"].as_str().unwrap());
    let said = stdout(&world.ok(&doctor));
    assert!(said.contains("policies default, least") && !said.contains("root"), "{said}");
    world.sign("hashivault://p256", "least.json");
    world.verify("hashivault://p256", "least.json");
    // One that reads only verifies, and the doctor says what signing lacks.
    server.call(
        "POST",
        "sys/policies/acl/reads",
        json!({ "policy": r#"path "transit/keys/p256" { capabilities = ["read"] }"# }),
    );
    let token = server.call("POST", "auth/token/create", json!({ "policies": ["reads"] }));
    world.set("VAULT_TOKEN", token["auth"]["client_token"].as_str().unwrap());
    world.verify("hashivault://p256", "least.json");
    let output = world.run(&doctor);
    assert!(!output.status.success());
    let said = stdout(&output);
    assert!(said.contains("problem it may not update transit/sign/p256") && said.contains(policy), "{said}");
    world.refuse_sign(
        "hashivault://p256",
        &[r#"do not allow "update" on transit/sign/p256"#, r#"path "transit/sign/p256" {"#],
    );
}

#[test]
fn large_messages_are_refused_before_they_are_sent() {
    let Some(server) = OpenBao::shared() else { return };
    let proxy = crate::support::fault_proxy::FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    std::fs::write(world.path("blob"), vec![7; 23 * 1024 * 1024]).unwrap();
    world.sign("hashivault://ed25519", "large.json");
    world.verify("hashivault://ed25519", "large.json");
    proxy.take();
    std::fs::write(world.path("blob"), vec![7; 23 * 1024 * 1024 + 1]).unwrap();
    world.refuse_sign("hashivault://ed25519", &["Ed25519 signs the whole file", "use an ECDSA or RSA key"]);
    assert_eq!(proxy.asked(), ["GET /v1/transit/keys/ed25519"]);
}
