//! What goes wrong between us and the server: E.2 29, 30, 34, 35.

use std::net::TcpListener;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::at;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::openbao::OpenBao;
use crate::support::stderr;

const KEY: &str = "hashivault://p256";
const SIGN: &str = "POST /v1/transit/sign/p256";

/// The server, and a proxy in front.
macro_rules! between {
    ($server:ident, $proxy:ident, $world:ident) => {
        let Some($server) = OpenBao::shared() else { return };
        let $proxy = FaultProxy::new($server.address());
        let $world = at(&$server, $proxy.address());
    };
}

fn times(asked: &[String], what: &str) -> usize {
    asked.iter().filter(|one| *one == what).count()
}

#[test]
fn trouble_of_the_moment_is_waited_out() {
    between!(server, proxy, world);
    let retry_soon = || Fault::with_header("429 Too Many Requests", "retry-after", "1");
    let faults = [
        Fault::status("429 Too Many Requests", "rate limit quota exceeded"),
        Fault::status("500 Internal Server Error", "internal error"),
        Fault::Cut,
    ];
    proxy.spoil("sign", faults);
    proxy.spoil("keys", [Fault::CutInside, retry_soon(), Fault::status("502 Bad Gateway", "")]);
    let flags = ["--verbose", "sign-blob", "--tlog-upload=false", "--key", KEY, "--bundle", "b.json", "blob"];
    let said = stderr(&world.ok(&flags));
    // What is tried again is told to who asks.
    assert_eq!(said.matches("trying again in").count(), 6, "{said}");
    let asked = proxy.asked();
    assert_eq!((times(&asked, SIGN), asked.len()), (4, 8), "{asked:?}");
    world.verify(KEY, "b.json");
}

#[test]
fn trouble_that_stays_ends_after_four_tries() {
    between!(server, proxy, world);
    let again = || (0..9).map(|_| Fault::status("429 Too Many Requests", "rate limit quota exceeded"));
    proxy.spoil("sign", again());
    world.refuse_sign(KEY, &["rate limit quota exceeded", "the server limits how much is asked"]);
    assert_eq!(times(&proxy.asked(), SIGN), 4);
    proxy.spoil("sign", (0..9).map(|_| Fault::status("500 Internal Server Error", "storage is gone")));
    world.refuse_sign(KEY, &["the server says: storage is gone"]);
    assert_eq!(times(&proxy.asked(), SIGN), 4);
    proxy.spoil("sign", (0..9).map(|_| Fault::Cut));
    world
        .refuse_sign(KEY, &["cannot sign with hashivault://p256?version=1", "see that the address is right"]);
    assert_eq!(times(&proxy.asked(), SIGN), 4);
}

#[test]
fn a_wait_that_the_time_limit_does_not_allow_is_not_begun() {
    between!(server, proxy, world);
    proxy.spoil("sign", [Fault::with_header("429 Too Many Requests", "retry-after", "30")]);
    world.refuse_sign_with(KEY, &["--timeout", "10s"], &["the server limits how much is asked"]);
    assert_eq!(times(&proxy.asked(), SIGN), 1);
    // Nor one that nobody would sit through.
    proxy.spoil("sign", [Fault::with_header("429 Too Many Requests", "retry-after", "86400")]);
    world.refuse_sign(KEY, &["the server limits how much is asked"]);
    assert_eq!(times(&proxy.asked(), SIGN), 1);
}

