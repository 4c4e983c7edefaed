//! What a plugin does wrong, and what is said of it: E.2 29, 32, 35. Nothing is ever written.

use std::path::Path;

use super::{KEY, with_a_key};

/// E.2 32: a status other than zero with a good answer, an error with status zero, junk. The words for each fault in the answer to each method that signing uses.
#[test]
fn a_wrong_answer_is_refused() {
    let Some((plugin, mut world)) = with_a_key() else { return };
    for (fault, words) in [
        ("exit", "ended with exit status: 7"),
        ("signal", "ended with signal: 9"),
        ("error", "says: the HSM is on fire"),
        ("error-and-exit", "says: the HSM is on fire"),
        ("junk", "is not that of a plugin, at line 1 column"),
        ("trailing", "is not that of a plugin, at line 1 column"),
        ("silent", "is not that of a plugin"),
        ("flood", "writes more than 262144 bytes, and was stopped"),
    ] {
        world.set("SAMPLE_ERROR", "the HSM\n\u{1b}is on fire");
        for (method, act) in [("publicKey", "cannot open"), ("signMessage", "cannot sign with")] {
            world.set("SAMPLE_FAULT", &format!("{fault}:{method}"));
            world.refuse_sign(KEY, &[act, words]);
            assert_eq!(plugin.methods().last().map(String::as_str), Some(method), "{fault}: asked once");
        }
    }
}

#[test]
fn an_answer_without_what_was_asked_for_is_refused() {
    let Some((_plugin, mut world)) = with_a_key() else { return };
    for (fault, words) in [
        ("empty:publicKey", "has no \"publicKey\" that can be read"),
        ("empty:signMessage", "has no \"signMessage\" that can be read"),
        ("not-base64:publicKey", "has no \"publicKey\" that can be read"),
        ("not-base64:signMessage", "has no \"signMessage\" that can be read"),
        ("not-a-key:publicKey", "damaged or not a key"),
    ] {
        world.set("SAMPLE_FAULT", fault);
        world.refuse_sign(KEY, &[words]);
    }
}

/// E.2 29: sound but of something else, and torn.
#[test]
fn a_wrong_signature_is_withheld() {
    let Some((_plugin, mut world)) = with_a_key() else { return };
    // A sound signature, of the hash of its empty standard input.
    for (fault, words) in [
        ("hashes-by-itself", "the signature made with sample://p256 is withheld"),
        ("torn-signature", "cannot sign with sample://p256: cannot decode an ECDSA signature"),
    ] {
        world.set("SAMPLE_FAULT", &format!("{fault}:signMessage"));
        world.refuse_sign(KEY, &[words]);
    }
}

#[test]
fn another_version_of_the_protocol_is_named() {
    let Some((_plugin, mut world)) = with_a_key() else { return };
    world.set("SAMPLE_SPEAKS", "v2");
    world.refuse_sign(KEY, &["unsupported protocol version: v1", "countersign speaks v1"]);
}

/// E.2 32 and 35: with its answer or without one, a plugin that does not end is killed.
#[test]
fn a_plugin_that_hangs_is_stopped() {
    let Some((plugin, mut world)) = with_a_key() else { return };
    let file = plugin.path("pid");
    world.set("SAMPLE_PID", file.to_str().unwrap());
    for fault in ["hang:publicKey", "hang:signMessage", "hang-closed:publicKey"] {
        world.set("SAMPLE_FAULT", fault);
        world.refuse_sign_with(
            KEY,
            &["--timeout", "4s"],
            &["the time limit passed", "was stopped", "--timeout"],
        );
        let pid = std::fs::read_to_string(&file).unwrap();
        assert!(!Path::new("/proc").join(&pid).exists(), "{fault}: {pid} still runs");
        std::fs::remove_file(&file).unwrap();
    }
}

/// What a plugin leaves behind may keep its output open: nobody waits for that beyond the limit.
#[test]
fn a_child_of_a_plugin_holds_nobody_up() {
    let Some((_plugin, mut world)) = with_a_key() else { return };
    world.set("SAMPLE_FAULT", "child:publicKey");
    world.refuse_sign_with(KEY, &["--timeout", "4s"], &["the time limit passed", "--timeout"]);
}

#[test]
fn faults_while_making_a_key() {
    let Some((_plugin, mut world)) = with_a_key() else { return };
    for (fault, words) in [
        ("exit:createKey", "ended with exit status: 7"),
        ("empty:createKey", "has no \"createKey\""),
        ("empty:supportedAlgorithms", "has no \"supportedAlgorithms\""),
        ("not-a-key:createKey", "damaged or not a key"),
    ] {
        world.set("SAMPLE_FAULT", fault);
        let uri = format!("sample://{}", fault.replace(':', "-"));
        world.refuse(&["generate-key-pair", "--kms", &uri], &["cannot make the key", words]);
        assert!(!world.path("cosign.pub").exists(), "{fault}");
    }
}
