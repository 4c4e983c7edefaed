//! The commands on keys behind a plugin, and what the plugin is asked for them.

use std::fs;

use super::{KEY, with_a_key, world};
use crate::support::sample_plugin::{KEYS, SamplePlugin};
use crate::support::stdout;

#[test]
fn every_key_signs_and_openssl_agrees() {
    let Some(plugin) = SamplePlugin::with_keys(&KEYS) else { return };
    let world = world(&plugin);
    for key in KEYS {
        let (uri, public, bundle) = (format!("sample://{key}"), format!("{key}.pub"), format!("{key}.json"));
        world.sign(&uri, &bundle);
        world.verify(&uri, &bundle);
        world.ok(&["public-key", "--key", &uri, "--outfile", &public]);
        world.verify(&public, &bundle);
        let arguments =
            ["verify-blob", "--insecure-ignore-tlog", "--key", &uri, "--bundle", &bundle, "changed"];
        world.refuse(&arguments, &["cannot verify changed"]);
        let pem = std::process::Command::new("openssl")
            .args(["pkey", "-pubout", "-in"])
            .arg(plugin.path(&format!("keys/{key}.pem")))
            .output()
            .unwrap();
        assert_eq!(pem.stdout, fs::read(world.path(&public)).unwrap(), "{key}");
    }
}

/// The artifact stays here: a digest goes along, with its hash, and standard input is empty.
#[test]
fn a_digest_is_sent_and_the_public_key_asked_for_once() {
    let Some(plugin) = SamplePlugin::with_keys(&["p384"]) else { return };
    let world = world(&plugin);
    for name in ["a", "b", "c"] {
        fs::write(world.path(name), name).unwrap();
    }
    world.ok(&[&["sign-blob", "--tlog-upload=false", "--key", "sample://p384"][..], &["a", "b", "c"]].concat());
    let asked = plugin.asked();
    let methods: Vec<_> = asked.iter().map(|one| one["methodName"].as_str().unwrap()).collect();
    assert_eq!(methods, ["publicKey", "signMessage", "signMessage", "signMessage"]);
    for one in &asked[1..] {
        assert_eq!((one["version"].as_str(), one["stdin"].as_str()), (Some("v1"), Some("")), "{one}");
        let options = &one["signMessage"]["signOptions"]["messageOptions"];
        assert_eq!((&options["hashFunc"], &one["initOptions"]["hashFunc"]), (&6.into(), &6.into()), "{one}");
        assert_eq!(options["digest"].as_str().unwrap().len(), 64, "{one}");
        assert!(one["initOptions"]["ctxDeadline"].as_str().unwrap().ends_with('Z'), "{one}");
    }
}

#[test]
fn verifying_asks_for_the_public_key_alone() {
    let Some((plugin, world)) = with_a_key() else { return };
    world.sign(KEY, "b.json");
    plugin.asked();
    world.verify(KEY, "b.json");
    assert_eq!(plugin.methods(), ["publicKey"]);
}

#[test]
fn pure_ed25519_sends_the_message() {
    let Some(plugin) = SamplePlugin::with_keys(&["ed25519"]) else { return };
    let world = world(&plugin);
    world.sign("sample://ed25519", "b.json");
    let asked = plugin.asked();
    assert_eq!(asked[1]["stdin"], crate::kms::world::BLOB);
    assert!(asked[1]["signMessage"]["signOptions"]["messageOptions"]["digest"].is_null(), "{}", asked[1]);
}

#[test]
fn what_the_protocol_cannot_say_is_refused_before_signing() {
    let Some(plugin) = SamplePlugin::with_keys(&["rsa2048", "ed25519"]) else { return };
    let world = world(&plugin);
    for (key, algorithm) in
        [("sample://rsa2048", "rsa-sign-pss-2048-sha256"), ("sample://ed25519", "ed25519-ph")]
    {
        world.refuse_sign_with(key, &["--signing-algorithm", algorithm], &["does not do", algorithm]);
        assert_eq!(plugin.methods(), ["publicKey"], "{algorithm}");
    }
    for (arguments, words) in [
        (["keys", "list", "sample://x"], "cannot list"),
        (["keys", "delete", "sample://x"], "no such ability"),
    ] {
        world.refuse(&arguments, &[words]);
        assert!(plugin.methods().is_empty(), "{arguments:?}");
    }
}

#[test]
fn keys_are_made_there_and_never_twice() {
    let Some(plugin) = SamplePlugin::with_keys(&[]) else { return };
    let world = world(&plugin);
    let make = |uri: &'static str, more: &[&'static str]| {
        [&["generate-key-pair", "--kms", uri, "--output-key-prefix", "made", "-y"][..], more].concat()
    };
    world.ok(&make("sample://one", &[]));
    assert_eq!(plugin.methods(), ["publicKey", "supportedAlgorithms", "createKey"]);
    world.sign("sample://one", "b.json");
    world.verify("made.pub", "b.json");
    let before = fs::read(plugin.path("keys/one.pem")).unwrap();
    world.refuse(&make("sample://one", &[]), &["it exists: P-256", "public-key --key"]);
    assert_eq!(fs::read(plugin.path("keys/one.pem")).unwrap(), before);
    world.ok(&make("sample://two", &["--signing-algorithm", "rsa-sign-pkcs1-3072-sha256"]));
    world.sign("sample://two", "b.json");
    world.verify("made.pub", "b.json");
    plugin.asked();
    world.refuse(&make("sample://three", &["--signing-algorithm", "ed25519-ph"]), &["no Ed25519ph"]);
    assert!(plugin.methods().is_empty());
}

/// A plugin may speak of a missing key in words that nobody knows: then only `-y` makes one.
#[test]
fn a_key_that_may_be_there_is_made_only_on_demand() {
    let Some(plugin) = SamplePlugin::with_keys(&[]) else { return };
    let mut world = world(&plugin);
    world.set("SAMPLE_MISSING", "nix da: ");
    let arguments = ["generate-key-pair", "--kms", "sample://one"];
    world.refuse(&arguments, &["nix da", "pass -y"]);
    assert!(!plugin.methods().contains(&"createKey".to_owned()));
    world.ok(&["generate-key-pair", "--kms", "sample://one", "-y"]);
}

#[test]
fn the_doctor_names_the_program_and_the_key() {
    let Some((plugin, world)) = with_a_key() else { return };
    let said = stdout(&world.ok(&["keys", "doctor", KEY]));
    let program = plugin.path("bin/sigstore-kms-sample");
    for words in [program.to_str().unwrap(), "the key is P-256", "it makes keys of: ecdsa-p256", "rsa-2048"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!plugin.methods().contains(&"signMessage".to_owned()));
    world.refuse(&["keys", "doctor", "sample://absent"], &["does not work"]);
}
