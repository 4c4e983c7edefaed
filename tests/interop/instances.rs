//! Trusted roots and signing configs: each tool writes the same JSON for the same words.

use countersign_core::KeyType;
use serde_json::Value;

use super::rig::{self, Rig};
use crate::support::succeed;
use crate::support::tuf::Repository;

const START: &str = "start-time=2025-01-01T00:00:00Z";

/// What both tools print, the lists of logs in one order: Cosign's is by chance.
fn printed(rig: &Rig, arguments: &[&str]) -> [Value; 2] {
    [rig.ours(arguments), rig.cosign(arguments)].map(|mut command| {
        let mut printed: Value = serde_json::from_slice(&succeed(&mut command).stdout).expect("JSON");
        for list in ["tlogs", "ctlogs"] {
            if let Some(logs) = printed.get_mut(list).and_then(Value::as_array_mut) {
                logs.sort_by_key(|log| log["logId"]["keyId"].to_string());
            }
        }
        printed
    })
}

fn same(rig: &Rig, arguments: &[&str]) -> Value {
    let [ours, cosigns] = printed(rig, arguments);
    assert_eq!(ours, cosigns, "{arguments:?}");
    ours
}

/// A root, and a timestamp authority below it.
fn certificates(rig: &Rig) {
    rig.write("ext", b"extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n");
    let (key, leaf) = (rig::plain(KeyType::P256), rig::plain(KeyType::P384));
    for (subject, root) in [("/O=one/O=two/CN=root/CN=last", "root.pem"), ("/C=DE", "nameless.pem")] {
        let new = ["req", "-x509", "-new", "-key", &key, "-subj", subject, "-days", "30", "-out", root];
        succeed(&mut rig.openssl(&new));
    }
    succeed(&mut rig.openssl(&["req", "-new", "-key", &leaf, "-subj", "/CN=time", "-out", "leaf.csr"]));
    let issue = [
        "x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", &key, "-days", "20", "-extfile",
        "ext",
    ];
    succeed(&mut rig.openssl(&[&issue[..], &["-out", "leaf.pem"]].concat()));
    rig.write("tsa.pem", &[rig.read("leaf.pem"), rig.read("root.pem")].concat());
}

#[test]
fn trusted_roots_are_cosigns() {
    let Some(rig) = Rig::new() else { return };
    certificates(&rig);
    let create = |arguments: &[&str]| same(&rig, &[&["trusted-root", "create"], arguments].concat());
    create(&[]);
    for key in KeyType::ALL {
        let key = rig::public(key);
        let log = format!("url=https://log.example.com/x,public-key={key},{START}");
        let ended = format!("{log},end-time=2026-01-01T01:00:00.5+01:00");
        let named = format!("{log},origin=log.example.com");
        let root = create(&["--rekor", &log, "--ctfe", &ended]);
        assert_eq!(root["ctlogs"][0]["publicKey"]["validFor"]["end"], "2026-01-01T00:00:00.500Z");
        create(&["--rekor", &named, "--ctfe", &named]);
    }
    let two = [rig::public(KeyType::P256), rig::public(KeyType::Ed25519)]
        .map(|key| format!("url=https://{key},public-key={key},{START}"));
    create(&["--rekor", &two[0], "--rekor", &two[1], "--rekor", &two[0]]);
    for root in ["root.pem", "nameless.pem"] {
        create(&["--fulcio", &format!("url=https://ca,certificate-chain={root}")]);
    }
    let chain = "url=https://tsa/api/v1/timestamp,certificate-chain=tsa.pem";
    create(&["--tsa", chain, "--fulcio", &format!("url=https://ca,certificate-chain=root.pem,{START}")]);
    create(&["--tsa", &format!("{chain},{START},end-time=2030-01-01T00:00:00Z")]);
    let (p256, ed25519) = (rig::public(KeyType::P256), rig::public(KeyType::Ed25519));
    let origin = format!("{ed25519},log.example.com");
    create(&[
        "--certificate-chain",
        "root.pem",
        "--fulcio-uri",
        "https://ca",
        "--ctfe-key",
        &p256,
        "--ctfe-url",
        "https://ct",
        "--ctfe-start-time",
        "2025-01-01T00:00:00Z",
        "--ctfe-end-time",
        "2026-01-01T00:00:00Z",
        "--rekor-key",
        &origin,
        "--rekor-url",
        "https://log",
        "--rekor-key",
        &p256,
        "--rekor-url",
        "https://other",
        "--rekor-start-time",
        "2025-01-01T00:00:00Z",
        "--timestamp-certificate-chain",
        "tsa.pem",
        "--timestamp-uri",
        "https://tsa",
    ]);
}

