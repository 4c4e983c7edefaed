//! What a log and a timestamp authority may do wrong, and what the user sees of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::world::World;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::sigstore::Sigstore;

const BUNDLE: &str = "blob.sigstore.json";

fn world() -> Option<(std::sync::Arc<Sigstore>, World)> {
    let services = Sigstore::shared()?;
    let world = World::new()?;
    // A file of its own: the log takes nothing twice.
    world.write("blob", world.root().display().to_string());
    Some((services, world))
}

fn sign<'a>(services: &'a Sigstore, more: &[&'a str]) -> Vec<&'a str> {
    [&["sign-blob", "-y", "--key", "key.pem", "--signing-config", services.signing_config()], more, &["blob"]]
        .concat()
}

#[test]
fn a_log_and_an_authority_witness_a_signature() {
    let Some((services, world)) = world() else { return };
    let root = services.trusted_root();
    world.run(&sign(&services, &["--trusted-root", root, "--report=report.json"])).ok();
    let report = world.read("report.json");
    for words in ["the signature existed at", "holds it at index"] {
        assert!(report.contains(words), "{words}: {report}");
    }
    let bundle: Value = serde_json::from_str(&world.read(BUNDLE)).expect("a bundle is JSON");
    let material = &bundle["verificationMaterial"];
    assert_eq!(material["tlogEntries"].as_array().map(Vec::len), Some(1));
    assert_eq!(material["timestampVerificationData"]["rfc3161Timestamps"].as_array().map(Vec::len), Some(1));
    let verify =
        ["verify-blob", "--key", "key.pub", "--trusted-root", root, "--use-signed-timestamps", "blob"];
    world.run(&verify).ok();
    // Without a trusted root the answers are held against the signature all the same, and no more is claimed.
    world.run(&sign(&services, &["--report=report.json"])).ok();
    assert!(world.read("report.json").contains("that the services are the right ones"));
    world.run(&verify).ok();
}

#[test]
fn nobody_is_asked_without_consent() {
    let Some((services, world)) = world() else { return };
    let without_yes =
        ["sign-blob", "--key", "key.pem", "--signing-config", services.signing_config(), "blob"];
    world.refuse(&without_yes, &["nothing was signed", "public for ever", "hint: pass -y"]);
    // An authority sees a digest of the signature alone, and keeps nothing.
    world.run(&[&without_yes[..], &["--tlog-upload=false"]].concat()).ok();
}

#[test]
fn another_instances_root_refuses_before_anything_is_written() {
    let Some((services, world)) = world() else { return };
    let mut root: Value =
        serde_json::from_str(&std::fs::read_to_string(services.trusted_root()).expect("a file"))
            .expect("JSON");
    root["tlogs"][0]["logId"]["keyId"] = Value::String(STANDARD.encode([7; 32]));
    world.write("root.json", root.to_string());
    let arguments = sign(&services, &["--trusted-root", "root.json"]);
    world.refuse(
        &arguments,
        &["cannot use what the services answered", "too few transparency logs", "nothing was written"],
    );
    let mut root: Value =
        serde_json::from_str(&std::fs::read_to_string(services.trusted_root()).expect("a file"))
            .expect("JSON");
    root["timestampAuthorities"] = Value::Array(Vec::new());
    world.write("root.json", root.to_string());
    world.refuse(&arguments, &["cannot use what the services answered", "too few timestamp authorities"]);
}

#[test]
fn what_a_log_does_not_take_is_refused_before_signing() {
    let Some((services, world)) = world() else { return };
    world.write("rsa.pem", super::world::genpkey(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]));
    world.write("ed.pem", super::world::genpkey(&["-algorithm", "ED25519"]));
    for name in ["rsa.pem", "ed.pem"] {
        super::world::chmod(&world.path(name), 0o600);
    }
    let config = services.signing_config();
    for (key, algorithm, words) in [
        ("rsa.pem", "rsa-sign-pss-2048-sha256", "PKCS#1 v1.5 only"),
        ("ed.pem", "ed25519", "--signing-algorithm ed25519-ph"),
    ] {
        let arguments = [
            "sign-blob",
            "-y",
            "--key",
            key,
            "--signing-algorithm",
            algorithm,
            "--signing-config",
            config,
            "blob",
        ];
        world.refuse(&arguments, &["cannot log a signature made with", words, "--tlog-upload=false"]);
    }
    // Ed25519 signs prehashed where a log is asked, as in Cosign.
    world.run(&["sign-blob", "-y", "--key", "ed.pem", "--signing-config", config, "blob"]).ok();
    let again = ["sign-blob", "-y", "--key", "ed.pem", "--signing-config", config, "blob"];
    world.refuse(&again, &["status 409", "hint: the log holds this very signature"]);
}

