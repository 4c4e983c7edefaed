//! Who we are: what is tried, in which order, and what a refusal says.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{World, at, world};
use crate::support::azure::{Azure, VAULT};
use crate::support::fault_proxy::FaultProxy;
use crate::support::{self, stdout};

fn key() -> String {
    format!("azurekms://{VAULT}/p256")
}

/// A world without the application's secret, in which no machine is asked for its identity.
fn without_secret(server: &Azure) -> World {
    let mut world = world(server);
    world.set("AZURE_CLIENT_SECRET", "");
    world.set("AZURE_TOKEN_CREDENTIALS", "dev");
    world
}

/// Puts a program in place of `az`, which says this.
fn place_az(world: &mut World, script: &str) {
    let path = world.path("bin");
    fs::create_dir_all(&path).unwrap();
    let program = path.join("az");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    world.set("PATH", &format!("{}:/usr/bin:/bin", path.display()));
}

#[test]
fn az_signs_and_is_not_run_where_commands_are_forbidden() {
    let Some(server) = Azure::shared() else { return };
    let mut world = without_secret(&server);
    let token = server.call("token/person/vault.azure.net", &json!({}))["token"].as_str().unwrap().to_owned();
    let answer = json!({ "accessToken": token, "expires_on": 4_102_444_800_u64, "tokenType": "Bearer" });
    let ran = world.path("ran");
    place_az(&mut world, &format!("echo \"$@\" >> {}\necho '{answer}'", ran.display()));
    world.sign(&key(), "b.json");
    let asked = fs::read_to_string(&ran).unwrap();
    assert!(
        asked.contains("account get-access-token") && asked.contains("https://vault.azure.net"),
        "{asked}"
    );
    assert_eq!(asked.lines().count(), 1, "once for all calls: {asked}");
    let said = stdout(&world.ok(&["keys", "doctor", &key()]));
    assert!(said.contains("credentials: az login") && said.contains("application person"), "{said}");
    fs::remove_file(&ran).unwrap();
    world.set("COUNTERSIGN_NO_COMMANDS", "1");
    let words = ["the environment leaves no source of credentials", "COUNTERSIGN_NO_COMMANDS"];
    world.refuse_sign(&key(), &words);
    assert!(!ran.exists(), "az was run");
    world.set("COUNTERSIGN_NO_COMMANDS", "");
    place_az(&mut world, "echo \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1");
    world.refuse_sign(&key(), &["tried az login:", "Please run 'az login'"]);
    place_az(&mut world, "echo junk");
    world.refuse_sign(&key(), &["no credentials; tried az login"]);
    world.set("PATH", "/nonexistent");
    world.refuse_sign(
        &key(),
        &["no credentials; tried az login: ", "az not found on PATH", "AZURE_TENANT_ID"],
    );
}

#[test]
fn an_application_asks_neither_machine_nor_command() {
    let Some(server) = Azure::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let mut world = at(&server, &proxy);
    let ran = world.path("ran");
    place_az(&mut world, &format!("touch {}", ran.display()));
    world.set("IDENTITY_ENDPOINT", &format!("http://{}/msi/token", proxy.address()));
    world.set("IDENTITY_HEADER", "of-the-machine");
    world.sign(&key(), "b.json");
    world.set("AZURE_CLIENT_SECRET", "certainly-wrong");
    let words = ["the login by AZURE_CLIENT_SECRET is refused: AADSTS7000215", "is the secret's value"];
    world.refuse_sign(&key(), &words);
    let asked = proxy.asked();
    assert!(!ran.exists() && asked.iter().all(|path| !path.contains("/msi/")), "{asked:?}");
    let logins = asked.iter().filter(|path| path.contains("/oauth2/")).count();
    assert_eq!(logins, 2, "a refused login is not repeated: {asked:?}");
}

#[test]
fn a_machine_with_an_identity_signs() {
    let Some(server) = Azure::shared() else { return };
    let secret = server.variable("AZURE_CLIENT_SECRET").to_owned();
    let mut world = without_secret(&server);
    for name in ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_TOKEN_CREDENTIALS"] {
        world.set(name, "");
    }
    world.set("IDENTITY_ENDPOINT", &format!("http://{}/msi/token", server.address()));
    world.set("IDENTITY_HEADER", &secret);
    world.sign(&key(), "b.json");
    let said = stdout(&world.ok(&["keys", "doctor", &key()]));
    assert!(said.contains("this machine's identity") && said.contains("application machine"), "{said}");
    world.set("AZURE_CLIENT_ID", "reader");
    world.refuse_sign(&key(), &["keys/sign is not allowed to this machine's identity", "appid=reader"]);
    world.set("AZURE_CLIENT_ID", "");
    world.set("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential");
    world.sign(&key(), "b.json");
    world.set("IDENTITY_HEADER", "wrong");
    world.refuse_sign(&key(), &["this machine's identity is refused", "is not that of this machine"]);
}

