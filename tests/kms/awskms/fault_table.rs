//! AWS's part of `docs/faults.md`.

use std::time::Duration;

use serde_json::json;

use super::super::fault_page::{Row, check, many, row, write};
use super::at;
use super::faults::{says, spoiled, throttled};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::ministack::Ministack;

const KEY: &str = "awskms:///alias/p256";
const OTHER: &str = "00000000-0000-0000-0000-000000000000";

/// Faults between the service and us; `id` is the key's own.
fn between(id: &str) -> Vec<Row> {
    let answer = |body: &str| Fault::Answer { status: "200 OK", headers: Vec::new(), body: body.to_owned() };
    let refused = |code, message| vec![says("400 Bad Request", code, message)];
    let elsewhere = "https://other.example.com/";
    let in_an_hour = || Fault::with_header("429 Too Many Requests", "retry-after", "3600");
    vec![
        row("throttled", "Sign", many(throttled)),
        row("throttled, to come back in an hour", "Sign", many(in_an_hour)),
        row(
            "internal error that stays",
            "Sign",
            many(|| says("500 Internal Server Error", "KMSInternalException", "storage is gone")),
        ),
        row("connection cut", "Sign", many(|| Fault::Cut)),
        row("connection cut inside the answer", "Sign", many(|| Fault::CutInside)),
        Row {
            flags: &["--timeout", "700ms"],
            ..row("answer beyond the time limit", "Sign", vec![Fault::Slow(Duration::from_secs(20))])
        },
        row("denied", "Sign", refused("AccessDeniedException", "not authorized to perform: kms:Sign")),
        row("denied the public key", "GetPublicKey", refused("AccessDeniedException", "not authorized")),
        row("disabled since it was opened", "Sign", refused("DisabledException", "the key is disabled.")),
        row("an expired session", "Sign", refused("ExpiredTokenException", "The security token has expired")),
        row("credentials that AWS does not know", "Sign", refused("UnrecognizedClientException", "invalid")),
        row("another key signed", "Sign", vec![Fault::replace(id, OTHER)]),
        row("another algorithm signed", "Sign", vec![Fault::replace("ECDSA_SHA_256", "ECDSA_SHA_384")]),
        row(
            "the answer is of another type",
            "GetPublicKey",
            vec![Fault::replace("ECC_NIST_P256", "ECC_NIST_P384")],
        ),
        row("a wrong signature", "Sign", vec![Fault::Change(Box::new(spoiled))]),
        row("junk in place of JSON", "Sign", vec![answer("<html>")]),
        row(
            "redirect to another host",
            "Sign",
            vec![Fault::with_header("307 Temporary Redirect", "location", elsewhere)],
        ),
    ]
}

/// Ids of keys and requests differ in each run.
fn tidy(page: &str) -> String {
    let is_id =
        |word: &str| word.len() == 36 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    page.split_inclusive(ends)
        .map(|word| match word.char_indices().last() {
            Some((at, end)) if is_id(&word[..at]) && &word[..at] != OTHER => format!("ID{end}"),
            _ => word.to_owned(),
        })
        .collect()
}

#[test]
fn the_page_of_faults_says_what_happens() {
    let (Some(server), Some(gone)) = (Ministack::shared(), Ministack::new("plain")) else { return };
    let mut page = String::new();
    let proxy = FaultProxy::new(server.address());
    let mut world = at(&server, proxy.address());
    let described = server.call("DescribeKey", json!({ "KeyId": "alias/p256" }));
    let id = described["KeyMetadata"]["KeyId"].as_str().unwrap();
    for Row { fault, word, faults, flags } in between(id) {
        proxy.spoil(word, faults);
        let tries = || proxy.operations().iter().filter(|asked| *asked == word).count();
        write(&mut page, &world, fault, KEY, flags, &tries);
    }
    let tries = || proxy.operations().len();
    let id = server.make_key("alias/page", "ECC_NIST_P256", "SIGN_VERIFY");
    server.call("DisableKey", json!({ "KeyId": id }));
    write(&mut page, &world, "a disabled key", "awskms:///alias/page", &[], &tries);
    server.call("ScheduleKeyDeletion", json!({ "KeyId": id, "PendingWindowInDays": 7 }));
    write(&mut page, &world, "a key that is pending deletion", "awskms:///alias/page", &[], &tries);
    server.make_key("alias/page-encrypts", "RSA_2048", "ENCRYPT_DECRYPT");
    for (fault, key) in [
        ("a key that does not sign", "awskms:///alias/page-encrypts"),
        ("no such key", "awskms:///alias/absent"),
        ("another region", "awskms:///arn:aws:kms:eu-north-1:000000000000:alias/p256"),
        ("no such region", "awskms:///alias/p256?region=../x"),
        ("a path trick in a name", "awskms:///alias/../p256"),
        ("plain http to another machine", "awskms:///alias/p256?endpoint=http://kms.example.com"),
    ] {
        write(&mut page, &world, fault, key, &[], &tries);
    }
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        world.set(name, "");
    }
    world.set("HOME", "/nonexistent");
    write(&mut page, &world, "no credentials at all", KEY, &[], &tries);
    let world = at(&gone, gone.address());
    gone.end();
    write(&mut page, &world, "the server is down", KEY, &[], &|| 4);
    check("AWS KMS", &tidy(&page));
}
