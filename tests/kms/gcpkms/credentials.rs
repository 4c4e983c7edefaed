//! Who we are: what is tried, where tokens go, and what a refusal says.

use std::fs;

use serde_json::{Value, json};

use super::{World, world};
use crate::support::cloudkms::{CloudKms, uri};
use crate::support::fault_proxy::FaultProxy;
use crate::support::stdout;

/// Writes credentials and names them.
fn with_file(world: &mut World, json: &Value) {
    let path = world.path("adc.json");
    fs::write(&path, json.to_string()).unwrap();
    world.set("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap());
}

fn account(server: &CloudKms) -> Value {
    let text = fs::read(server.variable("GOOGLE_APPLICATION_CREDENTIALS")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn person(address: &str) -> Value {
    json!({ "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "rig-refresh",
            "token_uri": format!("http://{address}/token") })
}

/// The metadata server is a proxy that nobody may come to.
#[test]
fn a_service_account_signs_its_own_token_and_asks_nobody() {
    let Some(server) = CloudKms::shared() else { return };
    let mut world = world(&server);
    let machine = FaultProxy::new(server.address());
    world.set("GCE_METADATA_HOST", machine.address());
    let api = FaultProxy::new(server.address());
    world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", &format!("http://{}", api.address()));
    world.set("GOOGLE_CLOUD_QUOTA_PROJECT", "payer");
    world.sign(&uri("p256"), "b.json");
    let (requests, _) = api.take();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert!(request.header("authorization").unwrap().starts_with("Bearer ey"));
        assert_eq!(request.header("x-goog-user-project"), Some("payer"));
    }
    assert_eq!(machine.take().1, 0, "the metadata server is not asked");
}

#[test]
fn a_person_an_external_account_and_an_impersonated_one_sign() {
    let Some(server) = CloudKms::shared() else { return };
    let mut world = world(&server);
    let login = FaultProxy::new(server.address());
    let token = format!("http://{}/token", login.address());
    fs::write(world.path("subject"), "a-token-of-another-issuer").unwrap();
    let external = json!({ "type": "external_account", "audience": "//iam.googleapis.com/x", "token_url": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "credential_source": { "file": world.path("subject").to_str().unwrap() } });
    let impersonated = json!({ "type": "impersonated_service_account", "source_credentials": person(login.address()),
        "service_account_impersonation_url":
            format!("http://{}/v1/projects/-/serviceAccounts/release@rig:generateAccessToken", login.address()) });
    for (json, who, calls) in [
        (person(login.address()), "a person's login", 1),
        (external, "an external account", 1),
        (impersonated, "release@rig, impersonated", 2),
    ] {
        with_file(&mut world, &json);
        world.sign(&uri("p256"), "b.json");
        assert_eq!(login.take().0.len(), calls, "{who}: one token for all calls");
        let said = stdout(&world.ok(&["keys", "doctor", &uri("p256")]));
        assert!(said.contains(who), "no {who} in {said}");
        login.take();
    }
}

#[test]
fn gcloud_s_file_is_found_and_the_machine_is_asked_last() {
    let Some(server) = CloudKms::shared() else { return };
    let mut world = world(&server);
    let machine = FaultProxy::new(server.address());
    let home = world.path("").to_str().unwrap().to_owned();
    world.set("HOME", &home);
    world.set("GOOGLE_APPLICATION_CREDENTIALS", "");
    world.set("GCE_METADATA_HOST", machine.address());
    world.sign(&uri("p256"), "b.json");
    assert!(machine.asked().iter().all(|asked| asked.starts_with("GET /computeMetadata/")));
    fs::create_dir_all(world.path(".config/gcloud")).unwrap();
    let path = world.path(".config/gcloud/application_default_credentials.json");
    fs::write(path, person(server.address()).to_string()).unwrap();
    world.sign(&uri("p256"), "b.json");
    assert_eq!(machine.take().1, 0, "the metadata server is not asked");
}

#[test]
fn credentials_that_cannot_be_used_are_refused_and_not_shown() {
    let Some(server) = CloudKms::shared() else { return };
    let mut world = world(&server);
    let mut broken = account(&server);
    broken["private_key"] = json!("-----BEGIN PRIVATE KEY-----\nc2VzYW1l\n-----END PRIVATE KEY-----\n");
    let far = json!({ "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "sesame",
        "token_uri": "http://login.example.com/token" });
    let wrong = json!({ "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "sesame",
        "token_uri": format!("http://{}/token", server.address()) });
    for (json, words) in [
        (json!({ "type": "sesame" }), ["its type is \"sesame\"", "gcloud auth application-default login"]),
        (json!({}), ["its type is \"\"", "gcloud auth application-default login"]),
        (
            json!({ "type": "service_account", "client_email": "x" }),
            ["cannot use the credentials of", "parsed"],
        ),
        (far, ["plain http lets everybody on the way read them", "COUNTERSIGN_PLAIN_HTTP"]),
        (wrong, ["no token from a person's login", "gcloud auth application-default login"]),
    ] {
        with_file(&mut world, &json);
        let said = world.refuse_sign(&uri("p256"), &words);
        assert!(json["type"] == "sesame" || !said.contains("sesame"), "{said}");
    }
    with_file(&mut world, &broken);
    assert!(!world.refuse_sign(&uri("p256"), &[]).contains("c2VzYW1l"));
    fs::write(world.path("adc.json"), "sesame").unwrap();
    assert!(!world.refuse_sign(&uri("p256"), &["the file is no JSON"]).contains("sesame"));
    world.set("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/adc.json");
    world.refuse_sign(
        &uri("p256"),
        &["/nonexistent/adc.json", "GOOGLE_APPLICATION_CREDENTIALS names the file"],
    );
}

#[test]
fn a_program_as_source_is_off_where_commands_are() {
    let Some(server) = CloudKms::shared() else { return };
    let mut world = world(&server);
    let ran = world.path("ran").to_str().unwrap().to_owned();
    let source = json!({ "executable": { "command": format!("/bin/touch {ran}"), "timeout_millis": 5000 } });
    let external = json!({ "type": "external_account", "audience": "//iam.googleapis.com/x",
        "token_url": format!("http://{}/token", server.address()),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source });
    let nested = json!({ "type": "impersonated_service_account", "source_credentials": external,
        "service_account_impersonation_url":
            format!("http://{}/v1/projects/-/serviceAccounts/x@rig:generateAccessToken", server.address()) });
    world.set("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
    world.set("COUNTERSIGN_NO_COMMANDS", "1");
    for json in [&external, &nested] {
        with_file(&mut world, json);
        world.refuse_sign(&uri("p256"), &["they come from a program", "COUNTERSIGN_NO_COMMANDS"]);
        assert!(!world.path("ran").exists());
    }
    // Else the program is run, which shows that the test would notice.
    world.set("COUNTERSIGN_NO_COMMANDS", "");
    with_file(&mut world, &external);
    world.refuse_sign(&uri("p256"), &["no token from an external account"]);
    assert!(world.path("ran").exists());
}

#[test]
fn whoever_may_not_is_told_which_permission_is_missing() {
    let Some(server) = CloudKms::new() else { return };
    let world = world(&server);
    let (key, version) = (uri("p256"), format!("{}/versions/1", uri("p256")));
    let ring = "gcpkms://projects/rig/locations/global/keyRings/ring";
    let (new, far) = (uri("new"), "gcpkms://projects/rig/locations/global/keyRings/new/cryptoKeys/new");
    for (permission, role, arguments) in [
        ("cloudkms.cryptoKeyVersions.useToSign", "roles/cloudkms.signer", ["sign-blob", "--key", &version]),
        (
            "cloudkms.cryptoKeyVersions.viewPublicKey",
            "roles/cloudkms.publicKeyViewer",
            ["public-key", "--key", &version],
        ),
        ("cloudkms.cryptoKeyVersions.list", "roles/cloudkms.viewer", ["public-key", "--key", &key]),
        ("cloudkms.cryptoKeys.list", "roles/cloudkms.viewer", ["keys", "list", ring]),
        ("cloudkms.cryptoKeys.create", "roles/cloudkms.admin", ["generate-key-pair", "--kms", &new]),
        ("cloudkms.keyRings.create", "roles/cloudkms.admin", ["generate-key-pair", "--kms", far]),
    ] {
        server.change(&json!({ "deny": permission }));
        let flags: &[&str] = if arguments[0] == "sign-blob" {
            &["--tlog-upload=false", "--bundle", "x.json", "blob"]
        } else {
            &[]
        };
        let words = [&format!("{permission} is not allowed to signer@rig"), &format!("grant {role}")];
        world.refuse(&[&arguments[..], flags].concat(), &[words[0], words[1]]);
        server.change(&json!({ "allow": permission }));
    }
    assert!(!world.path("x.json").exists());
}
