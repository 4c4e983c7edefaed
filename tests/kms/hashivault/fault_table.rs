//! Vault's part of `docs/faults.md`.

use std::time::Duration;

use serde_json::json;

use super::super::fault_page::{Row, check, many, row, write};
use super::at;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::openbao::OpenBao;

fn between() -> Vec<Row> {
    let answer = |body: &str| Fault::Answer { status: "200 OK", headers: Vec::new(), body: body.to_owned() };
    let elsewhere = "https://other.example.com/v1/transit/sign/p256";
    vec![
        row(
            "throttled",
            "sign",
            many(|| Fault::status("429 Too Many Requests", "rate limit quota exceeded")),
        ),
        row(
            "throttled, to come back in an hour",
            "sign",
            many(|| Fault::with_header("429 Too Many Requests", "retry-after", "3600")),
        ),
        row(
            "internal error that stays",
            "sign",
            many(|| Fault::status("500 Internal Server Error", "storage is gone")),
        ),
        row("connection cut", "sign", many(|| Fault::Cut)),
        row("connection cut inside the answer", "sign", many(|| Fault::CutInside)),
        Row {
            flags: &["--timeout", "500ms"],
            ..row("answer beyond the time limit", "sign", vec![Fault::Slow(Duration::from_secs(20))])
        },
        row("denied", "sign", vec![Fault::status("403 Forbidden", "1 error occurred: * permission denied")]),
        row("another version signed", "sign", vec![Fault::replace("vault:v1:", "vault:v2:")]),
        row(
            "the answer is for another key",
            "keys",
            vec![Fault::replace("\"name\":\"p256\"", "\"name\":\"other\"")],
        ),
        row("a wrong signature", "sign", vec![answer(r#"{"data":{"signature":"vault:v1:MAYCAQECAQE="}}"#)]),
        row("junk in place of JSON", "sign", vec![answer("<html>")]),
        row(
            "redirect to another host",
            "sign",
            vec![Fault::with_header("307 Temporary Redirect", "location", elsewhere)],
        ),
    ]
}

#[test]
fn the_page_of_faults_says_what_happens() {
    let (Some(server), Some(sealed)) = (OpenBao::shared(), OpenBao::new()) else { return };
    let mut page = String::new();
    let proxy = FaultProxy::new(server.address());
    let mut world = at(&server, proxy.address());
    for Row { fault, word, faults, flags } in between() {
        proxy.spoil(word, faults);
        let tries = || proxy.asked().iter().filter(|asked| asked.contains(word)).count();
        write(&mut page, &world, fault, "hashivault://p256", flags, &tries);
    }
    let tries = || proxy.asked().len();
    for (fault, key) in [
        ("no such key", "hashivault://absent"),
        ("no such version", "hashivault://p256?version=9"),
        ("no such mount", "hashivault://p256?mount=absent"),
        ("another engine there", "hashivault://p256?mount=secret"),
        ("a path trick in a name", "hashivault://p256?mount=a/../sys"),
    ] {
        write(&mut page, &world, fault, key, &[], &tries);
    }
    server.call("POST", "transit/keys/encrypts", json!({ "type": "aes256-gcm96" }));
    write(&mut page, &world, "a key that does not sign", "hashivault://encrypts", &[], &tries);
    world.set("VAULT_TOKEN", "s.unknown-to-all");
    write(&mut page, &world, "a wrong or expired token", "hashivault://p256", &[], &tries);
    world.set("VAULT_TOKEN", "");
    write(&mut page, &world, "no token at all", "hashivault://p256", &[], &tries);
    world.set("VAULT_TOKEN", server.token());
    world.set("VAULT_ADDR", "http://vault.example.com:8200");
    write(&mut page, &world, "plain http to another machine", "hashivault://p256", &[], &tries);
    world.set("VAULT_ADDR", server.variable("VAULT_TLS_ADDR"));
    write(&mut page, &world, "TLS is not trusted", "hashivault://p256", &[], &tries);
    let world = at(&sealed, sealed.address());
    sealed.call("POST", "sys/seal", json!({}));
    write(&mut page, &world, "the server is sealed", "hashivault://p256", &[], &|| 1);
    sealed.end();
    write(&mut page, &world, "the server is down", "hashivault://p256", &[], &|| 4);
    check("Vault and OpenBao", &page);
}