#[test]
fn signing_configs_are_cosigns() {
    let Some(rig) = Rig::new() else { return };
    let create = |arguments: &[&str]| same(&rig, &[&["signing-config", "create"], arguments].concat());
    let service =
        |name: &str, version: u32| format!("url=https://{name},api-version={version},{START},operator=op");
    let (one, two) = (service("one.example.com", 1), service("two.example.com", 2));
    create(&[]);
    create(&["--fulcio", &one, "--oidc-provider", &two, "--fulcio", &two]);
    let ended = format!("{one},end-time=2030-01-01T00:00:00Z");
    let all = [
        "--rekor",
        &one,
        "--rekor",
        &two,
        "--rekor-config",
        "EXACT:2",
        "--tsa",
        &ended,
        "--tsa-config",
        "all",
    ];
    create(&all);
    let out = [&["signing-config", "create"], &all[..], &["--fulcio", &one, "--out", "base.json"]].concat();
    succeed(&mut rig.ours(&out));
    create(&["--base-config", "base.json"]);
    create(&["--base-config", "base.json", "--rekor", &two, "--rekor-config", "ANY", "--no-default-tsa"]);
    create(&[
        "--base-config",
        "base.json",
        "--no-default-fulcio",
        "--no-default-rekor",
        "--oidc-provider",
        &one,
    ]);
}

/// What the repository in use has, and what is added to it.
#[test]
fn defaults_come_from_the_repository() {
    let Some(rig) = Rig::new() else { return };
    certificates(&rig);
    let key = |key| format!("url=https://default,public-key={},{START}", rig::public(key));
    let (log, ct) = (key(KeyType::P256), key(KeyType::P384));
    let authority = "url=https://default,certificate-chain=root.pem";
    let root = ["trusted-root", "create", "--rekor", &log, "--ctfe", &ct, "--fulcio", authority];
    let root = succeed(
        &mut rig.ours(&[&root[..], &["--tsa", "url=https://default,certificate-chain=tsa.pem"]].concat()),
    );
    let service = format!("url=https://default,api-version=1,{START},operator=op");
    let config =
        ["signing-config", "create", "--rekor", &service, "--rekor-config", "ANY", "--fulcio", &service];
    let config = succeed(&mut rig.ours(
        &[&config[..], &["--tsa", &service, "--tsa-config", "ANY", "--oidc-provider", &service]].concat(),
    ));
    let newer = succeed(&mut rig.ours(&["signing-config", "create", "--fulcio", &service]));
    let files = [
        ("trusted_root.json", &root.stdout[..]),
        ("signing_config.v0.2.json", &config.stdout),
        ("signing_config_rekor_v2.v0.2.json", &newer.stdout),
    ];
    let Some(repository) = Repository::new(&files) else { return };
    let server = crate::support::tuf::Server::new(&repository.path());
    let with_defaults = |arguments: &[&str]| {
        let [ours, cosigns] = [rig.ours(arguments), rig.cosign(arguments)].map(|mut command| {
            command.env("TUF_MIRROR", server.address()).env("TUF_ROOT_JSON", repository.first_root());
            let printed = succeed(command.env("TUF_ROOT", rig.path("cache"))).stdout;
            serde_json::from_slice::<Value>(&printed).expect("JSON")
        });
        assert_eq!(ours, cosigns, "{arguments:?}");
        ours
    };
    let root = |more: &[&str]| {
        with_defaults(&[&["trusted-root", "create", "--with-default-services"], more].concat())
    };
    root(&[]);
    let bare = root(&["--no-default-fulcio", "--no-default-ctfe", "--no-default-rekor", "--no-default-tsa"]);
    assert_eq!(bare.as_object().map(|root| root.len()), Some(1));
    let more = root(&["--fulcio", "url=https://more,certificate-chain=nameless.pem", "--no-default-tsa"]);
    assert_eq!(more["certificateAuthorities"].as_array().map(Vec::len), Some(2));
    let config = |more: &[&str]| {
        with_defaults(&[&["signing-config", "create", "--with-default-services"], more].concat())
    };
    config(&[]);
    config(&["--with-default-rekor-v2"]);
    let other = format!("url=https://other,api-version=2,{START},operator=other");
    config(&["--rekor", &other, "--rekor-config", "ALL", "--no-default-oidc", "--no-default-fulcio"]);
    config(&["--no-default-rekor", "--no-default-tsa"]);
}
