//! The backend against the conformance suite and against its own refusals.

use std::path::Path;
use std::time::{Duration, Instant};

use countersign_core::backend::{Finding, Severity};
use countersign_core::conformance::{Rig, World, run};
use countersign_core::context::Event;
use countersign_core::{Algorithm, Backend, ErrorKind, KeyType, KeyUri, OpenContext, TrustLevel};

use crate::FileBackend;

fn uri(path: &Path) -> KeyUri {
    KeyUri::parse(path.to_str().unwrap()).unwrap()
}

fn generate(directory: &Path, name: &str, key_type: KeyType, world: &World) -> String {
    let store = FileBackend.key_store().unwrap();
    let prefix = uri(&directory.join(name));
    store.generate(&prefix, key_type.default_algorithm(), false, &world.context()).unwrap().uri
}

#[test]
fn passes_the_conformance_suite() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with_secret(b"right");
    let keys: Vec<_> = KeyType::ALL
        .into_iter()
        .map(|key_type| generate(directory.path(), key_type.name(), key_type, &world))
        .collect();
    run(&Rig {
        backend: &FileBackend,
        locked: keys.first().cloned(),
        keys,
        secret: b"right".to_vec(),
        list: directory.path().to_str().map(str::to_owned),
        missing: directory.path().join("absent.key").to_str().unwrap().to_owned(),
        // A path names one file: there is nothing ambiguous.
        ambiguous: None,
        capabilities: include_str!("../capabilities.txt"),
    });
}

#[test]
fn keeps_an_existing_key_unless_told_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with_secret(b"pw");
    generate(directory.path(), "cosign", KeyType::P256, &world);
    let before = std::fs::read(directory.path().join("cosign.key")).unwrap();
    let store = FileBackend.key_store().unwrap();
    let prefix = uri(&directory.path().join("cosign"));
    let algorithm = Algorithm::parse("ed25519").unwrap();
    let error = store.generate(&prefix, algorithm, false, &world.context()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(std::fs::read(directory.path().join("cosign.key")).unwrap(), before);
    let agreeing = World::with_secret(b"pw").confirming();
    store.generate(&prefix, algorithm, false, &agreeing.context()).unwrap();
    assert_ne!(std::fs::read(directory.path().join("cosign.key")).unwrap(), before);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
}

#[cfg(unix)]
#[test]
fn private_keys_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    generate(directory.path(), "k", KeyType::Ed25519, &World::with_secret(b""));
    let mode = std::fs::metadata(directory.path().join("k.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn reads_keys_from_variables_unless_the_uri_came_from_data() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with_secret(b"pw");
    let path = generate(directory.path(), "k", KeyType::P256, &world);
    let world = world.set("RELEASE_KEY", String::from_utf8(std::fs::read(path).unwrap()).unwrap());
    let key = KeyUri::parse("env://RELEASE_KEY").unwrap();
    assert!(FileBackend.open_signer(&key, &world.context()).is_ok());
    let data = OpenContext { trust: TrustLevel::Data, ..world.context() };
    assert_eq!(FileBackend.open_signer(&key, &data).err().unwrap().kind(), ErrorKind::Denied);
    for (wrong, kind) in [
        ("env://UNSET", ErrorKind::NotFound),
        ("env://", ErrorKind::BadUri),
        ("env://A/B", ErrorKind::BadUri),
    ] {
        let error = FileBackend.open_signer(&KeyUri::parse(wrong).unwrap(), &world.context()).err().unwrap();
        assert_eq!(error.kind(), kind, "{wrong}");
    }
}

#[test]
fn refuses_directories_large_files_and_remote_hosts() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::default();
    let large = directory.path().join("large");
    std::fs::File::create(&large).unwrap().set_len(10 << 30).unwrap();
    for (text, kind) in [
        (directory.path().to_str().unwrap(), ErrorKind::Unsupported),
        (large.to_str().unwrap(), ErrorKind::Unsupported),
        ("file://host/key", ErrorKind::BadUri),
        ("file:", ErrorKind::BadUri),
    ] {
        let error = FileBackend.open_signer(&KeyUri::parse(text).unwrap(), &world.context()).err().unwrap();
        assert_eq!(error.kind(), kind, "{text}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn a_silent_pipe_ends_at_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let world = World::default();
    let context =
        OpenContext { deadline: Instant::now().checked_add(Duration::from_millis(50)), ..world.context() };
    assert_eq!(FileBackend.open_signer(&uri(&pipe), &context).err().unwrap().kind(), ErrorKind::Timeout);
}

#[cfg(unix)]
#[test]
fn warns_of_a_plain_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plain.pem");
    let made = std::process::Command::new("openssl")
        .args(["genpkey", "-algorithm", "ed25519", "-out"])
        .arg(&path)
        .status();
    assert!(made.expect("openssl is installed").success());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let world = World::default();
    FileBackend.open_signer(&uri(&path), &world.context()).unwrap();
    assert!(matches!(&world.events()[..], [Event::Warning(text)] if text.contains("chmod 600")));
    let findings = diagnosed(&uri(&path), &world);
    assert!(findings.iter().any(|finding| finding.severity == Severity::Warning));
    assert!(findings.iter().all(|finding| finding.severity != Severity::Problem));
}

fn diagnosed(uri: &KeyUri, world: &World) -> Vec<Finding> {
    let mut findings = Vec::new();
    FileBackend.diagnose(uri, &world.context(), &mut |finding| findings.push(finding));
    findings
}

#[test]
fn the_doctor_asks_nothing_and_names_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with_secret(b"pw");
    let path = generate(directory.path(), "k", KeyType::P384, &world);
    let asked = world.asked();
    let findings = diagnosed(&KeyUri::parse(&path).unwrap(), &world);
    assert_eq!(world.asked(), asked);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Good), "{findings:?}");
    let findings = diagnosed(&uri(&directory.path().join("absent")), &world);
    assert_eq!(findings.last().unwrap().severity, Severity::Problem);
}
