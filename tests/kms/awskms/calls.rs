//! How often KMS is asked: a budget, counted between the two.

use super::at;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::ministack::Ministack;
use crate::support::stderr;

#[test]
fn one_signature_is_two_calls_and_one_verification_one() {
    let Some(server) = Ministack::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    world.sign("awskms:///alias/p256", "b.json");
    let (requests, _) = proxy.take();
    let target = |name: &str| format!("TrentService.{name}");
    let targets: Vec<_> = requests.iter().filter_map(|request| request.header("x-amz-target")).collect();
    assert_eq!(targets, [target("GetPublicKey"), target("Sign")]);
    let body = String::from_utf8_lossy(&requests[1].body);
    assert!(body.contains("\"MessageType\":\"DIGEST\"") && body.contains("ECDSA_SHA_256"), "{body}");
    assert!(body.contains("\"KeyId\":\"arn:aws:kms:"), "the key itself is asked, not the alias: {body}");
    world.verify("awskms:///alias/p256", "b.json");
    assert_eq!(proxy.operations(), ["GetPublicKey"]);
    world.ok(&["public-key", "--key", "awskms:///alias/p256", "--outfile", "p256.pub"]);
    assert_eq!(proxy.operations(), ["GetPublicKey"]);
    world.verify("p256.pub", "b.json");
    assert!(proxy.operations().is_empty(), "a saved key needs no service");
}

#[test]
fn a_batch_opens_once() {
    let Some(server) = Ministack::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    let names: Vec<String> = (0..40).map(|number| format!("file{number}")).collect();
    for name in &names {
        std::fs::write(world.path(name), name).unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sign = ["sign-blob", "--tlog-upload=false", "--key", "awskms:///alias/p256"];
    let said = stderr(&world.ok(&[&sign[..], &names].concat()));
    assert!(said.contains("Signed 40 of 40 files with awskms:///arn:aws:kms:us-east-1:"), "{said}");
    let (requests, connections) = proxy.take();
    let target =
        |name: &str| requests.iter().filter(|request| request.header("x-amz-target") == Some(name)).count();
    let (opened, signed) = (target("TrentService.GetPublicKey"), target("TrentService.Sign"));
    assert_eq!((opened, signed, requests.len()), (1, 40, 41));
    assert!(connections <= 16, "{connections} connections for eight threads");
}

/// E.2 30: what was opened is what signs, wherever the alias points meanwhile.
#[test]
fn an_alias_that_moves_between_two_calls_changes_nothing() {
    let Some(server) = Ministack::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    server.make_key("alias/moving", "ECC_NIST_P256", "SIGN_VERIFY");
    let other = server.make_key("alias/target", "ECC_NIST_P256", "SIGN_VERIFY");
    world.ok(&["public-key", "--key", "awskms:///alias/moving", "--outfile", "first.pub"]);
    let other_server = Ministack::shared().unwrap();
    let move_it = move |body| {
        let to = serde_json::json!({ "AliasName": "alias/moving", "TargetKeyId": other });
        other_server.call("UpdateAlias", to);
        body
    };
    proxy.spoil("GetPublicKey", [Fault::Change(Box::new(move_it))]);
    world.sign("awskms:///alias/moving", "b.json");
    world.verify("first.pub", "b.json");
    world.refuse_verify("awskms:///alias/moving", "b.json", &["another key"]);
}