#[test]
fn a_workload_signs_with_another_issuers_token() {
    let Some(server) = Azure::shared() else { return };
    let mut world = without_secret(&server);
    world.set("AZURE_TOKEN_CREDENTIALS", "");
    world.set("AZURE_FEDERATED_TOKEN_FILE", server.file("federated-token").to_str().unwrap());
    world.sign(&key(), "b.json");
    fs::write(world.path("other"), "not.a.token").unwrap();
    let other = world.path("other").to_str().unwrap().to_owned();
    world.set("AZURE_FEDERATED_TOKEN_FILE", &other);
    world.refuse_sign(&key(), &["the login by AZURE_FEDERATED_TOKEN_FILE is refused: AADSTS700027"]);
    world.set("AZURE_FEDERATED_TOKEN_FILE", "/nonexistent");
    world.refuse_sign(&key(), &["AZURE_FEDERATED_TOKEN_FILE"]);
    world.set("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential");
    world.refuse_sign(&key(), &["leaves no source of credentials"]);
    world.set("AZURE_TOKEN_CREDENTIALS", "Nonsense");
    world.refuse_sign(&key(), &["cannot use AZURE_TOKEN_CREDENTIALS", "AzureCLICredential"]);
}

#[test]
fn a_certificate_signs_the_login() {
    let (Some(server), Some(_)) = (Azure::shared(), support::openssl()) else { return };
    let mut world = without_secret(&server);
    world.set("AZURE_TOKEN_CREDENTIALS", "");
    let both = fs::read_to_string(server.file("client-both.pem")).unwrap();
    let at = both.find("-----BEGIN CERTIFICATE").unwrap();
    let (private, certificate) = both.split_at(at);
    let encrypt = |world: &World| {
        let arguments =
            ["pkcs8", "-topk8", "-in", "key.pem", "-out", "sealed.pem", "-passout", "pass:sesame"];
        assert!(support::run(&mut world.prepare(support::openssl().unwrap(), &arguments)).status.success());
        fs::read_to_string(world.path("sealed.pem")).unwrap()
    };
    fs::write(world.path("key.pem"), private).unwrap();
    let sealed = encrypt(&world);
    let file = world.path("login.pem").to_str().unwrap().to_owned();
    world.set("AZURE_CLIENT_CERTIFICATE_PATH", &file);
    for content in [both.clone(), format!("{certificate}{private}"), format!("Bag Attributes\n{both}")] {
        fs::write(&file, content).unwrap();
        world.sign(&key(), "b.json");
    }
    fs::write(&file, format!("{certificate}{sealed}")).unwrap();
    world.refuse_sign(&key(), &["its key is encrypted", "AZURE_CLIENT_CERTIFICATE_PASSWORD"]);
    world.set("AZURE_CLIENT_CERTIFICATE_PASSWORD", "wrong");
    world.refuse_sign(&key(), &["cannot log in with the certificate"]);
    world.set("AZURE_CLIENT_CERTIFICATE_PASSWORD", "sesame");
    world.sign(&key(), "b.json");
    let other = "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -subj /CN=x -days 2";
    let other: Vec<&str> = other.split(' ').collect();
    assert!(support::run(&mut world.prepare(support::openssl().unwrap(), &other)).status.success());
    let read = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    for (content, word) in [
        (private.to_owned(), "it holds no certificate of its key"),
        (format!("{private}{}", read("other.pem")), "it holds no certificate of its key"),
        (certificate.to_owned(), "it holds no private key in PEM"),
        (format!("{}{}", read("other.key"), read("other.pem")), "is refused: AADSTS700027"),
    ] {
        fs::write(&file, content).unwrap();
        world.refuse_sign(&key(), &[word]);
    }
    world.set("AZURE_CLIENT_CERTIFICATE_PATH", "/nonexistent.pem");
    world.refuse_sign(&key(), &["cannot read /nonexistent.pem"]);
}

#[test]
fn who_may_not_is_told_which_permission_is_missing() {
    let Some(server) = Azure::shared() else { return };
    let mut world = world(&server);
    world.sign(&key(), "b.json");
    world.set("AZURE_CLIENT_ID", "reader");
    world.verify(&key(), "b.json");
    let said =
        world.refuse_sign(&key(), &["keys/sign is not allowed to AZURE_CLIENT_SECRET", "appid=reader"]);
    assert!(said.contains("allow Microsoft.KeyVault/vaults/keys/sign/action"), "{said}");
    world.refuse(&["generate-key-pair", "--kms", "azurekms://denied.vault.azure.net/k"], &["keys/create"]);
    world.set("AZURE_CLIENT_ID", "nobody");
    world.refuse_sign(&key(), &["keys/get is not allowed", "Microsoft.KeyVault/vaults/keys/read"]);
    world.refuse(&["keys", "list", &format!("azurekms://{VAULT}")], &["keys/list is not allowed"]);
    let hsm = "azurekms://denied.managedhsm.azure.net/k";
    world.refuse_sign(hsm, &["Microsoft.KeyVault/managedHsm/keys/read/action"]);
    world.set("AZURE_CLIENT_ID", "unknown");
    world.refuse_sign(&key(), &["AADSTS700016", "AZURE_CLIENT_ID and AZURE_TENANT_ID belong together"]);
    world.set("AZURE_TENANT_ID", "99999999-2222-3333-4444-555555555555");
    world.refuse_sign(&key(), &["AADSTS90002"]);
    world.set("AZURE_TENANT_ID", "a/b");
    world.refuse_sign(&key(), &["cannot use the credentials in the environment", "invalid tenant"]);
}
