//! `docs/faults.md`: what the user sees of each fault, as the tool says it. The file is compared with what happens; with
//! `COUNTERSIGN_WRITE_DOCS=1` it is written anew.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{World, at};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::openbao::OpenBao;

const HEAD: &str = "# Faults of services, and what is said of them

Made by `tests/kms/hashivault/fault_table.rs` from what the tool says when each happens; it fails when this page differs. Each is one `sign-blob` that
leaves nothing behind, with exit code 1. The kind is what `--report` calls it; \"tries\" counts the requests that the fault met.

";

/// What is done to the request for a signature, or to that for the key.
struct Row {
    fault: &'static str,
    word: &'static str,
    faults: Vec<Fault>,
    flags: &'static [&'static str],
}

fn row(fault: &'static str, word: &'static str, faults: Vec<Fault>) -> Row {
    Row { fault, word, faults, flags: &[] }
}

fn many(make: impl Fn() -> Fault) -> Vec<Fault> {
    (0..9).map(|_| make()).collect()
}

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

/// Runs one signature that must fail, and writes its row.
fn write(
    page: &mut String,
    world: &World,
    fault: &str,
    key: &str,
    flags: &[&str],
    tries: &dyn Fn() -> usize,
) {
    let arguments = [
        &[
            "sign-blob",
            "--tlog-upload=false",
            "--key",
            key,
            "--bundle",
            "refused.json",
            "--report=report.json",
            "blob",
        ],
        flags,
    ]
    .concat();
    let said = world.refuse(&arguments, &[]);
    assert!(!world.path("refused.json").exists(), "{fault}");
    let report = std::fs::read_to_string(world.path("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let kind = report["failure"]["kind"].as_str().unwrap_or_else(|| panic!("{fault}: {report}"));
    let line = |start: &str| {
        said.lines().find_map(|line| line.trim().strip_prefix(start)).unwrap_or_default().to_owned()
    };
    // Ports differ in each run.
    let tidy = |text: String| {
        let mut parts = text.split("127.0.0.1:");
        let first = parts.next().unwrap_or_default().to_owned();
        parts
            .fold(first, |whole, part| whole + "HOST" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
    };
    let (said, hint) = (tidy(line("Error: ")), tidy(line("hint: ")));
    writeln!(page, "| {fault} | `{kind}` | {} | {said} | {hint} |", tries()).unwrap();
}

#[test]
fn the_page_of_faults_says_what_happens() {
    let (Some(server), Some(sealed)) = (OpenBao::shared(), OpenBao::new()) else { return };
    let mut page = HEAD.to_owned()
        + "## Vault and OpenBao\n\n| fault | kind | tries | what is said | hint |\n|---|---|--:|---|---|\n";
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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    if std::env::var_os("COUNTERSIGN_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "docs/faults.md says otherwise: write it anew with COUNTERSIGN_WRITE_DOCS=1");
}
