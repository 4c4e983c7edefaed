//! Modules and tokens that misbehave, on order: SoftHSM behind the chaos module (`tests/rigs/pkcs11/chaos`).

use std::fs;

use countersign::backends;
use countersign_core::{ErrorKind, HashAlgorithm, KeyType, KeyUri, conformance};

use super::commands::{World, openssl_verifies, refused_sign};
use crate::support::child::in_child_with;
use crate::support::tokens::{Chaos, Kryoptic, PIN, SoftHsm};
use crate::support::{stderr, stdout};

const KEY: &str = "pkcs11:token=countersign;object=p256";

fn chaos() -> Option<(Chaos<SoftHsm>, World)> {
    let chaos = Chaos::over(SoftHsm::new()?)?;
    let world = World::new(&chaos);
    Some((chaos, world))
}

/// Makes twenty files.
fn batch(world: &World) -> Vec<String> {
    let names: Vec<String> = (0..20).map(|number| format!("file{number}")).collect();
    for name in &names {
        fs::write(world.path(name), name).unwrap();
    }
    names
}

/// Signs them in one call, over bundles of an earlier one.
fn sign_batch(names: &[String]) -> Vec<&str> {
    let mut arguments = vec!["sign-blob", "--tlog-upload=false", "-y", "--key", KEY];
    arguments.extend(names.iter().map(String::as_str));
    arguments
}

fn signed(world: &World, names: &[String]) -> usize {
    names.iter().filter(|name| world.path(&format!("{name}.sigstore.json")).exists()).count()
}

#[test]
fn an_error_of_any_call_is_told_with_its_name_and_leaves_nothing() {
    let Some((chaos, world)) = chaos() else { return };
    for function in [
        "C_Initialize",
        "C_GetSlotList",
        "C_GetTokenInfo",
        "C_OpenSession",
        "C_Login",
        "C_FindObjectsInit",
        "C_FindObjects",
        "C_GetAttributeValue",
        "C_GetMechanismList",
        "C_SignInit",
        "C_Sign",
    ] {
        for code in ["0x5", "0x6", "0x30", "0x32", "0xb3", "0x80000042"] {
            chaos.rules(&format!("{function} {code}"));
            let said = world.refuse(&refused_sign(KEY), Some(PIN), &[]);
            assert!(said.contains("Error: cannot "), "{function} {code}: {said}");
            let named = said.contains(function) || function == "C_GetTokenInfo" && code == "0xb3";
            assert!(named, "{function} {code}: {said}");
        }
    }
}

/// E.2 31: once, whatever the token says.
#[test]
fn a_failed_login_is_tried_once_whatever_the_code() {
    let Some((chaos, world)) = chaos() else { return };
    for code in ["0x5", "0x6", "0xa0", "0xa4", "0x30"] {
        let before = chaos.count("C_Login");
        chaos.rules(&format!("C_Login {code}"));
        world.refuse(&refused_sign(KEY), Some(PIN), &["C_Login"]);
        assert_eq!(chaos.count("C_Login") - before, 1, "{code}");
    }
}

#[test]
fn a_batch_logs_in_once_and_nobody_is_logged_out() {
    let Some((chaos, world)) = chaos() else { return };
    let names = batch(&world);
    world.ok(&sign_batch(&names), Some(PIN));
    assert_eq!((signed(&world, &names), chaos.count("C_Login")), (20, 1));
    for never in ["C_Logout", "C_Finalize"] {
        assert_eq!(chaos.count(never), 0, "{never}");
    }
    // Verifying and the public key need no login at all.
    let bundle = format!("{}.sigstore.json", names[0]);
    let verify = ["verify-blob", "--insecure-ignore-tlog", "--key", KEY, "--bundle", &bundle, &names[0]];
    world.ok(&verify, None);
    world.ok(&["public-key", "--key", KEY], None);
    assert_eq!(chaos.count("C_Login"), 1);
}

#[test]
fn a_lost_session_is_opened_again_once() {
    let Some((chaos, world)) = chaos() else { return };
    chaos.rules("sessions lost after=9");
    let names = batch(&world);
    world.ok(&sign_batch(&names), Some(PIN));
    assert_eq!((signed(&world, &names), chaos.count("C_Login")), (20, 2));
}

#[test]
fn a_token_that_is_pulled_out_ends_the_batch_with_what_was_done() {
    let Some((chaos, world)) = chaos() else { return };
    chaos.rules("token removed after=9");
    let names = batch(&world);
    let output = world.run(&sign_batch(&names), Some(PIN));
    let done = signed(&world, &names);
    assert!(!output.status.success() && (1..20).contains(&done), "{done} signed");
    assert!(stderr(&output).contains(&format!("Signed {done} of 20 files")), "{}", stderr(&output));
}

