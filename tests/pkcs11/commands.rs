//! The binary with tokens: every key both ways against OpenSSL and Cosign, and what must be refused.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::{HashAlgorithm, KeyType};
use tempfile::TempDir;

use crate::support::tokens::{Kryoptic, PIN, Rig, SoftHsm, Swtpm};
use crate::support::{self, stderr, stdout};

const KEYS: [(&str, KeyType); 7] = [
    ("p256", KeyType::P256),
    ("p384", KeyType::P384),
    ("p521", KeyType::P521),
    ("rsa2048", KeyType::Rsa2048),
    ("rsa3072", KeyType::Rsa3072),
    ("rsa4096", KeyType::Rsa4096),
    ("ed25519", KeyType::Ed25519),
];

/// A directory with `blob` in it, and a token.
pub(super) struct World {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

impl World {
    pub(super) fn new(rig: &impl Rig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("blob"), "to be signed").unwrap();
        fs::write(directory.path().join("changed"), "to be refused").unwrap();
        Self { directory, environment: rig.environment() }
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn prepare(&self, mut command: Command, arguments: &[&str], pin: Option<&str>) -> Command {
        command.args(arguments).current_dir(&self.directory).stdin(std::process::Stdio::null());
        command.env_remove("COSIGN_PASSWORD").env_remove("COSIGN_PKCS11_PIN");
        command.envs(self.environment.iter().cloned());
        command.envs(pin.map(|pin| ("COSIGN_PKCS11_PIN", pin)));
        command
    }

    /// Runs the binary; no PIN shows whatever it does.
    pub(super) fn run(&self, arguments: &[&str], pin: Option<&str>) -> Output {
        let output = support::run(&mut self.prepare(support::countersign(), arguments, pin));
        for secret in [PIN, "918273"] {
            let shown = stdout(&output).contains(secret) || stderr(&output).contains(secret);
            assert!(!shown, "{arguments:?} shows a PIN:\n{}", stderr(&output));
        }
        output
    }

    pub(super) fn ok(&self, arguments: &[&str], pin: Option<&str>) -> Output {
        let output = self.run(arguments, pin);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        output
    }

    /// Runs what must be refused with these words, leaving no bundle.
    pub(super) fn refuse(&self, arguments: &[&str], pin: Option<&str>, words: &[&str]) -> String {
        let output = self.run(arguments, pin);
        let said = stderr(&output);
        assert!(!output.status.success(), "{arguments:?} succeeds");
        for word in words {
            assert!(said.contains(word), "{arguments:?} does not say \"{word}\":\n{said}");
        }
        assert!(!self.path("refused.json").exists(), "{arguments:?} leaves a bundle");
        said
    }

    pub(super) fn sign(&self, key: &str, bundle: &str, pin: Option<&str>) -> Output {
        self.ok(&["sign-blob", "--tlog-upload=false", "--key", key, "--bundle", bundle, "blob"], pin)
    }
}

pub(super) fn refused_sign(key: &str) -> [&str; 7] {
    ["sign-blob", "--tlog-upload=false", "--key", key, "--bundle", "refused.json", "blob"]
}

/// Verifies the bundle's signature with OpenSSL and the public key that OpenSSL wrote.
pub(super) fn openssl_verifies(
    world: &World,
    key_type: KeyType,
    public: &Path,
    bundle: &str,
    artifact: &str,
) -> bool {
    let json: serde_json::Value = serde_json::from_slice(&fs::read(world.path(bundle)).unwrap()).unwrap();
    let signature = json.pointer("/messageSignature/signature").unwrap().as_str().unwrap();
    fs::write(world.path("signature"), STANDARD.decode(signature).unwrap()).unwrap();
    let mut openssl = support::openssl().unwrap();
    openssl.current_dir(&world.directory);
    match key_type.default_algorithm().hash() {
        Some(hash) => {
            let hash = match hash {
                HashAlgorithm::Sha256 => "-sha256",
                HashAlgorithm::Sha384 => "-sha384",
                HashAlgorithm::Sha512 => "-sha512",
            };
            openssl.args(["dgst", hash, "-verify"]).arg(public).args(["-signature", "signature", artifact]);
        }
        None => {
            openssl.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(public);
            openssl.args(["-sigfile", "signature", "-in", artifact]);
        }
    }
    support::run(&mut openssl).status.success()
}

#[test]
fn every_key_signs_and_openssl_agrees() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    for (label, key_type) in KEYS {
        let key = format!("pkcs11:token=countersign;object={label}");
        let bundle = format!("{label}.json");
        world.sign(&key, &bundle, Some(PIN));
        let public = token.public_key(label);
        // No PIN from here on.
        let pem = stdout(&world.ok(&["public-key", "--key", &key], None));
        assert_eq!(pem.trim(), fs::read_to_string(&public).unwrap().trim(), "{label}");
        let verify = |artifact| {
            ["verify-blob", "--insecure-ignore-tlog", "--key", &key, "--bundle", &bundle, artifact]
        };
        let said = stderr(&world.ok(&verify("blob"), None));
        assert!(said.contains(key_type.default_algorithm().name()), "{said}");
        assert!(!world.run(&verify("changed"), None).status.success(), "{label}: another artifact verifies");
        assert!(openssl_verifies(&world, key_type, &public, &bundle, "blob"), "{label}");
        assert!(!openssl_verifies(&world, key_type, &public, &bundle, "changed"), "{label}");
    }
}

