//! How often the server is asked: a budget, counted between the two.

use super::{World, at, make_key};
use crate::support::fault_proxy::FaultProxy;
use crate::support::openbao::OpenBao;
use crate::support::stderr;

#[test]
fn one_signature_is_two_calls_and_one_verification_one() {
    let Some(server) = OpenBao::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    world.sign("hashivault://p256", "b.json");
    assert_eq!(proxy.asked(), ["GET /v1/transit/keys/p256", "POST /v1/transit/sign/p256"]);
    world.verify("hashivault://p256", "b.json");
    assert_eq!(proxy.asked(), ["GET /v1/transit/keys/p256"]);
    world.ok(&["public-key", "--key", "hashivault://p256", "--outfile", "p256.pub"]);
    assert_eq!(proxy.asked(), ["GET /v1/transit/keys/p256"]);
    world.verify("p256.pub", "b.json");
    assert!(proxy.asked().is_empty(), "a saved key needs no service");
}

#[test]
fn a_batch_opens_once_and_keeps_its_connections() {
    let Some(server) = OpenBao::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    let names: Vec<String> = (0..100).map(|number| format!("file{number}")).collect();
    for name in &names {
        std::fs::write(world.path(name), name).unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sign = ["sign-blob", "--tlog-upload=false", "--key", "hashivault://p256"];
    let said = stderr(&world.ok(&[&sign[..], &names].concat()));
    assert!(said.contains("Signed 100 of 100 files with hashivault://p256?version=1, 0 failed"), "{said}");
    let (requests, connections) = proxy.take();
    let opened = requests.iter().filter(|request| request.start.starts_with("GET")).count();
    assert_eq!((opened, requests.len()), (1, 101));
    // A thread that finds none idle opens one, even if another comes back meanwhile.
    assert!(connections <= 16, "{connections} connections for eight threads");
    let verify = ["verify-blob", "--insecure-ignore-tlog", "--key", "hashivault://p256"];
    world.ok(&[&verify[..], &names].concat());
    assert_eq!(proxy.asked().len(), 1);
}

/// The reach that batches are made for: one look at the key, then a request a file, over connections that are used again.
#[test]
fn a_thousand_files_are_one_opening() {
    const FILES: usize = 1000;
    let Some(server) = OpenBao::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    let names: Vec<String> = (0..FILES).map(|number| format!("file{number}")).collect();
    for name in &names {
        std::fs::write(world.path(name), name).unwrap();
    }
    std::fs::create_dir(world.path("bundles")).unwrap();
    std::fs::write(world.path("list"), names.join("\n")).unwrap();
    let files = ["--files-from", "list", "--bundle-dir", "bundles", "--max-rate", "100000"];
    let sign = ["sign-blob", "--tlog-upload=false", "--key", "hashivault://p256"];
    let said = stderr(&world.ok(&[&sign[..], &files].concat()));
    assert!(said.contains("Signed 1000 of 1000 files with hashivault://p256?version=1, 0 failed"), "{said}");
    let (requests, connections) = proxy.take();
    let times = |start: &str| requests.iter().filter(|request| request.start.starts_with(start)).count();
    let (opened, signed) = (times("GET /v1/transit/keys/p256 "), times("POST /v1/transit/sign/p256 "));
    assert_eq!((opened, signed, requests.len()), (1, FILES, 1 + FILES));
    // As above: what a connection costs is paid by threads, not by files.
    assert!(connections <= 16, "{connections} connections for eight threads");
    // Each is of its own file: the bundles of the first and the last, by a saved key.
    world.ok(&["public-key", "--key", "hashivault://p256", "--outfile", "p256.pub"]);
    for name in ["file0", "file999"] {
        let bundle = format!("bundles/{name}.sigstore.json");
        world.ok(&["verify-blob", "--insecure-ignore-tlog", "--key", "p256.pub", "--bundle", &bundle, name]);
    }
}

/// E.2 30: what was opened is what signs, whatever becomes of the key meanwhile.
#[test]
fn a_rotation_between_two_calls_changes_nothing() {
    let Some(server) = OpenBao::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    let key = make_key(&server, "turning");
    let (address, token) = (server.address().to_owned(), server.token().to_owned());
    // Rotated after the public key was read and before the signature is asked for.
    let rotate = move |body| {
        crate::support::exchange::exchange(
            &address,
            "POST",
            "/v1/transit/keys/turning/rotate",
            &token,
            b"{}",
        );
        body
    };
    proxy.spoil("keys/turning", [crate::support::fault_proxy::Fault::Change(Box::new(rotate))]);
    world.sign(&key, "b.json");
    let latest = server.call("GET", "transit/keys/turning", serde_json::Value::Null);
    assert_eq!(latest["data"]["latest_version"], 2);
    world.verify(&format!("{key}?version=1"), "b.json");
    let signed = proxy.take().0.into_iter().find(|request| request.path().contains("sign")).unwrap();
    assert!(String::from_utf8_lossy(&signed.body).contains("\"key_version\":1"));
}

#[test]
fn a_file_key_asks_nobody() {
    let Some(server) = OpenBao::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let mut world = at(&server, proxy.address());
    world.set("COSIGN_PASSWORD", "");
    world.ok(&["generate-key-pair"]);
    world.sign("cosign.key", "b.json");
    world.verify("cosign.pub", "b.json");
    assert_eq!(proxy.take().1, 0);
}

/// A batch may last longer than one call: here six calls of 400 ms each, two a second, against a limit of 1.5 s.
#[test]
fn the_time_limit_is_that_of_a_call_and_the_pace_is_ours() {
    let Some(server) = OpenBao::shared() else { return };
    let proxy = FaultProxy::new(server.address());
    let world = at(&server, proxy.address());
    let late = |body| {
        std::thread::sleep(std::time::Duration::from_millis(400));
        body
    };
    proxy.spoil("sign", (0..6).map(|_| crate::support::fault_proxy::Fault::Change(Box::new(late))));
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        std::fs::write(world.path(name), name).unwrap();
    }
    let sign = [
        "sign-blob",
        "--tlog-upload=false",
        "--key",
        "hashivault://p256",
        "--max-rate",
        "2",
        "--timeout",
        "1500ms",
    ];
    let began = std::time::Instant::now();
    world.ok(&[&sign[..], &names].concat());
    // Seven requests have six pauses between: sooner would be beyond the rate.
    assert!(began.elapsed() >= std::time::Duration::from_secs(3));
    assert_eq!(proxy.asked().len(), 7);
    world.refuse(&["sign-blob", "--max-rate", "0", "--key", "hashivault://p256", "a"], &["--max-rate"]);
}