#[test]
fn a_token_with_few_sessions_serves_a_batch() {
    let Some((chaos, world)) = chaos() else { return };
    for most in [1, 2] {
        chaos.rules(&format!("sessions max={most}"));
        let names = batch(&world);
        world.ok(&sign_batch(&names), Some(PIN));
        assert_eq!(signed(&world, &names), 20);
    }
}

#[test]
fn reads_the_point_in_three_forms_and_refuses_others() {
    let Some((chaos, world)) = chaos() else { return };
    let plain = stdout(&world.ok(&["public-key", "--key", KEY], None));
    for form in ["raw", "octet", "bit"] {
        chaos.rules(&format!("point {form}"));
        assert_eq!(stdout(&world.ok(&["public-key", "--key", KEY], None)), plain, "{form}");
        world.sign(KEY, "point.json", Some(PIN));
    }
    for form in ["compressed", "garbage"] {
        chaos.rules(&format!("point {form}"));
        world.refuse(&["public-key", "--key", KEY], None, &["Error: cannot "]);
    }
}

#[test]
fn refuses_keys_that_cannot_be_told_apart() {
    let Some((chaos, world)) = chaos() else { return };
    chaos.rules("labels same=twin");
    world.refuse(&refused_sign("pkcs11:object=twin"), Some(PIN), &["7 match", "id=%01"]);
    world.refuse(&["public-key", "--key", "pkcs11:object=twin"], None, &["cannot choose a public key"]);
    world.sign("pkcs11:object=twin;id=%01", "twin.json", Some(PIN));
    // Keys without an id are paired by their label.
    chaos.rules("no-id");
    world.sign(KEY, "no-id.json", Some(PIN));
}

/// E.2 29: wrong and truncated. `signatures.rs` has those of another key and with leading zeros.
#[test]
fn a_wrong_signature_never_leaves() {
    let Some((chaos, world)) = chaos() else { return };
    chaos.rules("C_Sign corrupt");
    world.refuse(&refused_sign(KEY), Some(PIN), &["is withheld"]);
    chaos.rules("C_Sign short");
    world.refuse(&refused_sign(KEY), Some(PIN), &["Error: cannot "]);
}

/// E.2 31: the last try is not used without the flag.
#[test]
fn flags_are_read_before_the_pin_is_spent() {
    let Some((chaos, world)) = chaos() else { return };
    // PKCS#11 v3.0 3.2: CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED, CKF_USER_PIN_INITIALIZED.
    for (rule, words) in [
        ("flags set=0x20000", "--allow-final-pin-try"),
        ("flags set=0x40000", "locked"),
        ("flags clear=0x8", "user PIN was never set"),
    ] {
        chaos.rules(rule);
        world.refuse(&refused_sign(KEY), Some(PIN), &[words]);
    }
    assert_eq!(chaos.count("C_Login"), 0);
    chaos.rules("flags set=0x20000");
    let last = [&refused_sign(KEY)[..], &["--allow-final-pin-try"]].concat();
    world.ok(&last, Some(PIN));
}

#[test]
fn logs_in_to_verify_only_if_the_token_hides_the_public_key() {
    let Some((chaos, world)) = chaos() else { return };
    world.sign(KEY, "hidden.json", Some(PIN));
    chaos.rules("hide public");
    let verify = ["verify-blob", "--insecure-ignore-tlog", "--key", KEY, "--bundle", "hidden.json", "blob"];
    world.refuse(&verify, None, &["no PIN was given"]);
    let said = stderr(&world.ok(&verify, Some(PIN)));
    assert!(said.contains("so its PIN is needed"), "{said}");
    chaos.rules("hide public always\nhide private-info");
    world.refuse(&refused_sign(KEY), Some(PIN), &["cannot find the public half"]);
    chaos.rules("cannot-sign");
    world.refuse(&refused_sign(KEY), Some(PIN), &["Error: cannot "]);
}

#[test]
fn signs_on_a_token_whose_description_cannot_be_read() {
    let Some((chaos, world)) = chaos() else { return };
    chaos.rules("token-info utctime=garbage");
    world.sign("pkcs11:object=p256", "garbage.json", Some(PIN));
    chaos.rules("token-info label=NUL");
    world.sign(KEY, "nul.json", Some(PIN));
}

#[test]
fn a_mechanism_that_is_missing_is_said_before_signing() {
    let Some((chaos, world)) = chaos() else { return };
    // CKM_ECDSA.
    chaos.rules("hide mechanism 0x1041\nhide mechanism 0x1044");
    world.refuse(&refused_sign(KEY), Some(PIN), &["no mechanism that signs"]);
    assert_eq!(chaos.count("C_SignInit"), 0);
}

