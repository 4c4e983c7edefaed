//! Refusals of the service, of TLS and of addresses.

use serde_json::json;

use super::{World, world};
use crate::support::ministack::Ministack;
use crate::support::stdout;

#[test]
fn keys_that_are_missing_disabled_or_going_away_are_told_apart() {
    let Some(server) = Ministack::shared() else { return };
    let world = world(&server);
    let id = server.make_key("alias/changing", "ECC_NIST_P256", "SIGN_VERIFY");
    let key = "awskms:///alias/changing";
    world.sign(key, "b.json");
    server.call("DisableKey", json!({ "KeyId": id }));
    world.refuse_sign(key, &["the key is disabled", "aws kms enable-key"]);
    server.call("ScheduleKeyDeletion", json!({ "KeyId": id, "PendingWindowInDays": 7 }));
    world.refuse_sign(key, &["the key is pending deletion", "cancel-key-deletion"]);
    for missing in ["alias/absent", "1234abcd-12ab-34cd-56ef-1234567890ab"] {
        let words = [&format!("region us-east-1 has no {missing}"), "countersign keys list"];
        world.refuse_sign(&format!("awskms:///{missing}"), &words);
    }
    let words = ["region eu-north-1 has no arn:aws:kms:eu-north-1:000000000000:alias/changing"];
    world.refuse_sign("awskms:///arn:aws:kms:eu-north-1:000000000000:alias/changing", &words);
    world.refuse_sign("awskms:///", &["it names no key", "awskms:///alias/NAME"]);
}

#[test]
fn keys_that_do_not_sign_are_refused() {
    let Some(server) = Ministack::shared() else { return };
    let world = world(&server);
    server.make_key("alias/encrypts", "RSA_2048", "ENCRYPT_DECRYPT");
    server.make_key("alias/symmetric", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    server.make_key("alias/bitcoin", "ECC_SECG_P256K1", "SIGN_VERIFY");
    world.refuse_sign("awskms:///alias/encrypts", &["ENCRYPT_DECRYPT, not for SIGN_VERIFY"]);
    world.refuse_sign(
        "awskms:///alias/symmetric",
        &["UnsupportedOperationException", "generate-key-pair --kms"],
    );
    world.refuse_sign("awskms:///alias/bitcoin", &["of type ECC_SECG_P256K1, with which nothing is signed"]);
    let list = stdout(&world.ok(&["keys", "list", "awskms:///"]));
    assert!(
        !list.contains("encrypts") && !list.contains("symmetric") && list.contains("alias/p256"),
        "{list}"
    );
}

#[test]
fn ed25519_takes_small_files_alone() {
    let Some(server) = Ministack::shared() else { return };
    let world = world(&server);
    std::fs::write(world.path("blob"), vec![b'a'; 4096]).unwrap();
    world.sign("awskms:///alias/ed25519", "b.json");
    world.verify("awskms:///alias/ed25519", "b.json");
    std::fs::write(world.path("blob"), vec![b'a'; 4097]).unwrap();
    world.refuse_sign("awskms:///alias/ed25519", &["KMS takes 4096 bytes", "ECDSA or RSA"]);
}

#[test]
fn addresses_that_would_leak_are_refused() {
    let mut world = World::new(&[
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "sesame"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    let plain = "plain http lets everybody on the way read them";
    world
        .refuse_sign("awskms:///alias/k?endpoint=http://kms.example.com", &[plain, "COUNTERSIGN_PLAIN_HTTP"]);
    world.refuse_sign(
        "awskms:///alias/k?endpoint=https://me:sesame@kms.example.com",
        &["user name or password"],
    );
    world.refuse_sign("awskms:///alias/k?endpoint=kms.example.com", &["endpoint of the key URI"]);
    for (name, address, why) in [
        ("AWS_ENDPOINT_URL", "http://kms.example.com", plain),
        ("AWS_ENDPOINT_URL_KMS", "ftp://kms.example.com", "it begins neither with https:// nor with http://"),
    ] {
        world.set(name, address);
        world.refuse_sign("awskms:///alias/k", &[why]);
    }
    for uri in ["awskms://alias", "awskms:///nonsense", "awskms:///alias/k?regoin=x"] {
        world.refuse_sign(uri, &["cannot read the key URI: at byte"]);
    }
    world.refuse_sign("awskms://alias", &["awskms://[ENDPOINT]/[ID/ALIAS/ARN] (endpoint optional)"]);
}

#[test]
fn tls_is_checked_and_cosigns_endpoint_form_uses_it() {
    let Some(server) = Ministack::new("tls") else { return };
    let mut world = world(&server);
    let key = format!("awskms://{}/alias/p256", server.address());
    world.set("AWS_ENDPOINT_URL", "");
    let said = world.sign(&key, "b.json");
    assert!(crate::support::stderr(&said).contains("the key URI sends requests to https://127.0.0.1"));
    world.set("AWS_CA_BUNDLE", "");
    world.refuse_sign(&key, &["invalid peer certificate: UnknownIssuer", "AWS_CA_BUNDLE"]);
    world.set("AWS_TLS_INSECURE_SKIP_VERIFY", "1");
    let words = ["AWS_TLS_INSECURE_SKIP_VERIFY is not honoured", "UnknownIssuer"];
    world.refuse_sign(&key, &words);
    // A copy, since the file goes with the server.
    let authority = world.path("ca.pem").to_str().unwrap().to_owned();
    std::fs::copy(server.variable("AWS_CA_BUNDLE"), &authority).unwrap();
    world.set("SSL_CERT_FILE", &authority);
    world.verify(&key, "b.json");
    let plain = format!("awskms:///alias/p256?endpoint=http://{}", server.address());
    world.refuse_sign(&plain, &["cannot open"]);
    server.end();
    world.refuse_sign(&key, &["connection refused", "see that the address is right"]);
}