#[test]
fn cosign_and_we_read_each_other_through_the_token() {
    let (Some(token), Some(_)) = (SoftHsm::new(), support::cosign()) else { return };
    let world = World::new(&token);
    let module = token.module().to_str().unwrap();
    for label in ["p256", "rsa2048"] {
        let key = format!("pkcs11:token=countersign;object={label}?module-path={module}");
        let with_pin = format!("{key}&pin-value={PIN}");
        let public = token.public_key(label);
        let public = public.to_str().unwrap();
        let cosign = |arguments: &[&str]| {
            let cosign = support::cosign().unwrap();
            support::run(&mut world.prepare(cosign, arguments, Some(PIN)))
        };
        world.sign(&key, "ours.json", Some(PIN));
        let verify = |key, bundle, artifact| {
            ["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", bundle, artifact]
        };
        assert!(
            cosign(&verify(&with_pin, "ours.json", "blob")).status.success(),
            "{label}: Cosign refuses ours"
        );
        assert!(!cosign(&verify(public, "ours.json", "changed")).status.success());
        let sign = ["sign-blob", "--tlog-upload=false", "--use-signing-config=false", "--key", &with_pin];
        let signed = cosign(&[&sign[..], &["--bundle", "theirs.json", "blob"]].concat());
        assert!(signed.status.success(), "{}", stderr(&signed));
        world.ok(&verify(&key, "theirs.json", "blob"), None);
        assert!(!world.run(&verify(&key, "theirs.json", "changed"), None).status.success());
    }
}

#[test]
fn a_batch_asks_once_and_signs_all() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    let names: Vec<String> = (0..20).map(|number| format!("file{number}")).collect();
    for name in &names {
        fs::write(world.path(name), name).unwrap();
    }
    let mut arguments = vec!["sign-blob", "--tlog-upload=false", "--key", "pkcs11:object=p256"];
    arguments.extend(names.iter().map(String::as_str));
    world.ok(&arguments, Some(PIN));
    assert!(names.iter().all(|name| world.path(&format!("{name}.sigstore.json")).exists()));
}

#[test]
fn listed_uris_can_be_pasted_back() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    let listed = stdout(&world.ok(&["keys", "list", "pkcs11:token=countersign"], None));
    assert_eq!(listed.lines().count(), KEYS.len(), "{listed}");
    for line in listed.lines() {
        let uri = line.split('\t').next().unwrap();
        world.sign(uri, "listed.json", Some(PIN));
    }
}

