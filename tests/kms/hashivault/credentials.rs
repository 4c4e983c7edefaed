//! Every way to a token, on a real server.

use std::time::Duration;

use serde_json::json;

use super::{World, at};
use crate::support::fault_proxy::FaultProxy;
use crate::support::openbao::OpenBao;

const POLICY: &str = r#"path "transit/keys/p256" { capabilities = ["read"] }
path "transit/sign/p256" { capabilities = ["update"] }"#;

/// A world without token, and the proxy that it speaks through.
fn without_token(server: &OpenBao) -> (World, FaultProxy) {
    server.call("POST", "sys/policies/acl/signer", json!({ "policy": POLICY }));
    let proxy = FaultProxy::new(server.address());
    let mut world = at(server, proxy.address());
    world.set("VAULT_TOKEN", "");
    (world, proxy)
}

/// A role for AppRole at `auth/<mount>`: its id and a secret.
fn app_role(server: &OpenBao, mount: &str, ttl: &str) -> (String, String) {
    server.call("POST", &format!("sys/auth/{mount}"), json!({ "type": "approle" }));
    let role = format!("auth/{mount}/role/ci");
    server.call("POST", &role, json!({ "token_policies": "signer", "token_ttl": ttl }));
    let id = server.call("GET", &format!("{role}/role-id"), serde_json::Value::Null);
    let secret = server.call("POST", &format!("{role}/secret-id"), json!({}));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&id["data"]["role_id"]), text(&secret["data"]["secret_id"]))
}

#[test]
fn app_role_logs_in_once_for_a_batch() {
    let Some(server) = OpenBao::shared() else { return };
    let (mut world, proxy) = without_token(&server);
    let (role, secret) = app_role(&server, "approle", "1h");
    world.set("VAULT_ROLE_ID", &role);
    world.set("VAULT_SECRET_ID", &secret);
    let names: Vec<String> = (0..20).map(|number| format!("file{number}")).collect();
    for name in &names {
        std::fs::write(world.path(name), name).unwrap();
    }
    let sign = ["sign-blob", "--tlog-upload=false", "--key", "hashivault://p256"];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.ok(&[&sign[..], &names].concat());
    let (requests, _) = proxy.take();
    assert_eq!(requests.len(), 22);
    assert_eq!(requests[0].path(), "/v1/auth/approle/login");
    // The secret goes to the login alone, in its body.
    let with_secret =
        requests.iter().filter(|request| String::from_utf8_lossy(&request.body).contains(&secret));
    assert_eq!(with_secret.count(), 1);
    assert!(requests.iter().all(|request| !request.path().contains(&secret)));
    world.set("VAULT_SECRET_ID", "certainly-wrong");
    world.refuse_sign(
        "hashivault://p256",
        &["cannot log in at auth/approle", "look at role, secret and the login's mount"],
    );
    world.set("VAULT_AUTH_PATH", "absent");
    world.refuse_sign("hashivault://p256", &["cannot log in at auth/absent"]);
}

#[test]
fn a_login_that_ends_is_made_again() {
    let Some(server) = OpenBao::shared() else { return };
    let (mut world, proxy) = without_token(&server);
    let (role, secret) = app_role(&server, "short/approle", "2s");
    world.set("VAULT_ROLE_ID", &role);
    world.set("VAULT_SECRET_ID", &secret);
    world.set("VAULT_AUTH_PATH", "short/approle");
    // The first answer comes when the token of the login has ended.
    let slow = crate::support::fault_proxy::Fault::Change(Box::new(|body| {
        std::thread::sleep(Duration::from_millis(2500));
        body
    }));
    proxy.spoil("keys", [slow]);
    world.sign("hashivault://p256", "b.json");
    let login = "POST /v1/auth/short/approle/login";
    assert_eq!(proxy.asked(), [login, "GET /v1/transit/keys/p256", login, "POST /v1/transit/sign/p256"]);
}

/// A JWT of an issuer of the test, signed by the server's own key.
fn jwt(server: &OpenBao, audience: &str) -> String {
    use base64::Engine;
    let part =
        |value: serde_json::Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({ "alg": "ES256", "typ": "JWT" }));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims =
        json!({ "iss": "https://issuer", "sub": "job", "aud": audience, "iat": now, "exp": now + 600 });
    let signed = format!("{head}.{}", part(claims));
    let input = base64::engine::general_purpose::STANDARD.encode(&signed);
    let answer =
        server.call("POST", "transit/sign/p256", json!({ "input": input, "marshaling_algorithm": "jws" }));
    let signature = answer["data"]["signature"].as_str().unwrap().rsplit(':').next().unwrap();
    // `jws` marshals with base64url.
    format!("{signed}.{signature}")
}

