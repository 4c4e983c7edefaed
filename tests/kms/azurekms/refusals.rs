//! Refusals of the service, of TLS and of addresses.

use serde_json::{Value, json};

use super::{World, at, world};
use crate::support::azure::{Azure, VAULT};
use crate::support::fault_proxy::FaultProxy;
use crate::support::stdout;

fn make(server: &Azure, vault: &str, key: &str, body: &Value) -> String {
    server.call(&format!("make/{vault}/{key}"), body);
    format!("azurekms://{vault}/{key}")
}

#[test]
fn keys_that_may_not_sign_now_are_told_apart_and_still_verify() {
    let Some(server) = Azure::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, &proxy);
    let vault = "states.vault.azure.net";
    for (state, words) in [
        (json!({ "attributes": { "enabled": false } }), ["the key is disabled", "--enabled true"]),
        (
            json!({ "attributes": { "nbf": 4_102_444_800_u64 } }),
            ["not yet valid", "activation date is 2100-01-01"],
        ),
        (json!({ "attributes": { "exp": 1_500_000_000 } }), ["the key expired at 2017-07-14", "key rotate"]),
        (json!({ "key_ops": ["verify"] }), ["the key is for verify, not for sign", "generate-key-pair"]),
        (json!({ "key_ops": [] }), ["the key is for nothing, not for sign", "generate-key-pair"]),
    ] {
        let uri = make(&server, vault, "k", &json!({ "kty": "EC" }));
        world.sign(&uri, "b.json");
        server.call(&format!("change/{vault}/k"), &state);
        proxy.take();
        world.refuse_sign(&uri, &words);
        assert!(proxy.asked().iter().all(|path| !path.contains("/sign")), "refused before a signature");
        world.verify(&uri, "b.json");
        let list = stdout(&world.ok(&["keys", "list", &format!("azurekms://{vault}")]));
        assert!(list.contains(words[0]), "{list}");
    }
    let soon = make(
        &server,
        vault,
        "soon",
        &json!({ "attributes": { "nbf": 1_500_000_000, "exp": 4_102_444_800_u64 } }),
    );
    world.sign(&soon, "b.json");
}

#[test]
fn keys_that_are_missing_or_of_another_kind_are_refused() {
    let Some(server) = Azure::shared() else { return };
    let world = world(&server);
    let absent = format!("azurekms://{VAULT}/absent");
    world.refuse_sign(&absent, &["rig.vault.azure.net has no key absent", "countersign keys list"]);
    world.refuse_sign("azurekms://empty.vault.azure.net/k", &["empty.vault.azure.net has no key k"]);
    world.refuse_sign(&format!("azurekms://{VAULT}"), &["it names no key", "azurekms://HOST/KEY"]);
    let vault = "kinds.vault.azure.net";
    for (key, body, kind) in [
        ("symmetric", json!({ "kty": "oct" }), "of type oct"),
        ("bitcoin", json!({ "kty": "EC", "crv": "P-256K" }), "of type EC P-256K"),
        ("small", json!({ "kty": "RSA", "key_size": 1024 }), "1024 bits is not in Sigstore's registry"),
    ] {
        world.refuse_sign(&make(&server, vault, key, &body), &[kind]);
    }
    make(&server, vault, "good", &json!({ "kty": "RSA-HSM", "key_size": 2048 }));
    let list = stdout(&world.ok(&["keys", "list", &format!("azurekms://{vault}/")]));
    assert!(list.lines().count() == 1 && list.contains("/good/"), "{list}");
    let import = ["keys", "import", "--key", "cosign.key", &absent];
    assert!(!world.run(&import).status.success());
}

/// Hosts that are nobody's vault, and a host that asks for another service's token.
#[test]
fn tokens_go_to_vaults_alone() {
    let Some(server) = Azure::new() else { return };
    let proxy = FaultProxy::new(server.address());
    let mut world = at(&server, &proxy);
    for host in [
        "vault.example.com",
        "rig.vault.azure.net.example.com",
        "rig.vault.azure.net:8443",
        "vault.azure.net",
    ] {
        let words = ["cannot send a token to", "no host of Key Vault", "COUNTERSIGN_AZURE_HOSTS="];
        world.refuse_sign(&format!("azurekms://{host}/p256"), &words);
    }
    assert!(proxy.asked().is_empty(), "nobody was asked");
    let uri = format!("azurekms://{VAULT}/p256");
    for audience in ["management.azure.com", "azure.net", "net", "managedhsm.azure.net", "vault.azure.cn"] {
        server.call(&format!("audience/{audience}"), &json!({}));
        world.refuse_sign(&uri, &[&format!("https://{audience}/.default, which is not its to ask for")]);
        let asked = proxy.asked();
        assert!(asked.iter().all(|path| !path.contains("oauth2")), "no token was asked for: {asked:?}");
    }
    // The same for a host that the user allows, which tells no cloud: vaults' tokens alone.
    let host = server.tls_address().to_owned();
    let direct = format!("azurekms://{host}/k");
    server.call(&format!("make/{host}/k"), &json!({ "kty": "EC" }));
    world.refuse_sign(&direct, &["cannot send a token to 127.0.0.1"]);
    world.set("COUNTERSIGN_AZURE_HOSTS", &format!("other.example.com,{host}"));
    server.call("audience/management.azure.com", &json!({}));
    world.refuse_sign(&direct, &["https://management.azure.com/.default, which is not its to ask for"]);
    server.call("audience/own", &json!({}));
    world.sign(&direct, "b.json");
    world.verify(&direct, "b.json");
    let said = stdout(&world.ok(&["keys", "doctor", &direct]));
    assert!(said.contains("gets tokens all the same"), "{said}");
    world.set("AZURE_AUTHORITY_HOST", "http://login.example.com");
    world.refuse_sign(&direct, &["cannot use AZURE_AUTHORITY_HOST", "https://"]);
    world.set("AZURE_AUTHORITY_HOST", "");
    world.set("AZURE_ENVIRONMENT", "MOON");
    world.refuse_sign(&direct, &["cannot use AZURE_ENVIRONMENT", "AZURECHINACLOUD"]);
}

#[test]
fn uris_are_read_strictly() {
    let world = World::new(&[("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")]);
    for uri in [
        "azurekms://",
        "azurekms:///k",
        "azurekms://h/a_b",
        "azurekms://h/../k",
        "azurekms://h/a%2fb",
        "azurekms://h/k/V",
        "azurekms://h/k/v/w",
        "azurekms://h/k?x=y",
        "azurekms://me:sesame@h/k",
    ] {
        world.refuse_sign(uri, &["cannot read the key URI: at byte", "azurekms://HOST/KEY[/VERSION]"]);
    }
}

#[test]
fn tls_is_checked_and_a_server_that_is_gone_is_told() {
    let Some(server) = Azure::new() else { return };
    let mut world = world(&server);
    let uri = format!("azurekms://{VAULT}/p256");
    world.sign(&uri, "b.json");
    let trusted = world.path("ca.pem").to_str().unwrap().to_owned();
    std::fs::copy(server.variable("SSL_CERT_FILE"), &trusted).unwrap();
    let client = server.file("client.pem").to_str().unwrap().to_owned();
    world.set("SSL_CERT_FILE", &client);
    world.refuse_sign(&uri, &["invalid peer certificate", "SSL_CERT_FILE"]);
    world.set("SSL_CERT_FILE", &trusted);
    world.verify(&uri, "b.json");
    server.end();
    world.refuse_sign(&uri, &["cannot open", "see that the address is right"]);
}
