//! Azure's part of `docs/faults.md`.

use std::time::Duration;

use serde_json::json;

use super::super::fault_page::{Row, check, many, row, write};
use super::at;
use super::faults::{says, spoiled, throttled};
use crate::support::azure::Azure;
use crate::support::fault_proxy::{Fault, FaultProxy};

const KEY: &str = "azurekms://rig.vault.azure.net/p256";

fn between() -> Vec<Row> {
    let answer = |body: &str| Fault::Answer { status: "200 OK", headers: Vec::new(), body: body.to_owned() };
    let elsewhere = "https://other.example.com/keys/p256/x/sign";
    let denied = |inner, message| says("403 Forbidden", "Forbidden", inner, message);
    vec![
        row("throttled", "/sign?", many(|| throttled(None))),
        row("throttled, to come back in an hour", "/sign?", many(|| throttled(Some("3600")))),
        row(
            "internal error that stays",
            "/sign?",
            many(|| says("500 Internal Server Error", "InternalServerError", "", "storage is gone")),
        ),
        row("connection cut", "/sign?", many(|| Fault::Cut)),
        row("connection cut inside the answer", "/sign?", many(|| Fault::CutInside)),
        Row {
            flags: &["--timeout", "700ms"],
            ..row("answer beyond the time limit", "/sign?", vec![Fault::Slow(Duration::from_secs(20))])
        },
        row(
            "denied",
            "/sign?",
            vec![denied("ForbiddenByRbac", "Caller is not authorized to perform action on resource.")],
        ),
        row(
            "kept out by the firewall",
            "/sign?",
            vec![denied("ForbiddenByFirewall", "Client address is not authorized.")],
        ),
        row(
            "disabled since it was opened",
            "/sign?",
            vec![denied("KeyDisabled", "Operation sign is not allowed on a disabled key.")],
        ),
        row("another key or version signed", "/sign?", vec![Fault::replace("/keys/p256/", "/keys/other/")]),
        row(
            "the answer is for another key",
            "/p256/?",
            vec![Fault::Pass, Fault::replace("/keys/p256/", "/keys/other/")],
        ),
        row("a wrong signature", "/sign?", vec![Fault::Change(Box::new(spoiled))]),
        row("junk in place of JSON", "/sign?", vec![answer("<html>")]),
        row(
            "redirect to another host",
            "/sign?",
            vec![Fault::with_header("307 Temporary Redirect", "location", elsewhere)],
        ),
        row("a login that is throttled", "/oauth2/", many(|| throttled(None))),
    ]
}

/// Versions differ in each run.
fn tidy(page: &str) -> String {
    let is_version = |word: &str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ends = |c: char| !c.is_ascii_alphanumeric();
    page.split_inclusive(ends)
        .map(|word| match word.char_indices().last() {
            Some((at, end)) if is_version(&word[..at]) => format!("VERSION{end}"),
            _ => word.to_owned(),
        })
        .collect()
}

#[test]
fn the_page_of_faults_says_what_happens() {
    let Some(server) = Azure::new() else { return };
    let mut page = String::new();
    let proxy = FaultProxy::new(server.address());
    let mut world = at(&server, &proxy);
    for Row { fault, word, faults, flags } in between() {
        proxy.spoil(word, faults);
        let tries = || proxy.asked().iter().filter(|asked| asked.contains(word)).count();
        write(&mut page, &world, fault, KEY, flags, &tries);
    }
    let tries = || proxy.asked().iter().filter(|asked| asked.contains("/keys")).count();
    let vault = "azurekms://states.vault.azure.net";
    for (fault, key, body) in [
        ("a disabled key", "off", json!({ "attributes": { "enabled": false } })),
        ("a key that is not yet valid", "early", json!({ "attributes": { "nbf": 4_102_444_800_u64 } })),
        ("an expired key", "late", json!({ "attributes": { "exp": 1_500_000_000 } })),
        ("a key that is not for signing", "verifies", json!({ "key_ops": ["verify"] })),
        ("a key of another kind", "symmetric", json!({ "kty": "oct" })),
    ] {
        server.call(&format!("make/states.vault.azure.net/{key}"), &body);
        write(&mut page, &world, fault, &format!("{vault}/{key}"), &[], &tries);
    }
    for (fault, key) in [
        ("no such key", "azurekms://rig.vault.azure.net/absent"),
        ("no such version", "azurekms://rig.vault.azure.net/p256/0"),
        ("a host that is no vault", "azurekms://vault.example.com/k"),
        ("a path trick in a name", "azurekms://rig.vault.azure.net/../k"),
    ] {
        write(&mut page, &world, fault, key, &[], &tries);
    }
    server.call("audience/azure.net", &json!({}));
    write(&mut page, &world, "a host that asks for another service's token", KEY, &[], &tries);
    server.call("audience/own", &json!({}));
    world.set("AZURE_CLIENT_ID", "reader");
    write(&mut page, &world, "no permission to sign", KEY, &[], &tries);
    world.set("AZURE_CLIENT_ID", "nobody");
    write(&mut page, &world, "no permission to get", KEY, &[], &tries);
    world.set("AZURE_CLIENT_SECRET", "certainly-wrong");
    write(&mut page, &world, "a wrong secret", KEY, &[], &tries);
    world.set("AZURE_CLIENT_SECRET", "");
    world.set("AZURE_TOKEN_CREDENTIALS", "dev");
    world.set("PATH", "/nonexistent");
    write(&mut page, &world, "no credentials at all", KEY, &[], &tries);
    world.set("AZURE_TOKEN_CREDENTIALS", "");
    world.set("AZURE_CLIENT_ID", "signer");
    world.set("AZURE_CLIENT_SECRET", server.variable("AZURE_CLIENT_SECRET"));
    let trusted = world.path("ca.pem").to_str().unwrap().to_owned();
    std::fs::copy(server.variable("SSL_CERT_FILE"), &trusted).unwrap();
    let client = server.file("client.pem").to_str().unwrap().to_owned();
    world.set("SSL_CERT_FILE", &client);
    write(&mut page, &world, "TLS is not trusted", KEY, &[], &|| 1);
    world.set("SSL_CERT_FILE", &trusted);
    server.end();
    write(&mut page, &world, "the server is down", KEY, &[], &|| 4);
    check("Azure Key Vault and Managed HSM", &tidy(&page));
}