#[test]
fn jwt_and_kubernetes_log_in() {
    let Some(server) = OpenBao::shared() else { return };
    let (mut world, proxy) = without_token(&server);
    let key = server.call("GET", "transit/keys/p256", serde_json::Value::Null);
    let pem = key["data"]["keys"]["1"]["public_key"].as_str().unwrap();
    for mount in ["jwt", "cluster"] {
        server.call("POST", &format!("sys/auth/{mount}"), json!({ "type": "jwt" }));
        server.call("POST", &format!("auth/{mount}/config"), json!({ "jwt_validation_pubkeys": [pem] }));
        let role = json!({ "role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": "signer" });
        server.call("POST", &format!("auth/{mount}/role/ci"), role);
    }
    world.refuse_sign("hashivault://p256", &["there is no token: looked at VAULT_TOKEN"]);
    world.set("VAULT_ROLE", "ci");
    world.set("VAULT_JWT", &jwt(&server, "vault"));
    world.sign("hashivault://p256", "b.json");
    assert_eq!(proxy.asked()[0], "POST /v1/auth/jwt/login");
    world.set("VAULT_JWT", &jwt(&server, "another"));
    world.refuse_sign("hashivault://p256", &["cannot log in at auth/jwt"]);
    // From a file, as a pod has one; Kubernetes' login asks the same question at a mount of its own.
    std::fs::write(world.path("jwt"), jwt(&server, "vault") + "\n").unwrap();
    world.set("VAULT_JWT", "");
    world.set("VAULT_JWT_FILE", world.path("jwt").to_str().unwrap());
    world.sign("hashivault://p256", "c.json");
    proxy.take();
    world.set("VAULT_AUTH_METHOD", "kubernetes");
    world.set("VAULT_AUTH_PATH", "cluster");
    world.sign("hashivault://p256", "d.json");
    assert_eq!(proxy.asked()[0], "POST /v1/auth/cluster/login");
    world.set("VAULT_JWT_FILE", "/nowhere/token");
    world.refuse_sign("hashivault://p256", &["cannot read the token in /nowhere/token"]);
    world.set("VAULT_AUTH_METHOD", "ldap");
    world.refuse_sign("hashivault://p256", &["there are: token, approle, jwt, kubernetes"]);
}

#[test]
fn a_token_from_file_or_helper_serves() {
    let Some(server) = OpenBao::shared() else { return };
    let (mut world, _proxy) = without_token(&server);
    world.set("HOME", world.path("").to_str().unwrap());
    std::fs::write(world.path(".vault-token"), format!("{}\n", server.token())).unwrap();
    world.sign("hashivault://p256", "a.json");
    world.sign("openbao://p256", "b.json");
    // A helper goes before the file, as with the servers' own tools.
    std::fs::write(world.path(".vault-token"), "s.old").unwrap();
    let helper = world.path("helper");
    std::fs::write(&helper, format!("#!/bin/sh\n[ \"$1\" = get ] && printf %s '{}'\n", server.token()))
        .unwrap();
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(world.path(".vault"), format!("# set by us\ntoken_helper = \"{}\"\n", helper.display()))
        .unwrap();
    world.sign("hashivault://p256", "c.json");
    world.set("COUNTERSIGN_NO_COMMANDS", "1");
    world.refuse_sign("hashivault://p256", &["COUNTERSIGN_NO_COMMANDS"]);
}

#[test]
fn a_token_goes_to_its_own_server() {
    let Some(server) = OpenBao::shared() else { return };
    let (mut world, vault) = without_token(&server);
    let bao = FaultProxy::new(server.address());
    world.set("BAO_ADDR", &format!("http://{}", bao.address()));
    world.set("VAULT_TOKEN", server.token());
    world.sign("hashivault://p256", "a.json");
    assert_eq!((vault.asked().len(), bao.asked().len()), (2, 0));
    // The token of one is no token of the other.
    world.refuse_sign("openbao://p256", &["there is no token: looked at BAO_TOKEN"]);
    assert_eq!((vault.take().1, bao.take().1), (0, 0));
    world.set("BAO_TOKEN", server.token());
    world.sign("openbao://p256", "b.json");
    assert_eq!((vault.take().1, bao.asked().len()), (0, 2));
}

#[test]
fn a_namespace_is_sent_and_kept_apart() {
    let Some(server) = OpenBao::shared() else { return };
    let (mut world, proxy) = without_token(&server);
    world.set("VAULT_TOKEN", server.token());
    server.call("POST", "sys/namespaces/division", json!({}));
    // The proxy passes no namespace on; the server itself is asked for that.
    world.refuse_sign("hashivault://absent?namespace=division", &["no such key"]);
    assert_eq!(proxy.take().0[0].header("x-vault-namespace"), Some("division"));
    world.set("VAULT_ADDR", server.variable("VAULT_ADDR"));
    world.refuse_sign("hashivault://p256?namespace=division", &["nothing is mounted at transit"]);
    server.call("POST", "division/sys/mounts/transit", json!({ "type": "transit" }));
    world.ok(&["generate-key-pair", "--kms", "hashivault://mine?namespace=division"]);
    world.set("VAULT_NAMESPACE", "division");
    world.sign("hashivault://mine", "n.json");
    world.verify("cosign.pub", "n.json");
    world.verify("hashivault://mine?namespace=division", "n.json");
    world.refuse_sign("hashivault://mine?namespace=absent", &["mine"]);
}
