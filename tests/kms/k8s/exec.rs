//! Users whose token or certificate comes from a program.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{KEY, World, make, world};
use crate::support::kubernetes::{Kubernetes, TOKEN};
use crate::support::{self, stderr};

/// Prints the certificate and key that lie beside it.
pub(super) const KEY_PAIR: &str = r#"
pem() { awk '{ printf "%s\\n", $0 }' "$(dirname "$0")/$1"; }
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"clientCertificateData":"%s","clientKeyData":"%s"}}' "$(pem client.pem)" "$(pem client.key)"
"#;

pub(super) fn write_program(world: &World, name: &str, body: &str) {
    let path = world.path(name);
    fs::write(&path, format!("#!/bin/sh\n{body}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// An answer with the token that the stand-in takes.
fn answer(version: &str) -> String {
    let status = format!(r#""status":{{"token":"{TOKEN}","expirationTimestamp":"2040-01-01T00:00:00Z"}}"#);
    format!(
        r#"printf '%s' '{{"apiVersion":"client.authentication.k8s.io/{version}","kind":"ExecCredential",{status}}}'"#
    )
}

fn user(more: &str) -> String {
    format!("exec: {{command: ./log-in, apiVersion: client.authentication.k8s.io/v1{more}}}")
}

/// A cluster with a key, and a user who logs in with what `body` does.
fn with_program(body: &str) -> (Kubernetes, World) {
    let cluster = Kubernetes::new();
    let world = world(&cluster);
    make(&world, KEY, &[]);
    fs::write(world.path("config"), cluster.kubeconfig(&user(""))).unwrap();
    write_program(&world, "log-in", body);
    (cluster, world)
}

#[test]
fn a_token_comes_from_a_program() {
    let record = r#"{ echo "$KUBERNETES_EXEC_INFO"; echo "$1 $COLOUR ${COSIGN_PASSWORD-none} $AWS_SECRET_ACCESS_KEY"; } >>"$(dirname "$0")/log""#;
    let (cluster, mut world) = with_program(&format!("{record}\n{}", answer("v1")));
    world.set("AWS_SECRET_ACCESS_KEY", "of-the-cloud");
    let more = ", args: [get-token], env: [{name: COLOUR, value: red}], provideClusterInfo: true, interactiveMode: IfAvailable";
    fs::write(world.path("config"), cluster.kubeconfig(&user(more))).unwrap();
    let sign = ["sign-blob", "--tlog-upload=false", "--key", KEY, "--bundle", "b.json", "blob"];
    let mut command = world.prepare(support::countersign(), &sign);
    let output = support::run(command.env("COSIGN_PASSWORD", "ours"));
    assert!(output.status.success(), "{}", stderr(&output));
    world.verify(KEY, "b.json");
    let log = fs::read_to_string(world.path("log")).unwrap();
    let lines: Vec<_> = log.lines().collect();
    let asked: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(asked["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!((&asked["kind"], &asked["spec"]["interactive"]), (&"ExecCredential".into(), &false.into()));
    assert!(asked["spec"]["cluster"]["server"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    // The cloud's own secret is what it logs in with; ours it never sees.
    assert_eq!(lines[1], "get-token red none of-the-cloud");
    assert_eq!(lines.len(), 4, "once for each run: {log}");

    // From PATH, with the older version.
    fs::create_dir(world.path("bin")).unwrap();
    write_program(&world, "bin/log-in-of-path", &answer("v1beta1"));
    let path =
        std::env::join_paths([world.path("bin").as_os_str(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    world.set("PATH", path.to_str().unwrap());
    let user = "exec: {command: log-in-of-path, apiVersion: client.authentication.k8s.io/v1beta1}";
    fs::write(world.path("config"), cluster.kubeconfig(user)).unwrap();
    world.sign(KEY, "b.json");
}

#[test]
fn a_token_in_the_file_goes_before_the_program() {
    let (cluster, world) = with_program("exit 1");
    fs::write(world.path("config"), cluster.kubeconfig(&format!("{{token: {TOKEN}, {}}}", user(""))))
        .unwrap();
    world.sign(KEY, "b.json");
}

#[test]
fn every_refusal_of_a_program_says_what_to_do() {
    let (cluster, mut world) = with_program("echo no session >&2; exit 3");
    world.refuse_sign(KEY, &["no session", "ended with exit status: 3", "kubectl auth whoami"]);
    for (body, words) in [
        ("echo sesame", "is no ExecCredential"),
        (
            r#"echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{}}'"#,
            "is no ExecCredential",
        ),
        (answer("v1beta1").as_str(), "is no ExecCredential of client.authentication.k8s.io/v1"),
        ("while :; do printf sesamesesamesesamesesame; done", "more than 262144 bytes"),
        (
            r#"echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"sesame"}}'"#,
            "Unauthorized",
        ),
    ] {
        write_program(&world, "log-in", body);
        assert!(!world.refuse_sign(KEY, &[words]).contains("sesame"), "{body}");
    }
    write_program(&world, "log-in", "exec sleep 600");
    world.refuse_sign_with(KEY, &["--timeout", "2s"], &["log in with", "the time limit passed"]);

    let config = |user: &str, words: &[&str]| {
        fs::write(world.path("config"), cluster.kubeconfig(user)).unwrap();
        world.refuse_sign(KEY, words);
    };
    let hint = "exec: {command: not-there, apiVersion: client.authentication.k8s.io/v1, installHint: \"get it\\e[2J\"}";
    config(hint, &["PATH has no such program", "get it [2J"]);
    config(
        "exec: {command: ./not-there, apiVersion: client.authentication.k8s.io/v1}",
        &["not-there", "no such file"],
    );
    config(
        "exec: {command: ./log-in, apiVersion: client.authentication.k8s.io/v1alpha1}",
        &["v1alpha1", "none of"],
    );
    config(&user(", interactiveMode: Always"), &["terminal", "kubectl create token"]);
    fs::write(world.path("config"), cluster.kubeconfig(&user(""))).unwrap();
    world.set("COUNTERSIGN_NO_COMMANDS", "1");
    world.refuse_sign(KEY, &["COUNTERSIGN_NO_COMMANDS forbids commands", "token or a certificate"]);
}