/// E.2 35: in whichever call it hangs.
#[test]
fn a_module_that_hangs_is_left_at_the_time_limit() {
    let Some((chaos, world)) = chaos() else { return };
    for function in ["C_Initialize", "C_GetSlotList", "C_OpenSession", "C_Login", "C_FindObjects", "C_Sign"] {
        chaos.rules(&format!("{function} hang"));
        let mut arguments = refused_sign(KEY).to_vec();
        arguments.extend(["--timeout", "1s"]);
        world.refuse(&arguments, Some(PIN), &["did not answer within the time limit", "keys doctor"]);
    }
    chaos.rules("C_FindObjects hang");
    for arguments in [&["public-key", "--key", KEY][..], &["keys", "list", "pkcs11:"]] {
        let arguments = [arguments, &["--timeout", "1s"]].concat();
        world.refuse(&arguments, None, &["did not answer within the time limit"]);
    }
    // What was signed before it hung stays, whole.
    let names = batch(&world);
    chaos.rules("C_Sign hang after=9");
    let mut arguments = sign_batch(&names);
    arguments.extend(["--timeout", "5s"]);
    world.refuse(&arguments, Some(PIN), &["did not answer within the time limit"]);
    assert_eq!(signed(&world, &names), 9);
    chaos.rules("C_CloseSession hang");
    world.sign(KEY, "closed.json", Some(PIN));
}

/// The limit is one file's: twenty at two fifths of a second each on one session outlast six seconds, and of the eight that
/// are under way at once none waits for half of that.
#[test]
fn a_batch_may_last_longer_than_one_file() {
    let Some((chaos, world)) = chaos() else { return };
    let names = batch(&world);
    chaos.rules("C_Sign sleep=400\nsessions max=1");
    let mut arguments = sign_batch(&names);
    arguments.extend(["--timeout", "6s"]);
    world.ok(&arguments, Some(PIN));
    assert_eq!(signed(&world, &names), 20);
}

/// E.2 33 and 35: the module crashes or hangs in a process of its own, and the doctor tells where.
#[test]
fn the_doctor_outlives_a_module_that_crashes_or_hangs() {
    let Some((chaos, world)) = chaos() else { return };
    for (rule, last, how) in [
        ("load crash", "may be loaded", "crashed (SIGSEGV)"),
        ("C_Initialize crash", "may be loaded", "crashed (SIGSEGV)"),
        ("C_GetTokenInfo crash", "it was loaded and started", "crashed (SIGSEGV)"),
        ("C_GetTokenInfo hang", "it was loaded and started", "did not answer within the time limit"),
    ] {
        chaos.rules(rule);
        let output = world.run(&["keys", "doctor", KEY, "--timeout", "2s", "--report=doctor.json"], None);
        let said = stdout(&output);
        assert!(!output.status.success() && said.contains(last), "{rule}: {said}");
        assert!(said.contains(how), "{rule}: {said}");
        assert!(said.contains("libchaos.so"), "{rule}: the module is not named: {said}");
        let report = fs::read_to_string(world.path("doctor.json")).unwrap();
        assert!(report.contains(how), "{rule}: {report}");
    }
}

/// E.2 33: where no process of its own stands between, what was written is whole.
#[test]
fn a_module_that_crashes_leaves_nothing_half_written() {
    let Some((chaos, world)) = chaos() else { return };
    let names = batch(&world);
    chaos.rules("C_Sign crash after=9");
    assert!(!world.run(&sign_batch(&names), Some(PIN)).status.success());
    // Several are under way at once: of those that were signed, some may not have been written yet.
    let whole = signed(&world, &names);
    assert!(whole <= 9, "{whole}");
    chaos.rules("");
    for name in names.iter().filter(|name| world.path(&format!("{name}.sigstore.json")).exists()) {
        let bundle = format!("{name}.sigstore.json");
        world.ok(&["verify-blob", "--key", KEY, "--insecure-ignore-tlog", "--bundle", &bundle, name], None);
    }
    let left = fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
    // A crash leaves no time to remove the files that others were being written to; none of them bears a bundle's name.
    let unfinished = left.iter().filter(|name| name.starts_with(".countersign-")).count();
    assert!(whole + unfinished <= names.len(), "{left:?}");
    assert_eq!(left.len() - unfinished, 2 + names.len() + whole, "something else was left: {left:?}");
}

