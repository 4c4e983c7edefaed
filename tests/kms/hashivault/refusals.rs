//! What the server itself refuses, and what we refuse before it is asked.

use serde_json::json;

use super::{World, make_key, world};
use crate::support::openbao::OpenBao;
use crate::support::stdout;

#[test]
fn says_which_of_key_mount_and_version_is_missing() {
    let Some(server) = OpenBao::shared() else { return };
    let world = world(&server);
    let commands = |key: &str, words: &[&str]| {
        world.refuse(&["public-key", "--key", key], words);
        world.refuse_sign(key, words);
    };
    let no_key = [
        "the transit engine at transit has no such key",
        "countersign keys list 'hashivault://?mount=transit'",
    ];
    commands("hashivault://absent", &no_key);
    commands(
        "hashivault://p256?mount=absent",
        &["nothing is mounted at absent", "?mount= or TRANSIT_SECRET_ENGINE_PATH"],
    );
    commands("hashivault://p256?mount=secret", &["what is mounted at secret is no transit engine"]);
    commands("hashivault://p256?version=9", &["there is no version 9, but version 1 alone"]);
    commands("hashivault://", &["it names no key"]);
    for uri in [
        "hashivault://a/b",
        "hashivault://p256?mount=a/../sys",
        "hashivault://p256?verison=1",
        "openbao://p256?version=x",
    ] {
        commands(uri, &["cannot read the key URI: at byte "]);
    }
}

#[test]
fn keys_that_do_not_sign_are_told_apart() {
    let Some(server) = OpenBao::shared() else { return };
    let world = world(&server);
    server.call("POST", "transit/keys/secret-box", json!({ "type": "aes256-gcm96" }));
    world.refuse_sign("hashivault://secret-box", &["it is of type aes256-gcm96, which does not sign"]);
    server.call("POST", "transit/keys/derived", json!({ "type": "ed25519", "derived": true }));
    world.refuse_sign("hashivault://derived", &["it derives a key for each context"]);
    // An algorithm of another key type, and Ed25519ph, which OpenBao does not do.
    let other = ["--signing-algorithm", "rsa-sign-pkcs1-2048-sha256"];
    world.refuse_sign_with("hashivault://p256", &other, &["rsa-sign-pkcs1-2048-sha256"]);
    let ph = ["--signing-algorithm", "ed25519-ph"];
    world.refuse_sign_with("hashivault://ed25519", &ph, &["ed25519-ph"]);
    let make = ["generate-key-pair", "--kms", "hashivault://ph", "--signing-algorithm", "ed25519-ph"];
    world.refuse(&make, &["a transit engine does no ed25519-ph"]);
}

#[test]
fn retired_versions_verify_and_archived_ones_are_named() {
    let Some(server) = OpenBao::shared() else { return };
    let world = world(&server);
    let key = make_key(&server, "retired");
    world.sign(&key, "one.json");
    server.call("POST", "transit/keys/retired/rotate", json!({}));
    server.call("POST", "transit/keys/retired/config", json!({ "min_encryption_version": 2 }));
    let first = format!("{key}?version=1");
    world.verify(&first, "one.json");
    world.refuse_sign(&first, &["version 1 signs no more: min_encryption_version is 2"]);
    assert!(stdout(&world.ok(&["keys", "list", &key])).contains("version 1, verifies only"));
    server.call("POST", "transit/keys/retired/config", json!({ "min_decryption_version": 2 }));
    world.refuse_verify(
        &first,
        "one.json",
        &["there is no version 1, but version 2 alone", "it is archived"],
    );
    world.sign(&key, "two.json");
    world.verify(&key, "two.json");
}