#[test]
fn a_refusal_is_never_repeated() {
    between!(server, proxy, world);
    proxy.spoil("sign", [Fault::status("403 Forbidden", "1 error occurred:\\n\\t* permission denied\\n\\n")]);
    world.refuse_sign(KEY, &[r#"do not allow "update" on transit/sign/p256"#]);
    // The token is asked for once, to tell a wrong one from one that may not.
    assert_eq!(proxy.asked()[1..], [SIGN, "GET /v1/auth/token/lookup-self"]);
    for status in ["400 Bad Request", "404 Not Found", "405 Method Not Allowed", "418 Teapot"] {
        proxy.spoil("sign", [Fault::status(status, "no")]);
        world.refuse_sign(KEY, &["hashivault://p256"]);
        assert_eq!(times(&proxy.asked(), SIGN), 1, "{status}");
    }
}

/// E.2 35.
#[test]
fn the_time_limit_holds_inside_each_call() {
    between!(server, proxy, world);
    for word in ["keys", "sign"] {
        proxy.spoil(word, [Fault::Slow(Duration::from_secs(30))]);
        world.refuse_sign_with(
            KEY,
            &["--timeout", "500ms"],
            &["the time limit passed", "raise it with --timeout"],
        );
        proxy.take();
    }
    // A server that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let world = at(&server, &silent.local_addr().unwrap().to_string());
    world.refuse_sign_with(KEY, &["--timeout", "500ms"], &["the time limit passed"]);
}

/// E.2 34: of another version, another key, another type.
#[test]
fn an_answer_for_another_version_or_key_is_refused() {
    between!(server, proxy, world);
    proxy.spoil("sign", [Fault::replace("vault:v1:", "vault:v2:")]);
    world.refuse_sign(KEY, &["another version of the key: expected 1, found 2"]);
    proxy.spoil("sign", [Fault::replace("\"key_version\":1", "\"key_version\":3")]);
    world.refuse_sign(KEY, &["another version of the key: expected 1, found 3"]);
    proxy.spoil("keys", [Fault::replace("\"name\":\"p256\"", "\"name\":\"other\\u001b[2J\"")]);
    let said = world.refuse_sign(KEY, &["answers for another key: expected p256, found other"]);
    assert!(!said.contains('\u{1b}'));
    proxy.spoil("keys", [Fault::replace("\"type\":\"ecdsa-p256\"", "\"type\":\"ecdsa-p384\"")]);
    world.refuse_sign(KEY, &["expected a public key of type P-384, found P-256"]);
}

/// E.2 29: wrong, cut short, of another key, another form.
#[test]
fn a_wrong_signature_is_withheld() {
    between!(server, proxy, world);
    // Of another message, by the right key.
    let other = server.call(
        "POST",
        "transit/sign/p256",
        serde_json::json!({ "input": "AAAA", "marshaling_algorithm": "asn1" }),
    );
    let other = other["data"]["signature"].as_str().unwrap().to_owned();
    // Raw `r || s` where DER was asked for.
    let raw = format!("vault:v1:{}", STANDARD.encode([7; 64]));
    let cannot = "cannot sign with hashivault://p256?version=1: ";
    for (signature, words) in [
        (other.clone(), "the signature made with hashivault://p256?version=1 is withheld"),
        (raw, cannot),
        (other[.."vault:v1:".len() + 32].to_owned(), cannot),
        ("vault:v1:".to_owned(), cannot),
        ("vault:v1:MAYCAQACAQA=".to_owned(), "hashivault://p256?version=1"),
    ] {
        let body = format!("{{\"data\":{{\"signature\":\"{signature}\"}}}}");
        proxy.spoil("sign", [Fault::Answer { status: "200 OK", headers: Vec::new(), body }]);
        world.refuse_sign(KEY, &[words]);
        assert_eq!(times(&proxy.asked(), SIGN), 1, "a wrong signature is not asked for again");
    }
}

/// E.2 30: another key at the second look.
#[test]
fn a_key_that_changes_between_two_calls_is_noticed() {
    between!(server, proxy, world);
    let other = server.call("POST", "transit/keys/changeling", serde_json::json!({ "type": "ecdsa-p256" }));
    let pem = other["data"]["keys"]["1"]["public_key"].as_str().unwrap().replace('\n', "\\n");
    let swap = move |body: String| {
        let start = body.find("-----BEGIN").unwrap();
        let end = body[start..].find('"').unwrap() + start;
        format!("{}{pem}{}", &body[..start], &body[end..])
    };
    proxy.spoil("keys", [Fault::Change(Box::new(swap))]);
    world.refuse_sign(KEY, &["is withheld", "does not match the key's own public half"]);
}

#[test]
fn junk_is_refused_and_not_shown() {
    between!(server, proxy, world);
    for body in
        ["", "junk", "{}", "[]", "{\"data\":null}", "{\"data\":{\"signature\":7}}", "<html>\u{1b}[2J</html>"]
    {
        let junk = || Fault::Answer { status: "200 OK", headers: Vec::new(), body: body.to_owned() };
        for word in ["keys", "sign"] {
            proxy.spoil(word, [junk()]);
            let said = world.refuse_sign(KEY, &["the answer is not that of a Vault or OpenBao server"]);
            assert!(!said.contains('\u{1b}') && !said.contains("html"), "{said}");
            proxy.take();
        }
    }
    let large =
        Fault::Answer { status: "200 OK", headers: Vec::new(), body: " ".repeat(4 * 1024 * 1024 + 1) };
    proxy.spoil("keys", [large]);
    world.refuse_sign(KEY, &["is larger than 4194304 bytes"]);
    // A server's own words may hold anything.
    let long = format!("\\u001b[31mred \\u0007 {}", "word ".repeat(500));
    proxy.spoil("sign", [Fault::status("400 Bad Request", &long)]);
    let said = world.refuse_sign(KEY, &["red"]);
    assert!(!said.contains('\u{1b}') && !said.contains('\u{7}') && said.len() < 2000, "{said}");
}

/// E.2 25: what bears a token goes to no other host.
#[test]
fn a_redirect_takes_the_token_nowhere_else() {
    between!(server, proxy, world);
    let foreign = FaultProxy::new(server.address());
    let elsewhere = format!("http://{}/v1/transit/keys/p256", foreign.address());
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        for word in ["keys", "sign"] {
            proxy.spoil(word, [Fault::with_header(status, "location", &elsewhere)]);
            world.refuse_sign(KEY, &["redirect"]);
            assert!(proxy.take().0.iter().all(|request| request.header("x-vault-token").is_some()));
        }
    }
    proxy.spoil(
        "keys",
        [Fault::with_header("307 Temporary Redirect", "location", "https://vault.example.com/v1/x")],
    );
    world.refuse_sign(KEY, &["redirects to https://vault.example.com, and credentials do not go along"]);
    let (requests, connections) = foreign.take();
    assert_eq!((requests.len(), connections), (0, 0), "nobody comes to the other host");
    // On the same host it is followed.
    proxy.take();
    proxy.spoil(
        "keys",
        [Fault::with_header("307 Temporary Redirect", "location", "/v1/transit/keys/p256?again=1")],
    );
    world.sign(KEY, "b.json");
    assert_eq!(proxy.asked()[1], "GET /v1/transit/keys/p256?again=1");
    proxy.spoil("keys", (0..9).map(|_| Fault::with_header("307 Again", "location", "/v1/transit/keys/p256")));
    world.refuse_sign(KEY, &["redirects in a circle"]);
}

#[test]
fn a_fault_of_one_file_is_not_that_of_the_others() {
    between!(server, proxy, world);
    proxy.spoil("sign", [Fault::status("400 Bad Request", "not today")]);
    for name in ["one", "two", "three"] {
        std::fs::write(world.path(name), name).unwrap();
    }
    let sign = ["sign-blob", "--tlog-upload=false", "--key", KEY, "one", "two", "three"];
    let said = world.refuse(&sign, &["not today", "Signed 2 of 3 files", "1 failed"]);
    assert_eq!(said.matches("not today").count(), 1, "{said}");
}