#[test]
fn makes_keys_and_refuses_a_second_of_the_same_name() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    let key = "pkcs11:token=countersign;object=new%20key";
    for (number, (_, key_type)) in
        KEYS.into_iter().enumerate().filter(|(number, _)| [1, 3, 6].contains(number))
    {
        let (key, prefix) = (format!("{key}{number}"), format!("made{number}"));
        let name = key_type.default_algorithm().name();
        let generate =
            ["generate-key-pair", "--kms", &key, "--signing-algorithm", name, "--output-key-prefix"];
        world.ok(&[&generate[..], &[&prefix]].concat(), Some(PIN));
        world.sign(&key, "made.json", Some(PIN));
        let public = format!("{prefix}.pub");
        world.ok(
            &["verify-blob", "--insecure-ignore-tlog", "--key", &public, "--bundle", "made.json", "blob"],
            None,
        );
        assert!(openssl_verifies(&world, key_type, &world.path(&public), "made.json", "blob"));
        world.refuse(
            &[&generate[..], &["again"]].concat(),
            Some(PIN),
            &["has a key with this label already"],
        );
        assert!(!world.path("again.pub").exists());
    }
    world.refuse(&["generate-key-pair", "--kms", "pkcs11:token=countersign"], Some(PIN), &["no label"]);
}

/// E.2 31: neither URIs nor errors show the PIN.
#[test]
fn the_pin_comes_from_where_the_uri_says_and_shows_nowhere() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    fs::write(world.path("pin"), format!("{PIN}\n")).unwrap();
    let file = world.path("pin");
    let file = file.to_str().unwrap();
    for source in [
        format!("pin-source=file:{file}"),
        format!("pin-value={PIN}"),
        "pin-source=env:COSIGN_PKCS11_PIN".to_owned(),
        format!("pin-source=%7C/bin/cat%20{file}"),
    ] {
        let pin = source.contains("env:").then_some(PIN);
        world.sign(&format!("pkcs11:token=countersign;object=p256?{source}"), "source.json", pin);
    }
    let contradiction = format!("pkcs11:object=p256?pin-value={PIN}&pin-source=file:{file}");
    world.refuse(&refused_sign(&contradiction), None, &["pin-value=***"]);
}

#[test]
fn refuses_what_is_not_exactly_one_key() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    for (key, words) in [
        (
            "pkcs11:token=absent;object=p256",
            &["no token has this token", "pkcs11:token=countersign;serial="][..],
        ),
        ("pkcs11:token=countersign;serial=0;object=p256", &["no token has this serial"]),
        ("pkcs11:token=countersign;object=absent", &["no private key has this label", "object=p384"]),
        ("pkcs11:token=countersign;object=p256;id=%02", &["both this label and this id"]),
        ("pkcs11:token=countersign;object=p256;id=%77", &["have another id"]),
        ("pkcs11:token=countersign;object=p256;type=public", &["type=public excludes all"]),
        ("pkcs11:token=countersign", &["7 match", "object=p256"]),
        ("pkcs11:token=countersign;label=p256", &["label", "object"]),
        ("pkcs11:token=countersign;token=countersign", &["token"]),
    ] {
        world.refuse(&refused_sign(key), Some(PIN), words);
    }
}

/// E.2 33: a relative path, one that everybody may write to, a directory, a file that is no module.
#[test]
fn refuses_modules_that_are_none() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    fs::write(world.path("text.so"), "not a module").unwrap();
    let text = world.path("text.so");
    let key = |path: &str| format!("pkcs11:object=p256?module-path={path}");
    let text = text.to_str().unwrap();
    world.refuse(
        &refused_sign(&key(text)),
        Some(PIN),
        &["cannot load the PKCS#11 module", "C_GetFunctionList"],
    );
    world.refuse(&refused_sign(&key("/nowhere/module.so")), Some(PIN), &["no such file"]);
    world.refuse(&refused_sign(&key("module.so")), Some(PIN), &["absolute"]);
    let directory = world.path("");
    world.refuse(&refused_sign(&key(directory.to_str().unwrap())), Some(PIN), &["it is no file"]);
    support::succeed(Command::new("chmod").args(["666", text]));
    world.refuse(&refused_sign(&key(text)), Some(PIN), &["everybody may write"]);
    let name = "pkcs11:object=p256?module-name=no-such-module";
    world.refuse(&refused_sign(name), Some(PIN), &["no-such-module", "module-path"]);
}

#[test]
fn asks_for_no_pin_where_nobody_can_answer() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    let key = "pkcs11:token=countersign;object=p256";
    world.refuse(&refused_sign(key), None, &["no PIN was given", "COSIGN_PKCS11_PIN"]);
    // A key file's password is no PIN: sending it would burn a try.
    let mut command = world.prepare(support::countersign(), &refused_sign(key), None);
    let output = support::run(command.env("COSIGN_PASSWORD", PIN));
    assert!(!output.status.success() && stderr(&output).contains("no PIN was given"), "{}", stderr(&output));
}