#[test]
fn a_wrong_token_is_told_from_a_policy() {
    let Some(server) = OpenBao::shared() else { return };
    let mut world = world(&server);
    server.call(
        "POST",
        "sys/policies/acl/signs-only",
        json!({ "policy": r#"path "transit/sign/p256" { capabilities = ["update"] }"# }),
    );
    let token = server.call("POST", "auth/token/create", json!({ "policies": ["signs-only"] }));
    world.set("VAULT_TOKEN", token["auth"]["client_token"].as_str().unwrap());
    world.refuse_sign(
        "hashivault://p256",
        &[
            r#"do not allow "read" on transit/keys/p256"#,
            r#"path "transit/keys/p256" { capabilities = ["read"] }"#,
        ],
    );
    world.refuse(&["keys", "list", "hashivault://"], &[r#"do not allow "list" on transit/keys"#]);
    world.refuse(
        &["generate-key-pair", "--kms", "hashivault://fresh"],
        &[r#"do not allow "read" on transit/keys/fresh"#],
    );
    let unknown = ["the server does not know the token", "get a new one"];
    world.set("VAULT_TOKEN", "s.certainly-wrong");
    world.refuse_sign("hashivault://p256", &unknown);
    // One that has ended.
    let short = server.call("POST", "auth/token/create", json!({ "policies": ["root"], "ttl": "1s" }));
    world.set("VAULT_TOKEN", short["auth"]["client_token"].as_str().unwrap());
    server.call("POST", "auth/token/revoke", json!({ "token": short["auth"]["client_token"] }));
    world.refuse_sign("hashivault://p256", &unknown);
    assert!(stdout(&world.run(&["keys", "doctor", "hashivault://p256"])).contains("does not know the token"));
    world.set("VAULT_TOKEN", "a\u{1}b\nc-and-more");
    world.refuse_sign("hashivault://p256", &["characters that no header may have"]);
}

#[test]
fn a_server_that_is_sealed_or_gone_is_named() {
    let Some(server) = OpenBao::new() else { return };
    let world = world(&server);
    world.sign("hashivault://p256", "b.json");
    server.call("POST", "sys/seal", json!({}));
    world.refuse_sign("hashivault://p256", &["the server is sealed", "must unseal it"]);
    let output = world.run(&["keys", "doctor", "hashivault://p256"]);
    assert!(!output.status.success() && stdout(&output).contains("problem the server is sealed"));
    server.end();
    world.refuse_sign(
        "hashivault://p256",
        &["connection refused", "see that the address is right and the service runs"],
    );
}

#[test]
fn tls_is_checked() {
    let Some(server) = OpenBao::shared() else { return };
    let (tls, authority) = (server.variable("VAULT_TLS_ADDR"), server.variable("VAULT_CACERT"));
    let mut world = World::new(&[("VAULT_ADDR", tls), ("VAULT_TOKEN", server.token())]);
    world.refuse_sign(
        "hashivault://p256",
        &["invalid peer certificate: UnknownIssuer", "certificate authority"],
    );
    world.set("VAULT_SKIP_VERIFY", "1");
    world.refuse_sign("hashivault://p256", &["VAULT_SKIP_VERIFY is not honoured", "UnknownIssuer"]);
    world.set("SSL_CERT_FILE", authority);
    world.sign("hashivault://p256", "b.json");
    world.set("SSL_CERT_FILE", "/nowhere");
    world.refuse_sign(
        "hashivault://p256",
        &["cannot read the certificates in /nowhere", "SSL_CERT_FILE names this file"],
    );
    world.set("VAULT_CACERT", authority);
    world.verify("hashivault://p256", "b.json");
    // Its name must be in the certificate, which has 127.0.0.1 alone.
    world.set("VAULT_ADDR", &tls.replace("127.0.0.1", "localhost"));
    world.refuse_sign("hashivault://p256", &["certificate not valid for name \"localhost\""]);
    // Plain on a port that speaks TLS, and the other way round.
    world.set("VAULT_ADDR", &tls.replace("https", "http"));
    world.refuse_sign("hashivault://p256", &["the server speaks TLS there", "write https://"]);
    world.set("VAULT_ADDR", &server.variable("VAULT_ADDR").replace("http", "https"));
    world.refuse_sign("hashivault://p256", &["the port may speak plain http"]);
}

#[test]
fn addresses_that_would_leak_a_token_are_refused() {
    let mut world = World::new(&[("VAULT_TOKEN", "s.sesame-open")]);
    world.refuse_sign("hashivault://k", &["neither VAULT_ADDR nor BAO_ADDR is set"]);
    for (address, why) in [
        ("http://vault.example.com:8200", "plain http lets everybody on the way read them"),
        ("https://me:sesame-close@vault.example.com", "it holds a user name or password"),
        ("vault.example.com:8200", "it begins neither with https:// nor with http://"),
        ("unix:///run/agent.sock", "it begins neither with https:// nor with http://"),
        ("https://vault.example.com/?a=b", "it has a query or a fragment"),
        ("nonsense", "it is no URL"),
    ] {
        world.set("VAULT_ADDR", address);
        let said = world.refuse_sign("hashivault://k", &[why]);
        assert!(!said.contains("sesame"), "{said}");
    }
}
