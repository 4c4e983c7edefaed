//! Each test runs itself once more inside the rig, where nothing but its own pcscd and cards is seen.

#![allow(clippy::disallowed_methods, reason = "the rig tells by a variable that it is there")]
#![allow(clippy::print_stderr, reason = "a skipped test says so aloud")]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use countersign_core::conformance::World;
use countersign_core::context::Event;
use countersign_core::error::ErrorKind;
use countersign_core::{Algorithm, Attester, Backend, KeyStore, KeyUri, OpenContext};
use countersign_piv::{PcscReaders, PivBackend, Readers};
use pcsc::{Context, Disposition, Protocols, Scope, ShareMode};

use crate::rig::{PIN, attestation_root, program, says, sign};

/// Where the rig says that its control socket is; set inside it only.
const CONTROL: &str = "COUNTERSIGN_VYK_CONTROL";

/// True inside the rig. Outside, runs the test of this name there and judges how it ended.
fn inside(firmware: &str, name: &str) -> bool {
    if std::env::var_os(CONTROL).is_some() {
        return true;
    }
    let up = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/rigs/virtual-yubikey/up");
    let ran = Command::new(up)
        .args(["--firmware", firmware, "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("pcscd::tests::{name}"), "--nocapture"])
        .env("COUNTERSIGN_VYK", program())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    // The rig's own words for: a program is not installed.
    if ran.status.code() == Some(126) {
        let required = std::env::var_os("REQUIRE_RIGS").is_some_and(|value| value == "1");
        assert!(!required, "REQUIRE_RIGS=1, and the rig lacks something: {said}");
        eprintln!("SKIPPED: the rig of the virtual YubiKey lacks something: {said}");
        return false;
    }
    assert!(ran.status.success(), "{}\n{said}", String::from_utf8_lossy(&ran.stdout));
    false
}

fn control(line: &str) {
    let socket = PathBuf::from(std::env::var_os(CONTROL).unwrap()).join("control");
    let mut stream = UnixStream::connect(socket).unwrap();
    writeln!(stream, "{line}").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("ok\n"), "{line}: {answer}");
}

/// Waits until pcscd shows as many cards.
fn until_cards(count: usize) {
    crate::rig::until(|| {
        PcscReaders
            .list()
            .is_ok_and(|readers| readers.iter().filter(|reader| reader.has_card).count() == count)
    });
}

fn uri(text: &str) -> KeyUri {
    KeyUri::parse(text).unwrap()
}

fn made(backend: &PivBackend, key: &str, algorithm: &str) {
    let world = World::with_secret(PIN);
    backend.generate(&uri(key), Algorithm::parse(algorithm).unwrap(), false, &world.context()).unwrap();
}

/// What another program does with the first card.
fn another_program(mode: ShareMode) -> pcsc::Card {
    let context = Context::establish(Scope::User).unwrap();
    let readers = context.list_readers_owned().unwrap();
    context.connect(&readers[0], mode, Protocols::ANY).unwrap()
}

#[test]
fn a_batch_survives_a_reset_and_a_card_that_was_put_back() {
    if !inside("5.4.3", "a_batch_survives_a_reset_and_a_card_that_was_put_back") {
        return;
    }
    let backend = PivBackend::new();
    // An RSA key and a chain of certificates: commands and answers that come in parts.
    made(&backend, "piv:slot=9d", "rsa-sign-pkcs1-2048-sha256");
    for slot in ["9a", "9c"] {
        let key = format!("piv:slot={slot}");
        made(&backend, &key, "ecdsa-sha2-256-nistp256");
        let world = World::with_secret(PIN);
        let signer = backend.open_signer(&uri(&key), &world.context()).unwrap();
        for file in 0..100 {
            sign(&*signer, &format!("file {file}")).unwrap();
        }
        let mut other = another_program(ShareMode::Shared);
        sign(&*signer, "beside another program").unwrap();
        other.reconnect(ShareMode::Shared, Protocols::ANY, Disposition::ResetCard).unwrap();
        sign(&*signer, "after a reset").unwrap();
        assert!(other.disconnect(Disposition::LeaveCard).is_ok());
        control("remove");
        until_cards(0);
        says(
            &sign(&*signer, "without a card").unwrap_err(),
            ErrorKind::NotPresent,
            "102 signatures were made before",
        );
        control("insert");
        until_cards(1);
        sign(&*signer, "with the card again").unwrap();
        assert_eq!(world.asked(), 1);
    }
    let world = World::with_secret(PIN);
    sign(&*backend.open_signer(&uri("piv:slot=9d"), &world.context()).unwrap(), "rsa").unwrap();
    let chain = backend.attest(&uri("piv:slot=9d"), &world.context()).unwrap();
    backend.verify_attestation(&chain, &[attestation_root()]).unwrap();
    assert_eq!(backend.list(&uri("piv:"), &world.context()).unwrap().len(), 3);
}

#[test]
fn a_card_in_another_programs_hands_is_told() {
    if !inside("5.7.1", "a_card_in_another_programs_hands_is_told") {
        return;
    }
    let backend = PivBackend::new();
    made(&backend, "piv:slot=9e", "ecdsa-sha2-256-nistp256");
    let world = World::with_secret(PIN);
    let other = another_program(ShareMode::Exclusive);
    let refused = backend.open_signer(&uri("piv:slot=9e"), &world.context());
    says(&refused.err().unwrap(), ErrorKind::Busy, "scdaemon");
    assert!(other.disconnect(Disposition::LeaveCard).is_ok());
    // A transaction is waited for, until the deadline.
    let mut other = another_program(ShareMode::Shared);
    let transaction = other.transaction().unwrap();
    let deadline = Some(Instant::now() + Duration::from_millis(700));
    let refused = backend.open_signer(&uri("piv:slot=9e"), &OpenContext { deadline, ..world.context() });
    says(&refused.err().unwrap(), ErrorKind::Timeout, "time limit");
    let waits =
        |event: &Event| matches!(event, Event::Warning(text) if text.contains("another program is using it"));
    assert!(world.events().iter().any(waits), "{:?}", world.events());
    drop(transaction);
    sign(&*backend.open_signer(&uri("piv:slot=9e"), &world.context()).unwrap(), "a").unwrap();
}

#[test]
fn two_cards_and_one_that_is_awaited() {
    if !inside("5.7.1,plain", "two_cards_and_one_that_is_awaited") {
        return;
    }
    let backend = PivBackend::new();
    let world = World::with_secret(PIN);
    says(
        &backend.open_signer(&uri("piv:slot=9e"), &world.context()).err().unwrap(),
        ErrorKind::Ambiguous,
        "no serial number",
    );
    made(&backend, "piv:slot=9e;serial=5000001", "ecdsa-sha2-256-nistp256");
    control("remove");
    until_cards(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            control("insert");
        });
        let context = OpenContext { wait_for_device: true, ..world.context() };
        let signer = backend.open_signer(&uri("piv:slot=9e;serial=5000001"), &context).unwrap();
        sign(&*signer, "a").unwrap();
    });
    assert!(world.events().contains(&Event::WaitingForDevice("YubiKey 5000001".to_owned())));
}
