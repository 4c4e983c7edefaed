//! Keys in Kubernetes secrets, on a stand-in that the real Cosign uses too.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::backends;
use countersign_core::KeyUri;
use countersign_core::conformance::{Rig, run_with};
use serde_json::{Value, json};

use super::world::World;
use crate::support::kubernetes::{Kubernetes, TOKEN};
use crate::support::{self, stderr, stdout};

const KEY: &str = "k8s://ci/release";
const PASSWORD: &str = "correct-horse";

fn world(cluster: &Kubernetes) -> World {
    let mut world = World::new(&[("KUBECONFIG", "config")]);
    world.set("HOME", world.path("").to_str().unwrap());
    fs::write(world.path("config"), cluster.kubeconfig(&format!("token: {TOKEN}"))).unwrap();
    world
}

fn run_make(world: &World, uri: &str, flags: &[&str]) -> std::process::Output {
    let arguments = [&["generate-key-pair", uri], flags].concat();
    let output =
        support::run(world.prepare(support::countersign(), &arguments).env("COSIGN_PASSWORD", PASSWORD));
    for secret in [PASSWORD, TOKEN] {
        assert!(!stderr(&output).contains(secret) && !stdout(&output).contains(secret));
    }
    output
}

fn make(world: &World, uri: &str, flags: &[&str]) {
    let output = run_make(world, uri, flags);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_way_of_a_user_and_its_calls() {
    let cluster = Kubernetes::new();
    let world = world(&cluster);
    make(&world, KEY, &[]);
    let secret = cluster.secret("ci/release");
    assert_eq!((&secret["immutable"], &secret["type"]), (&json!(true), &json!("Opaque")));
    let saved = fs::read_to_string(world.path("cosign.pub")).unwrap();
    assert_eq!(secret["data"]["cosign.pub"], json!(STANDARD.encode(&saved)));
    cluster.asked();
    world.sign(KEY, "b.json");
    world.verify(KEY, "b.json");
    let one = "GET /api/v1/namespaces/ci/secrets/release";
    assert_eq!(cluster.asked(), [one, one]);
    world.verify("cosign.pub", "b.json");
    assert_eq!(cluster.asked(), Vec::<String>::new());
    assert_eq!(stdout(&world.ok(&["public-key", "--key", KEY])), saved);
    assert!(stdout(&world.ok(&["keys", "list", KEY])).contains(KEY));
    let found = stdout(&world.ok(&["keys", "doctor", KEY]));
    assert!(found.contains("context test") && found.contains("password is there"), "{found}");
    fs::copy(world.path("changed"), world.path("blob")).unwrap();
    world.refuse_verify(KEY, "b.json", &["another artifact"]);
}

#[test]
fn cosign_and_we_accept_each_other() {
    if support::cosign().is_none() {
        return;
    }
    let cluster = Kubernetes::new();
    cluster.open();
    let world = world(&cluster);
    let cosign = |arguments: &[&str]| {
        let mut command = world.prepare(support::cosign().unwrap(), arguments);
        let output = support::run(command.env("COSIGN_PASSWORD", PASSWORD));
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    };
    let sign = ["sign-blob", "--yes", "--tlog-upload=false", "--use-signing-config=false", "--key"];
    for (uri, ours) in [(KEY, true), ("k8s://ci/theirs", false)] {
        if ours {
            make(&world, uri, &[]);
        } else {
            fs::remove_file(world.path("cosign.pub")).unwrap();
            cosign(&["generate-key-pair", uri]);
        }
        world.sign(uri, "ours.json");
        cosign(&["verify-blob", "--insecure-ignore-tlog", "--key", uri, "--bundle", "ours.json", "blob"]);
        cosign(&[&sign[..], &[uri, "--bundle", "theirs.json", "blob"]].concat());
        world.verify(uri, "theirs.json");
        world.verify("cosign.pub", "theirs.json");
    }
}

#[test]
fn nothing_is_lost_when_a_key_is_made() {
    let cluster = Kubernetes::new();
    let world = world(&cluster);
    cluster.refuse("POST", 403);
    let output = run_make(&world, KEY, &[]);
    assert!(stderr(&output).contains("--verb=create --resource=secrets -n ci"), "{}", stderr(&output));
    assert!(cluster.secret("ci/release").is_null() && !world.path("cosign.pub").exists());

    make(&world, KEY, &[]);
    fs::remove_file(world.path("cosign.pub")).unwrap();
    let output = run_make(&world, KEY, &[]);
    assert!(stderr(&output).contains("the secret exists"), "{}", stderr(&output));
    // An immutable secret is made anew; when that fails the old one comes back, and signs.
    let mut before = cluster.secret("ci/release");
    before["data"]["other"] = json!("b3RoZXI=");
    cluster.set("ci/release", before.clone());
    cluster.refuse("POST", 403);
    assert!(!run_make(&world, KEY, &["-y"]).status.success());
    assert_eq!(cluster.secret("ci/release")["data"], before["data"]);
    world.sign(KEY, "b.json");
    make(&world, KEY, &["-y"]);
    let after = cluster.secret("ci/release");
    assert_ne!(after["data"]["cosign.key"], before["data"]["cosign.key"]);
    assert_eq!((&after["data"]["other"], &after["immutable"]), (&json!("b3RoZXI="), &json!(true)));

    // One that may change is replaced, if nobody else was quicker.
    let mut open = after;
    open["immutable"] = json!(false);
    cluster.set("ci/release", open);
    cluster.refuse("PUT", 409);
    let output = run_make(&world, KEY, &["-y"]);
    assert!(stderr(&output).contains("in this moment"), "{}", stderr(&output));
    make(&world, KEY, &["-y"]);
    world.sign(KEY, "b.json");
    world.verify(KEY, "b.json");
    world.ok(&["keys", "doctor", KEY]);
}

#[test]
fn a_password_that_is_elsewhere_is_asked_for() {
    let cluster = Kubernetes::new();
    let world = world(&cluster);
    make(&world, KEY, &[]);
    let mut secret = cluster.secret("ci/release");
    secret["data"].as_object_mut().unwrap().remove("cosign.password");
    cluster.set("ci/release", secret);
    world.refuse_sign(KEY, &["password"]);
    let sign = ["sign-blob", "--tlog-upload=false", "--key", KEY, "--bundle", "b.json", "blob"];
    let mut command = world.prepare(support::countersign(), &sign);
    assert!(support::run(command.env("COSIGN_PASSWORD", PASSWORD)).status.success());
    world.verify(KEY, "b.json");
}

#[test]
fn every_refusal_says_what_to_do() {
    let cluster = Kubernetes::new();
    let mut world = world(&cluster);
    world.refuse_sign(KEY, &["there is no such secret", "generate-key-pair"]);
    world.refuse_sign("k8s://ci", &["names no secret", "k8s://NAMESPACE/SECRET"]);
    make(&world, KEY, &[]);
    for (status, words) in [
        (403, ["robot cannot", "kubectl create role NAME --verb=get"]),
        (418, ["robot cannot", "server in the kubeconfig"]),
    ] {
        cluster.asked();
        cluster.refuse("GET", status);
        world.refuse_sign(KEY, &words);
        assert_eq!(cluster.asked().len(), 1, "{status} is not repeated");
    }
    // Trouble of the moment is.
    cluster.refuse("GET", 429);
    cluster.refuse("GET", 502);
    world.sign(KEY, "b.json");

    let kept = cluster.secret("ci/release");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut secret = kept.clone();
        change(&mut secret);
        cluster.set("ci/release", secret);
    };
    with(&|secret| secret["data"]["cosign.key"] = json!("sesame!"));
    assert!(!world.refuse_sign(KEY, &["cosign.key", "not base64"]).contains("sesame"));
    with(&|secret| secret["data"]["cosign.key"] = json!("c2VzYW1l"));
    world.refuse_sign(KEY, &["cosign.key of k8s://ci/release"]);
    with(&|secret| secret["data"] = json!({}));
    world.refuse_sign(KEY, &["the secret has no field cosign.key"]);
    world.refuse_verify(KEY, "b.json", &["the secret has no field cosign.pub"]);
    with(&|secret| secret["metadata"]["name"] = json!("other"));
    world.refuse_sign(KEY, &["another secret: ci/other"]);
    with(&|secret| *secret = json!(["sesame"]));
    assert!(!world.refuse_sign(KEY, &["not a secret of a Kubernetes"]).contains("sesame"));
    with(&|_| {});

    let config = |user: &str, words: &[&str]| {
        fs::write(world.path("config"), cluster.kubeconfig(user)).unwrap();
        assert!(!world.refuse_sign(KEY, words).contains("sesame"));
    };
    config("token: sesame", &["Unauthorized", "wrong or expired"]);
    config("{}", &["Unauthorized"]);
    config("{username: u, password: sesame}", &["passwords", "use a token"]);
    config("exec: {command: x, apiVersion: v1}", &["program (exec)", "kubectl create token"]);
    config("client-certificate-data: c2VzYW1l", &["and not the other"]);
    config("{client-certificate-data: c2VzYW1l, client-key-data: c2VzYW1l}", &["not a pair in PEM"]);
    config("token: [sesame", &["not the YAML of a kubeconfig"]);
    config("tokenFile: absent", &["absent"]);
    let plain = cluster.kubeconfig("token: sesame");
    for (from, to, words) in [
        ("server: http", "insecure-skip-tls-verify: true\n    server: http", "insecure-skip-tls-verify"),
        ("server: http", "proxy-url: http://x\n    server: http", "not built"),
        ("current-context: test", "current-context: gone", "has no context gone"),
        ("current-context: test", "current-context: \"\"", "no current context"),
        ("user: robot", "user: gone", "has no user gone"),
        ("cluster: stand-in", "cluster: gone", "has no cluster gone"),
        ("server: http://127.0.0.1", "server: http://k8s.example.com", "plain http"),
    ] {
        fs::write(world.path("config"), plain.replace(from, to)).unwrap();
        world.refuse_sign(KEY, &[words]);
    }
    world.set("KUBECONFIG", "absent");
    world.refuse_sign(KEY, &["looked for absent", "KUBECONFIG"]);
}

