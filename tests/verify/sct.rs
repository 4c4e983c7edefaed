//! A certificate timestamp beside its certificate (`--sct`): it counts as one in the certificate does, here and in Cosign.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::forge::certificates::{CertificateLog, ISSUER, NAME};
use super::forge::{Certified, LONG, Leaf, WORLD};
use crate::support::{cosign, countersign, run, stderr};

/// A file, its signature, a certificate that is valid today and holds no timestamp, and the trusted root.
struct Scene {
    directory: TempDir,
    certificate: Certified,
}

impl Scene {
    fn new(logs: &[&CertificateLog]) -> Self {
        let certificate = Leaf { period: LONG, ..Leaf::default() }.issue(&WORLD.issuer, logs);
        let scene = Self { directory: tempfile::tempdir().unwrap(), certificate };
        scene.write("artifact", b"artifact");
        scene.write("signature", STANDARD.encode(scene.certificate.key.sign(b"artifact")).as_bytes());
        scene.write("certificate.pem", scene.certificate.pem().as_bytes());
        scene.write("chain.pem", WORLD.chain_pem().as_bytes());
        scene.write("log.pub", WORLD.certificate_logs[0].key.public().to_pem().as_bytes());
        scene.write("root.json", WORLD.trusted_root().to_string().as_bytes());
        scene
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.directory.path().join(name), content).unwrap();
    }

    /// Whether it is accepted with this timestamp beside it, and what is said.
    fn verify(&self, command: Command, beside: Option<&Value>) -> (bool, String) {
        self.verify_by(command, beside, false)
    }

    /// The same with what is trusted in one file or in parts.
    fn verify_by(&self, mut command: Command, beside: Option<&Value>, in_parts: bool) -> (bool, String) {
        command.current_dir(&self.directory).args(["verify-blob", "--signature", "signature"]);
        command.args(["--certificate", "certificate.pem"]);
        match in_parts {
            false => command.args(["--trusted-root", "root.json"]),
            // Cosign takes no trusted root with the older forms.
            true => command
                .args(["--certificate-chain", "chain.pem"])
                .env("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "log.pub"),
        };
        command.args(["--certificate-identity", NAME, "--certificate-oidc-issuer", ISSUER]);
        command.args(["--insecure-ignore-tlog", "--new-bundle-format=false"]);
        if let Some(beside) = beside {
            self.write("sct.json", beside.to_string().as_bytes());
            command.args(["--sct", "sct.json"]);
        }
        let output = run(command.arg("artifact"));
        (output.status.success(), stderr(&output))
    }
}

#[test]
fn a_timestamp_beside_the_certificate_vouches_for_it() {
    let [log, other] = &WORLD.certificate_logs;
    let scene = Scene::new(&[]);
    let good = log.answer(&scene.certificate);
    let (accepted, said) = scene.verify(countersign(), None);
    assert!(!accepted && said.contains("certificate transparency"), "{said}");
    let (accepted, said) = scene.verify(countersign(), Some(&good));
    assert!(accepted, "{said}");
    if let Some(command) = cosign() {
        for (tool, command) in [("ours", countersign()), ("Cosign", command)] {
            let (accepted, said) = scene.verify_by(command, Some(&good), true);
            assert!(accepted, "{tool}: {said}");
        }
        assert!(!scene.verify_by(cosign().unwrap(), None, true).0, "Cosign accepts it without");
    }
    let changed = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    let another = Scene::new(&[]);
    let stranger = CertificateLog::new("stranger.ct.forge.example");
    let wrong = [
        ("another certificate's", log.answer(&another.certificate), "does not match"),
        ("a stranger's", stranger.answer(&scene.certificate), "certificate transparency"),
        (
            "another log's signature",
            changed("id", other.answer(&scene.certificate)["id"].clone()),
            "does not match",
        ),
        (
            "another time",
            changed("timestamp", json!(good["timestamp"].as_u64().unwrap() + 1)),
            "does not match",
        ),
        ("extensions", changed("extensions", json!("AA==")), "does not match"),
        ("version 2", changed("sct_version", json!(1)), "expected 0"),
        ("a signature cut short", changed("signature", json!("BAMA")), "digitally-signed"),
        ("no base64", changed("id", json!("?")), "id: "),
        ("a field too many", changed("more", json!(1)), "more"),
    ];
    for (name, wrong, words) in wrong {
        let (accepted, said) = scene.verify(countersign(), Some(&wrong));
        assert!(!accepted && said.contains(words), "{name}: {said}");
    }
}

/// One that is wrong is not outweighed by one that holds.
#[test]
fn a_wrong_one_beside_a_good_one_inside_is_refused() {
    let [log, other] = &WORLD.certificate_logs;
    let (scene, another) = (Scene::new(&[log]), Scene::new(&[]));
    assert!(scene.verify(countersign(), None).0);
    assert!(scene.verify(countersign(), Some(&other.answer(&scene.certificate))).0);
    let (accepted, said) = scene.verify(countersign(), Some(&other.answer(&another.certificate)));
    assert!(!accepted && said.contains("does not match"), "{said}");
}

#[test]
fn without_a_certificate_it_has_nothing_to_speak_of() {
    let scene = Scene::new(&[]);
    scene.write("sct.json", WORLD.certificate_logs[0].answer(&scene.certificate).to_string().as_bytes());
    scene.write("key.pub", scene.certificate.key.public().to_pem().as_bytes());
    let mut command = countersign();
    command.current_dir(&scene.directory).args([
        "verify-blob",
        "--key",
        "key.pub",
        "--signature",
        "signature",
    ]);
    let output = run(command.args(["--insecure-ignore-tlog", "--sct", "sct.json", "artifact"]));
    assert!(!output.status.success() && stderr(&output).contains("there is none"), "{}", stderr(&output));
}