#[test]
fn proxies_are_asked_for_other_machines_only() {
    let Some(server) = OpenBao::shared() else { return };
    let tls = server.variable("VAULT_TLS_ADDR").strip_prefix("https://").unwrap();
    let proxy = FaultProxy::new(tls);
    let (address, authority) = (format!("http://{}", proxy.address()), server.variable("VAULT_CACERT"));
    let mut world = World::new(&[
        ("VAULT_ADDR", "https://vault.example.com:8200"),
        ("VAULT_CACERT", authority),
        ("VAULT_TOKEN", server.token()),
        ("HTTPS_PROXY", &address),
        ("NO_PROXY", "other.example.com"),
    ]);
    world.sign("hashivault://p256", "b.json");
    let (requests, _) = proxy.take();
    assert_eq!(requests[0].start, "CONNECT vault.example.com:8200 HTTP/1.1");
    assert!(
        requests.iter().all(|request| request.header("x-vault-token").is_none()),
        "the proxy sees no token"
    );
    world.set("VAULT_ADDR", &format!("https://{tls}"));
    world.verify("hashivault://p256", "b.json");
    assert_eq!(proxy.take().1, 0, "this machine needs no proxy");
    // A password for the proxy never shows.
    world.set("VAULT_ADDR", "https://vault.example.com:8200");
    world.set("HTTPS_PROXY", "http://me:sesame@ not a url");
    let said = world.refuse_sign("hashivault://p256", &["cannot use the proxy in HTTPS_PROXY"]);
    assert!(!said.contains("sesame"), "{said}");
}