/// E.2 31: a wrong PIN is tried once, and never where one try is left.
#[test]
fn a_wrong_pin_uses_one_try_and_the_last_is_kept() {
    let Some(token) = Kryoptic::new() else { return };
    let world = World::new(&token);
    let sign = refused_sign("pkcs11:token=countersign;object=p256");
    // Kryoptic locks after ten.
    let mut said = String::new();
    for attempt in 1..=9 {
        said = world.refuse(&sign, Some("918273"), &["the PIN is wrong"]);
        assert_eq!(said.contains("one try is left"), attempt == 9, "{attempt}: {said}");
    }
    world.refuse(&sign, Some("918273"), &["one try of its PIN is left", "--allow-final-pin-try"]);
    assert!(said.contains("one try is left"));
    let last = [&sign[..], &["--allow-final-pin-try"]].concat();
    world.refuse(&last, Some("918273"), &["CKR_PIN_LOCKED", "SO PIN"]);
    world.refuse(&sign, Some(PIN), &["locked after too many wrong tries"]);
}

#[test]
fn pkcs11_tool_lists_as_cosign_does_but_without_the_pin() {
    let (Some(token), Some(_)) = (SoftHsm::new(), support::cosign()) else { return };
    let world = World::new(&token);
    let module = token.module().to_str().unwrap();
    let tokens = ["pkcs11-tool", "list-tokens", "--module-path", module];
    let ours = stdout(&world.ok(&tokens, None));
    let theirs = support::run(&mut world.prepare(support::cosign().unwrap(), &tokens, None));
    assert_eq!(ours, stdout(&theirs));
    let slot = ours.split("Token in slot ").nth(1).unwrap().lines().next().unwrap();
    let keys = ["pkcs11-tool", "list-keys-uris", "--module-path", module, "--slot-id", slot];
    let ours = stdout(&world.ok(&keys, None));
    let theirs = support::run(&mut world.prepare(support::cosign().unwrap(), &keys, Some(PIN)));
    let labels = |text: &str| {
        let mut labels: Vec<_> = text
            .lines()
            .filter(|line| line.contains("Label: ") || line.contains("ID: "))
            .map(str::to_owned)
            .collect();
        labels.sort();
        labels
    };
    assert_eq!(labels(&ours), labels(&stdout(&theirs)));
    for uri in ours.lines().filter_map(|line| line.split("URI: ").nth(1)) {
        world.sign(uri, "listed.json", Some(PIN));
    }
}

#[test]
fn three_processes_sign_with_one_token_at_once() {
    let Some(token) = Kryoptic::new() else { return };
    let world = World::new(&token);
    std::thread::scope(|scope| {
        for process in 0..3 {
            let world = &world;
            scope.spawn(move || {
                for round in 0..5 {
                    let bundle = format!("{process}-{round}.json");
                    world.sign("pkcs11:token=countersign;object=p256", &bundle, Some(PIN));
                }
            });
        }
    });
}

#[test]
fn a_slow_and_limited_device_signs_what_it_can() {
    let Some(token) = Swtpm::new() else { return };
    let world = World::new(&token);
    for label in ["p256", "rsa2048"] {
        let key = format!("pkcs11:token=countersign;object={label}");
        world.sign(&key, "tpm.json", Some(PIN));
        world.ok(
            &["verify-blob", "--insecure-ignore-tlog", "--key", &key, "--bundle", "tpm.json", "blob"],
            None,
        );
    }
}

#[test]
fn the_doctor_says_what_is_there_without_a_pin() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    let said = stdout(&world.ok(&["keys", "doctor", "pkcs11:token=countersign;object=p384"], None));
    for word in ["SoftHSM", "needs a PIN", "public P-384 key", "ecdsa-sha2-384-nistp384"] {
        assert!(said.contains(word), "{said}");
    }
    let output = world.run(&["keys", "doctor", "pkcs11:token=absent"], None);
    assert!(!output.status.success() && stdout(&output).contains("no token has this token"));
}