#[test]
fn a_token_file_and_two_kubeconfigs() {
    let cluster = Kubernetes::new();
    let mut world = world(&cluster);
    make(&world, KEY, &[]);
    fs::create_dir(world.path("sub")).unwrap();
    fs::write(world.path("sub/token"), format!("{TOKEN}\n")).unwrap();
    let (clusters, users) = {
        let whole = cluster.kubeconfig("tokenFile: token");
        let at = whole.find("users:").unwrap();
        (whole[..at].to_owned(), whole[at..].to_owned())
    };
    fs::write(world.path("clusters"), clusters).unwrap();
    fs::write(world.path("sub/users"), users).unwrap();
    world.set("KUBECONFIG", "absent:clusters:sub/users");
    world.sign(KEY, "b.json");
}

/// OpenSSL's server asks for the certificate and has the secret as a file.
#[test]
fn a_client_certificate_is_shown() {
    let cluster = Kubernetes::new();
    let mut world = world(&cluster);
    make(&world, KEY, &[]);
    let openssl = |arguments: &[&str]| {
        let output = support::run(&mut world.prepare(Command::new("openssl"), arguments));
        assert!(output.status.success(), "{}", stderr(&output));
    };
    for (name, subject) in [("ca", "/CN=authority"), ("server", "/CN=server"), ("client", "/CN=robot")] {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let new =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        let files = ["-keyout", &key, "-out", &certificate, "-subj", subject];
        let signed = [
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=CA:FALSE",
        ];
        openssl(&[&new[..], &files[..], if name == "ca" { &[] } else { &signed[..] }].concat());
    }
    let secret = cluster.secret("ci/release").to_string();
    fs::create_dir_all(world.path("api/v1/namespaces/ci/secrets")).unwrap();
    let answer = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{secret}",
        secret.len()
    );
    fs::write(world.path("api/v1/namespaces/ci/secrets/release"), answer).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let address = format!("127.0.0.1:{port}");
    let serve = [
        "s_server",
        "-accept",
        &address,
        "-cert",
        "server.pem",
        "-key",
        "server.key",
        "-CAfile",
        "ca.pem",
        "-Verify",
        "1",
        "-verify_return_error",
        "-HTTP",
        "-quiet",
    ];
    let mut server = world
        .prepare(Command::new("openssl"), &serve)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..200 {
        if TcpStream::connect(&address).is_ok() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let config = |user: &str| {
        let text = cluster.kubeconfig(user);
        let at = text.find("http://").unwrap();
        let end = at + text[at..].find('\n').unwrap();
        let server = format!("https://{address}\n    certificate-authority: ca.pem");
        fs::write(world.path("config"), [&text[..at], &server, &text[end..]].concat()).unwrap();
    };
    config("{client-certificate: client.pem, client-key: client.key}");
    let sign = ["sign-blob", "--tlog-upload=false", "--key", KEY, "--bundle", "b.json", "blob"];
    let with = world.run(&sign);
    config("token: x");
    let without = world.run(&[&sign[..], &["--timeout", "3s"]].concat());
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(with.status.success(), "{}", stderr(&with));
    assert!(!without.status.success(), "the server takes anybody");
    world.set("KUBECONFIG", "config");
}

#[test]
fn kubernetes_passes_the_conformance_suite() {
    let cluster = Kubernetes::new();
    let world = world(&cluster);
    let mut keys = Vec::new();
    for algorithm in
        ["ecdsa-sha2-256-nistp256", "ed25519", "ecdsa-sha2-384-nistp384", "ecdsa-sha2-512-nistp521"]
    {
        let uri = format!("k8s://ci/{algorithm}");
        make(&world, &uri, &["-y", "--signing-algorithm", algorithm]);
        keys.push(uri);
    }
    let rig = Rig {
        backend: backends::find(&KeyUri::parse(KEY).unwrap()).unwrap(),
        keys,
        secret: Vec::new(),
        // A URI means one secret for one key: there is no list of all.
        list: None,
        missing: KEY.to_owned(),
        ambiguous: None,
        locked: None,
        capabilities: include_str!("../../backends/k8s/capabilities.txt"),
    };
    run_with(&rig, &[("KUBECONFIG", world.path("config").to_str().unwrap())]);
}