#[test]
fn services_that_are_down_or_something_else_are_named() {
    let Some((services, world)) = world() else { return };
    let key = ["sign-blob", "-y", "--key", "key.pem"];
    let with = |more: &[&'static str]| [&key[..], more, &["blob"]].concat();
    let down = with(&["--rekor-url", "http://127.0.0.1:1"]);
    world.refuse(
        &down,
        &[
            "cannot add the signature to the transparency log",
            "http://127.0.0.1:1: connection refused",
            "hint: ",
        ],
    );
    let down = with(&["--tlog-upload=false", "--timestamp-server-url", "http://127.0.0.1:1/tsa"]);
    world.refuse(&down, &["cannot get a signed timestamp", "http://127.0.0.1:1/tsa"]);
    // The authority asked as a log, and the log as an authority.
    let swapped = [&key[..], &["--rekor-url", services.tsa(), "blob"]].concat();
    world.refuse(
        &swapped,
        &["cannot add the signature to the transparency log", "status 404", "hint: check the address"],
    );
    let swapped =
        [&key[..], &["--tlog-upload=false", "--timestamp-server-url", services.rekor(), "blob"]].concat();
    world.refuse(&swapped, &["cannot get a signed timestamp", "hint: "]);
    world.refuse(&with(&["--rekor-url", "ftp://x"]), &["cannot use the address of the transparency log"]);
    let plain = with(&["--rekor-url", "http://log.example.com"]);
    world.refuse(&plain, &["plain http"]);
    let both = [&sign(&services, &["--rekor-url", "http://127.0.0.1:1"])[..]].concat();
    world.refuse(&both, &["--rekor-url"]);
    let old =
        [&key[..], &["--new-bundle-format=false", "--signing-config", services.signing_config(), "blob"]]
            .concat();
    world.refuse(&old, &["new bundle format only"]);
    world.refuse(&with(&["--use-signing-config=true"]), &["tuf-repo-cdn.sigstore.dev", "--signing-config"]);
    for other in ["--rekor-url=http://127.0.0.1:1", "--tlog-upload=false"] {
        world.refuse(&with(&["--use-signing-config=true", other]), &["leave one of them out"]);
    }
}

#[test]
fn a_certificate_of_an_own_authority_stands_in_the_bundle() {
    let Some((services, world)) = world() else { return };
    let openssl = |arguments: &[&str]| {
        let mut command = crate::support::openssl().expect("it was there before");
        crate::support::succeed(command.args(arguments).current_dir(world.root()));
    };
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=own",
        "-days",
        "2",
    ]);
    world.write("ext", "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\nsubjectAltName=email:dev@example.com\n");
    for (key, certificate) in [("key.pem", "leaf.pem"), ("other.pem", "other-leaf.pem")] {
        openssl(&["req", "-new", "-key", key, "-subj", "/CN=dev", "-out", "csr"]);
        openssl(&[
            "x509",
            "-req",
            "-in",
            "csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-out",
            certificate,
            "-days",
            "2",
            "-extfile",
            "ext",
        ]);
    }
    let root = services.trusted_root();
    world
        .run(&sign(
            &services,
            &["--certificate", "leaf.pem", "--certificate-chain", "ca.pem", "--trusted-root", root],
        ))
        .ok();
    world.run(&["verify-blob", "--key", "key.pub", "--trusted-root", root, "blob"]).ok();
    // The certificate by itself, in base64 as signatures are, or as it is.
    world.run(&sign(&services, &["-y", "--certificate", "leaf.pem", "--output-certificate", "out"])).ok();
    world.write("decoded", crate::cli::world::openssl(&["base64", "-d", "-A"], &world.read("out")));
    assert_eq!(world.read("decoded"), world.read("leaf.pem"));
    world
        .run(&sign(&services, &["-y", "--certificate", "leaf.pem", "--output-cert", "out", "--b64=false"]))
        .ok();
    assert_eq!(world.read("out"), world.read("leaf.pem"));
    let attest = [
        "attest-blob",
        "-y",
        "--key",
        "key.pem",
        "--tlog-upload=false",
        "--predicate",
        "ext",
        "--type",
        "https://x",
    ];
    world.write("ext", "{}");
    let certificate = ["--certificate", "leaf.pem", "--output-certificate", "out", "--bundle", "a"];
    world.run(&[&attest[..], &certificate, &["blob"]].concat()).ok();
    assert_eq!(world.read("out"), world.read("leaf.pem"));
    world.refuse(
        &sign(&services, &["-y", "--output-certificate", "out", "--bundle", "b"]),
        &["cannot write out", "has no certificate", "--certificate"],
    );
    world.refuse(
        &sign(&services, &["--certificate", "other-leaf.pem", "-y", "--bundle", "b"]),
        &["it holds the key", "hint: "],
    );
    world.refuse(
        &sign(&services, &["--certificate", "leaf.pem", "--certificate-chain", "leaf.pem", "--bundle", "b"]),
        &["cannot sign with the certificate leaf.pem"],
    );
}

