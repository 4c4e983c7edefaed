//! What a user does with a card, from the first key to a batch.

use std::fs;

use super::world::World;
use crate::support::cards::{attestation_root, control, in_rig};
use crate::support::{stderr, stdout};

#[test]
fn a_key_is_made_signs_and_is_verified_here_and_by_cosign() {
    let test = "piv::commands::a_key_is_made_signs_and_is_verified_here_and_by_cosign";
    if !in_rig(test, &["--firmware", "5.4.3", "--serial", "7654321"]) {
        return;
    }
    let world = World::new();
    let made =
        world.ok(&["piv-tool", "generate-key", "--slot", "signature", "-f", "--touch-policy", "never"], None);
    assert!(stderr(&made).contains("piv:slot=9c;serial=7654321"), "{}", stderr(&made));
    assert!(stderr(&made).contains("factory's management key"), "{}", stderr(&made));
    fs::write(world.path("key.pub"), &made.stdout).unwrap();
    for key in
        [&["--key", "piv:"][..], &["--sk"], &["--sk", "--slot", "signature"], &["--key", "yubikey:slot=9c"]]
    {
        assert_eq!(world.ok(&[&["public-key"], key].concat(), None).stdout, made.stdout, "{key:?}");
    }
    let signed =
        world.ok(&["sign-blob", "--sk", "--tlog-upload=false", "--bundle", "b.json", "blob"], Some("123456"));
    assert!(stderr(&signed).contains("factory's PIN"), "{}", stderr(&signed));
    let verify = ["verify-blob", "--insecure-ignore-tlog", "--bundle", "b.json"];
    for key in [&["--key", "key.pub"][..], &["--sk"], &["--key", "piv:slot=9c"]] {
        world.ok(&[&verify, key, &["blob"]].concat(), None);
        world.refuse(&[&verify, key, &["changed"]].concat(), None, &["another artifact"]);
    }
    world.cosign(&[&verify[..], &["--key", "key.pub", "blob"]].concat(), true);
    world.cosign(&[&verify[..], &["--key", "key.pub", "changed"]].concat(), false);
    // One card in one reader: Cosign's own --sk reads it.
    world.cosign(&[&verify[..], &["--sk", "blob"]].concat(), true);
    let listed = stdout(&world.ok(&["keys", "list", "piv:"], None));
    assert!(listed.contains("piv:slot=9c;serial=7654321\tP-256\tsha256:"), "{listed}");
    assert!(listed.contains("made on the device") && listed.contains("touch never"), "{listed}");
    let doctor = stdout(&world.ok(&["keys", "doctor", "piv:slot=9c"], None));
    for word in ["7654321", "5.4.3", "3 of 3", "P-256"] {
        assert!(doctor.contains(word), "{word}: {doctor}");
    }
}

#[test]
fn cosign_signs_with_the_card_and_we_verify() {
    if !in_rig("piv::commands::cosign_signs_with_the_card_and_we_verify", &["--firmware", "5.4.3"]) {
        return;
    }
    let world = World::new();
    let made = world
        .ok(&["piv-tool", "generate-key", "-f", "--touch-policy", "never", "--pin-policy", "never"], None);
    fs::write(world.path("key.pub"), &made.stdout).unwrap();
    let offline = ["--tlog-upload=false", "--use-signing-config=false"];
    world
        .cosign(&[&["sign-blob", "--sk", "--bundle", "theirs.json"], &offline[..], &["blob"]].concat(), true);
    for key in [&["--key", "key.pub"][..], &["--sk"]] {
        let verify = ["verify-blob", "--insecure-ignore-tlog", "--bundle", "theirs.json"];
        world.ok(&[&verify, key, &["blob"]].concat(), None);
        world.refuse(&[&verify, key, &["changed"]].concat(), None, &["another artifact"]);
    }
}

#[test]
fn a_hundred_files_ask_for_one_pin() {
    if !in_rig("piv::commands::a_hundred_files_ask_for_one_pin", &["--firmware", "5.7.1"]) {
        return;
    }
    let world = World::new();
    let generate = ["piv-tool", "generate-key", "-f", "--touch-policy", "never", "--pin-policy", "once"];
    world.ok(&generate, None);
    let names: Vec<String> = (0..100).map(|number| format!("file{number}")).collect();
    for name in &names {
        fs::write(world.path(name), name).unwrap();
    }
    let mut arguments = vec!["sign-blob", "--key", "piv:", "--tlog-upload=false"];
    arguments.extend(names.iter().map(String::as_str));
    let before = world.pins_sent();
    let said = stderr(&world.ok(&arguments, Some("123456")));
    assert!(said.contains("Signed 100 of 100 files"), "{said}");
    assert_eq!(world.pins_sent() - before, 1);
    // A card that is pulled out in a batch: what was done is told, and nothing is half written.
    control("fault removed after=40");
    arguments.insert(1, "-y");
    let said = world.refuse(&arguments, Some("123456"), &["of 100 files"]);
    assert!(said.contains("pulled out") || said.contains("removed"), "{said}");
}