/// E.2 31: a PIN that was refused is not sent again.
#[test]
fn a_wrong_pin_is_not_sent_again_in_one_run() {
    let test = "pkcs11::faults::a_wrong_pin_is_not_sent_again_in_one_run";
    if !in_child_with(test, || SoftHsm::new().and_then(Chaos::over)) {
        return;
    }
    let module = std::env::var("COSIGN_PKCS11_MODULE_PATH").unwrap();
    let uri = KeyUri::parse(&format!("{KEY}?module-path={module}")).unwrap();
    let backend = backends::find(&uri).unwrap();
    let logins = || {
        let log = fs::read_to_string(std::env::var("CHAOS_LOG").unwrap()).unwrap();
        log.lines().filter(|line| line.contains("C_Login")).count()
    };
    let refused = |pin: &str| {
        let world = conformance::World::with_secret(pin.as_bytes());
        let error = backend.open_signer(&uri, &world.context()).err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::WrongPin { .. }), "{error}");
    };
    refused("000000");
    refused("000000");
    assert_eq!(logins(), 1, "the same PIN was sent again");
    refused("000001");
    assert_eq!(logins(), 2, "another PIN is sent");
    let world = conformance::World::with_secret(PIN.as_bytes());
    assert!(backend.open_signer(&uri, &world.context()).is_ok());
}

/// Modules of HSMs that sign messages only: the digest mechanisms are hidden, and those that hash are left.
#[test]
fn a_module_that_hashes_itself_gets_the_message() {
    let Some(chaos) = SoftHsm::new().and_then(Chaos::over) else { return };
    // CKM_RSA_PKCS and CKM_RSA_PKCS_PSS.
    chaos.rules("hide mechanism 0x1\nhide mechanism 0xd");
    signs_messages(&World::new(&chaos), "rsa2048", KeyType::Rsa2048, &["", "rsa-sign-pss-2048-sha256"]);
    let Some(chaos) = Kryoptic::new().and_then(Chaos::over) else { return };
    // CKM_ECDSA.
    chaos.rules("hide mechanism 0x1041");
    signs_messages(&World::new(&chaos), "p256", KeyType::P256, &[""]);
    signs_messages(&World::new(&chaos), "p384", KeyType::P384, &[""]);
}

fn signs_messages(world: &World, object: &str, key_type: KeyType, algorithms: &[&str]) {
    let key = format!("pkcs11:token=countersign;object={object}");
    fs::write(world.path("key.pub"), world.ok(&["public-key", "--key", &key], None).stdout).unwrap();
    for algorithm in algorithms {
        let chosen = format!("--signing-algorithm={algorithm}");
        let chosen = if algorithm.is_empty() { vec![] } else { vec![chosen.as_str()] };
        let mut sign =
            vec!["sign-blob", "--tlog-upload=false", "--key", &key, "--bundle", "hashed.json", "blob"];
        sign.extend(&chosen);
        world.ok(&sign, Some(PIN));
        let mut verify =
            vec!["verify-blob", "--insecure-ignore-tlog", "--key", "key.pub", "--bundle", "hashed.json"];
        verify.extend(&chosen);
        world.ok(&[&verify[..], &["blob"]].concat(), None);
        world.refuse(&[&verify[..], &["changed"]].concat(), None, &["for another artifact"]);
        if algorithm.is_empty() {
            assert!(
                openssl_verifies(world, key_type, &world.path("key.pub"), "hashed.json", "blob"),
                "{key}"
            );
        }
    }
    let digest = HashAlgorithm::Sha256.digest(b"to be signed").to_string();
    let mut refused = refused_sign(&key);
    refused[6] = &digest;
    world.refuse(&refused, Some(PIN), &[]);
}

/// PKCS#11 v3.0 5.6.8: each signature of such a key wants a login of its own, between C_SignInit and the signature.
#[test]
fn a_key_that_always_authenticates_gets_its_own_login_each_time() {
    let Some(chaos) = Kryoptic::new().and_then(Chaos::over) else { return };
    let world = World::new(&chaos);
    let names = batch(&world);
    chaos.rules("always-authenticate");
    world.ok(&sign_batch(&names), Some(PIN));
    assert_eq!(signed(&world, &names), 20);
    // One login as the user, and one for each signature.
    assert_eq!(chaos.count("C_Login"), 21);
    for name in &names {
        let bundle = format!("{name}.sigstore.json");
        world.ok(&["verify-blob", "--key", KEY, "--insecure-ignore-tlog", "--bundle", &bundle, name], None);
    }
    chaos.rules("always-authenticate\nC_Login 0xa0 user=2");
    world.refuse(&refused_sign(KEY), Some(PIN), &["CKR_PIN_INCORRECT"]);
}