#[test]
fn what_does_not_go_with_the_services_is_said_before_the_key_is_used() {
    let Some((services, world)) = world() else { return };
    world.write("predicate", "{}");
    let attest = [
        "attest-blob",
        "-y",
        "--key",
        "missing.pem",
        "--predicate",
        "predicate",
        "--rekor-entry-type=intoto",
    ];
    let config = ["--signing-config", services.signing_config(), "blob"];
    world.refuse(&[&attest[..], &config].concat(), &["is a log of version 2", "intoto"]);
    world.refuse(&[&attest[..6], &["--rekor-entry-type=x", "blob"]].concat(), &["dsse", "intoto"]);
    let sign = ["sign-blob", "-y", "--key", "key.pem", "--tlog-upload=false", "--timestamp-server-url"];
    let named = |url: &str, name: &str| {
        let flags = [&sign[..], &[url, "--timestamp-server-name", name, "blob"]].concat();
        world.run(&flags).failed(&[]).stderr
    };
    assert!(named(services.tsa(), "tsa.example.com").contains("plain http"));
    assert!(named("https://127.0.0.1:1/x", "no/name").contains("no host name"));
    assert!(named("https://127.0.0.1:1/x", "tsa.example.com").contains("127.0.0.1:1"));
}

/// What the log or the authority answers once, in place of the other's.
#[test]
fn a_service_that_lies_or_breaks_is_found_out() {
    let Some((services, world)) = world() else { return };
    let log = FaultProxy::new(services.rekor().trim_start_matches("http://"));
    let address = services.tsa().trim_start_matches("http://").split('/').next().expect("host and port");
    let authority = FaultProxy::new(address);
    let config = std::fs::read_to_string(services.signing_config()).expect("a file");
    let config = config.replace(services.rekor(), &format!("http://{}", log.address()));
    world.write("config.json", config.replace(address, authority.address()));
    let sign = ["sign-blob", "-y", "--key", "key.pem", "--signing-config", "config.json", "blob"];
    world.run(&sign).ok();
    assert_eq!((log.asked().len(), authority.asked().len()), (1, 1), "one question each");
    let first: Value = serde_json::from_str(&world.read(BUNDLE)).expect("a bundle is JSON");
    let entry = first["verificationMaterial"]["tlogEntries"][0].clone();
    let root = entry["inclusionProof"]["rootHash"].as_str().expect("a root").to_owned();
    let answer = |status, body: String| Fault::Answer { status, headers: Vec::new(), body };
    let log_faults: Vec<(Fault, &[&str])> = vec![
        (
            answer("200 OK", entry.to_string()),
            &["the log entry belongs to something else", "nothing was written"],
        ),
        (
            Fault::Change(Box::new(move |body| with_root(&body, &root))),
            &["the log's inclusion proof does not hold"],
        ),
        (answer("200 OK", "{}".into()), &["is no log entry", "hint: check the address"]),
        (answer("200 OK", "<html>".into()), &["is no log entry"]),
        (
            answer("400 Bad Request", r#"{"code":3,"message":"unsupported key"}"#.into()),
            &["status 400: unsupported key", "hint: the log does not take"],
        ),
        (answer("403 Forbidden", String::new()), &["status 403"]),
        (answer("429 Too Many Requests", String::new()), &["status 429", "nothing was logged"]),
        (
            answer("503 Service Unavailable", String::new()),
            &["status 503", "whether this signature was logged is unknown"],
        ),
        (Fault::Cut, &["cannot add the signature to the transparency log"]),
        (Fault::CutInside, &["cannot add the signature to the transparency log"]),
    ];
    for (fault, words) in log_faults {
        log.spoil("/api/v2/log/entries", [fault]);
        world.refuse(&sign, words);
        // Whatever happened, it was not asked to log twice.
        assert_eq!(log.asked().len(), 1, "{words:?}");
    }
    log.spoil("/api/v2/log/entries", [Fault::Slow(std::time::Duration::from_secs(20))]);
    world.refuse(
        &[&sign[..], &["--timeout", "2s"]].concat(),
        &["cannot add the signature to the transparency log", "hint: "],
    );
    for (fault, words) in [
        (answer("200 OK", "junk".into()), "it is no RFC 3161 timestamp"),
        (answer("404 Not Found", String::new()), "status 404"),
        (answer("400 Bad Request", "no such policy".into()), "status 400: no such policy"),
    ] {
        authority.spoil("timestamp", [fault]);
        world.refuse(&sign, &["cannot get a signed timestamp", words, "hint: "]);
    }
    // An authority may be asked again: it keeps nothing.
    authority.spoil("timestamp", [Fault::Cut]);
    world.run(&sign).ok();
}

fn with_root(body: &str, root: &str) -> String {
    let mut entry: Value = serde_json::from_str(body).expect("an entry is JSON");
    entry["inclusionProof"]["rootHash"] = Value::String(root.to_owned());
    entry.to_string()
}