#[test]
fn an_attestation_proves_where_the_key_was_made() {
    if !in_rig(
        "piv::commands::an_attestation_proves_where_the_key_was_made",
        &["--firmware", "5.7.1", "--serial", "99"],
    ) {
        return;
    }
    let world = World::new();
    world.ok(&["piv-tool", "generate-key", "--slot", "9a", "-f", "--touch-policy", "cached"], None);
    fs::write(world.path("root.der"), attestation_root()).unwrap();
    world.openssl(&["x509", "-inform", "der", "-in", "root.der", "-out", "root.pem"]);
    let chain = world.ok(&["keys", "attest", "piv:slot=9a"], None).stdout;
    fs::write(world.path("chain.pem"), &chain).unwrap();
    world.refuse(&["keys", "verify-attestation", "chain.pem"], None, &["no root that is known", "--root"]);
    let verify = ["keys", "verify-attestation", "chain.pem", "--root", "root.pem"];
    let proof =
        stdout(&world.ok(&[&verify[..], &["--key", "piv:slot=9a", "--report=r.json"]].concat(), None));
    for word in ["99", "5.7.1", "9a", "cached"] {
        assert!(proof.contains(word), "{word}: {proof}");
    }
    assert!(fs::read_to_string(world.path("r.json")).unwrap().contains("\"attestation\""));
    world.ok(&["piv-tool", "generate-key", "--slot", "9d", "-f", "--touch-policy", "never"], None);
    world.refuse(&[&verify[..], &["--key", "piv:slot=9d"]].concat(), None, &["for another key"]);
    let tool = ["piv-tool", "attestation", "--slot", "authentication", "--root", "root.pem"];
    assert!(stdout(&world.ok(&tool, None)).contains("serial"));
    let json = world.ok(&[&tool[..], &["-o", "json"]].concat(), None).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert!(json["KeyCertPem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn keys_and_certificates_come_from_elsewhere_too() {
    if !in_rig("piv::commands::keys_and_certificates_come_from_elsewhere_too", &["--firmware", "5.7.1"]) {
        return;
    }
    let world = World::new();
    for (slot, options) in [
        ("9a", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"][..]),
        ("82", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]),
        ("83", &["-algorithm", "ED25519"]),
    ] {
        world.openssl(&[&["genpkey", "-out", "key.pem"], options].concat());
        world.openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]);
        let uri = format!("piv:slot={slot}?pin-policy=once&touch-policy=never");
        world.ok(&["keys", "import", &uri, "key.pem"], None);
        let key = format!("piv:slot={slot}");
        world.refuse(&["keys", "import", &uri, "key.pem"], None, &["which is kept"]);
        let sign = ["sign-blob", "--tlog-upload=false", "--bundle", "b.json", "--key", &key, "blob"];
        world.ok(&sign, Some("123456"));
        let verify = ["verify-blob", "--insecure-ignore-tlog", "--bundle", "b.json", "--key"];
        world.ok(&[&verify[..], &["key.pub", "blob"]].concat(), None);
        world.ok(&[&verify[..], &[&key, "blob"]].concat(), None);
        // A request signed by the card, a certificate from it, and the bundle that carries it.
        let request = world.ok(&["keys", "csr", &key, "--subject", "CN=release,O=Example"], Some("123456"));
        fs::write(world.path("request.pem"), &request.stdout).unwrap();
        let shown = world.openssl(&["req", "-in", "request.pem", "-verify", "-noout", "-subject"]);
        assert!(stdout(&shown).contains("CN = release"), "{}", stdout(&shown));
        world.openssl(&[
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj",
            "/CN=ca",
        ]);
        world.openssl(&[
            "x509",
            "-req",
            "-in",
            "request.pem",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-out",
            "cert.pem",
        ]);
        world.ok(&["keys", "import-certificate", &key, "cert.pem"], None);
        let pem = fs::read(world.path("cert.pem")).unwrap();
        assert_eq!(world.ok(&["keys", "certificate", &key], None).stdout, pem);
        world.ok(&sign, Some("123456"));
        assert!(fs::read_to_string(world.path("b.json")).unwrap().contains("\"certificate\""));
        world.ok(&[&verify[..], &["key.pub", "blob"]].concat(), None);
        world.refuse(&["keys", "delete", &key], None, &["not confirmed"]);
        world.ok(&["keys", "delete", "-y", &key], None);
        world.refuse(&sign, Some("123456"), &["empty"]);
    }
}
