//! `attest-blob` and `verify-blob-attestation`: what each form holds, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::world::World;

const ATTEST: [&str; 4] = ["attest-blob", "--tlog-upload=false", "--key", "key.pem"];
const VERIFY: [&str; 4] = ["verify-blob-attestation", "--insecure-ignore-tlog", "--key", "key.pub"];
const BUNDLE: &str = "blob.sigstore.json";
/// SHA-256 of `blob`.
const DIGEST: &str = "fa2c8cc4f28176bbeed4b736df569a34c79cd3723e9ec42f9674b4d46ac6b8b8";
const PROVENANCE: &str =
    r#"{"buildDefinition":{"buildType":"t"},"runDetails":{"builder":{"id":"b"}},"more":1.50}"#;

fn world() -> Option<World> {
    let world = World::new()?;
    world.write("blob", "blob");
    world.write("predicate", PROVENANCE);
    Some(world)
}

fn attest<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&ATTEST[..], more].concat()
}

fn verify<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&VERIFY[..], more].concat()
}

fn attested() -> Option<World> {
    let world = world()?;
    world.run(&attest(&["--type", "slsaprovenance1", "--predicate", "predicate", "blob"])).ok();
    Some(world)
}

/// The statement in the bundle, as text.
fn statement(world: &World) -> String {
    let bundle: Value = serde_json::from_str(&world.read(BUNDLE)).expect("a bundle is JSON");
    let payload = bundle["dsseEnvelope"]["payload"].as_str().expect("a payload");
    String::from_utf8(STANDARD.decode(payload).expect("base64")).expect("JSON is text")
}

#[test]
fn says_what_it_was_given_about_the_file() {
    let Some(world) = attested() else { return };
    let expected = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v0.1","subject":[{{"name":"blob","digest":{{"sha256":"{DIGEST}"}}}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":"#
    );
    let statement = statement(&world);
    assert!(statement.starts_with(&expected), "{statement}");
    // Fields that the type does not know stay.
    assert!(statement.contains(r#""more":1.5"#), "{statement}");
    let said = world.run(&verify(&["--type", "slsaprovenance1", "blob"])).ok();
    said.says(&["Verified OK", DIGEST, "https://slsa.dev/provenance/v1"]);
    world.run(&verify(&["--type", "https://slsa.dev/provenance/v1", "blob"])).ok();
    let digest = ["--type", "slsaprovenance1", "--bundle", BUNDLE, "--digest", DIGEST];
    world.run(&verify(&digest)).ok();
    world.run(&verify(&[&digest[..], &["--digestAlg", "sha256"]].concat())).ok();
    let by_name = format!("sha256:{DIGEST}");
    world.run(&verify(&["--type", "slsaprovenance1", "--bundle", BUNDLE, &by_name])).ok();
}

#[test]
fn a_file_elsewhere_is_attested_by_its_hash() {
    let Some(world) = world() else { return };
    let by_hash = ["--predicate", "predicate", "--hash", DIGEST, "--bundle", BUNDLE];
    world.run(&attest(&by_hash)).ok();
    world.run(&verify(&["blob"])).ok();
    world.refuse(
        &attest(&[&by_hash[..4], &["--hash", "ab"], &by_hash[4..]].concat()),
        &["--hash is no SHA-256"],
    );
    let wrong = DIGEST.replace('f', "0");
    let words = ["--hash is not the SHA-256 of blob", "hint: "];
    world.refuse(&attest(&["--predicate", "predicate", "--hash", &wrong, "--bundle", "b", "blob"]), &words);
}

#[test]
fn a_whole_statement_is_signed_as_it_is() {
    let Some(world) = world() else { return };
    let text = format!(
        r#"{{ "_type": "https://in-toto.io/Statement/v1", "subject": [{{"name": "x", "digest": {{"sha256": "{DIGEST}"}}}}], "predicateType": "https://example.com/p", "predicate": {{"b": 2, "a": 1}} }}"#
    );
    world.write("statement", &text);
    world.run(&attest(&["--statement", "statement", "--bundle", BUNDLE])).ok();
    assert_eq!(statement(&world), text);
    world.run(&verify(&["--type", "https://example.com/p", "blob"])).ok();
    world.write("other", "other");
    let about_another = ["--statement", "statement", "--bundle", "b", "other"];
    world.refuse(&attest(&about_another), &["cannot attest other with statement", DIGEST]);
    world.write("statement", "{}");
    world.refuse(
        &attest(&["--statement", "statement", "--bundle", "b"]),
        &["cannot attest with statement", "_type"],
    );
}

#[test]
fn older_forms_hold_the_envelope() {
    let Some(world) = world() else { return };
    let old = [
        "--new-bundle-format=false",
        "--predicate",
        "predicate",
        "--bundle",
        "old",
        "--output-attestation",
        "said",
    ];
    let ended = world.run(&attest(&[&old[..], &["blob"]].concat())).ok();
    world.write("envelope", &ended.stdout);
    let envelope: Value = serde_json::from_str(&ended.stdout).expect("an envelope is JSON");
    let payload = STANDARD.decode(envelope["payload"].as_str().expect("a payload")).expect("base64");
    assert_eq!(world.read("said").as_bytes(), payload);
    for form in [["--signature", "envelope"], ["--bundle", "old"]] {
        world.run(&verify(&[&form[..], &["blob"]].concat())).ok();
        world.refuse(
            &verify(&[&form[..], &["--digest", &DIGEST.replace('f', "0")]].concat()),
            &["about other artifacts"],
        );
    }
    let to_file =
        ["--new-bundle-format=false", "--predicate", "predicate", "--output-signature", "file", "blob"];
    assert_eq!(world.run(&attest(&to_file)).ok().stdout, "");
    world.run(&verify(&["--signature", "file", "blob"])).ok();
    world.refuse(
        &attest(&["--predicate", "predicate", "--output-signature", "f", "blob"]),
        &["--new-bundle-format=false"],
    );
}

#[test]
fn refuses_what_is_not_demanded() {
    let Some(world) = attested() else { return };
    let slsa = ["--type", "slsaprovenance1"];
    let words = [
        "of another type",
        "expected https://cosign.sigstore.dev/attestation/v1",
        "found https://slsa.dev/provenance/v1",
    ];
    world.refuse(&verify(&["blob"]), &words);
    world.refuse(&verify(&["--type", "https://slsa.dev/provenance/v1/", "blob"]), &["of another type"]);
    world.refuse(
        &verify(&["--type", "provenance", "blob"]),
        &["neither a known name nor a URI", "slsaprovenance1"],
    );
    world.write("other", "other");
    let other = [&slsa[..], &["--bundle", BUNDLE, "other"]].concat();
    world.refuse(&verify(&other), &["cannot verify other", "about other artifacts", DIGEST]);
    let unchecked = [&slsa[..], &["--check-claims=false", "--bundle", BUNDLE]].concat();
    world.run(&verify(&unchecked)).ok();
    world.refuse(&verify(&slsa), &["what it should be about", "--digest"]);
    world.refuse(&verify(&[&slsa[..], &["--digest", "abcd"]].concat()), &["--digest abcd is no digest"]);
    let by_other = [
        "verify-blob-attestation",
        "--insecure-ignore-tlog",
        "--key",
        "other.pub",
        "--type",
        "slsaprovenance1",
        "blob",
    ];
    world.refuse(&by_other, &["the bundle names another key"]);
    world.sign("other");
    let words = ["cannot verify other", "of another type", "found a signature without attestation"];
    world.refuse(&verify(&["other"]), &words);
}

#[test]
fn refuses_predicates_that_are_not_of_their_type() {
    let Some(world) = world() else { return };
    world.write("text", "SPDXVersion: SPDX-2.3");
    world.write("list", "[1]");
    world.write("twice", r#"{"builder":1,"builder":2,"buildType":"t"}"#);
    for (kind, file, words) in [
        ("cyclonedx", "text", "it is no JSON"),
        ("cyclonedx", "list", "it is no JSON object"),
        ("slsaprovenance", "predicate", "it has no builder"),
        ("slsaprovenance1", "list", "no JSON object"),
        ("vsa", "predicate", "it has no verifier"),
        ("slsaprovenance", "twice", "builder"),
        ("provenance", "predicate", "neither a known name nor a URI"),
        ("custom", "absent", "absent"),
    ] {
        world.refuse(&attest(&["--type", kind, "--predicate", file, "blob"]), &[words]);
    }
    world.run(&attest(&["--type", "spdx", "--predicate", "text", "blob"])).ok();
    assert!(statement(&world).ends_with(r#""predicate":"SPDXVersion: SPDX-2.3"}"#));
    world.run(&verify(&["--type", "spdx", "blob"])).ok();
    let again = ["--type", "spdx", "--predicate", "text", "blob"];
    world.refuse(&attest(&again), &["blob.sigstore.json exists", "-y"]);
    world.refuse(&["attest-blob", "--tlog-upload=false", "--predicate", "text", "blob"], &["needs a key"]);
    world.refuse(&attest(&["blob"]), &["--predicate"]);
    world.refuse(&attest(&["--predicate", "text"]), &["FILE"]);
    world.refuse(&attest(&["--predicate", "text", "--hash", DIGEST]), &["say where with --bundle"]);
}

#[test]
fn a_policy_in_rego_must_agree() {
    let Some(world) = attested() else { return };
    let slsa = |more: &[&str]| -> Vec<String> {
        let all = [&verify(&["--type", "slsaprovenance1"])[..], more, &["blob"]].concat();
        all.into_iter().map(str::to_owned).collect()
    };
    let run = |more: &[&str]| slsa(more);
    world.write(
        "good.rego",
        "package signature\nallow { input.predicate.buildDefinition.buildType == \"t\" }",
    );
    world
        .write("bad.rego", "package signature\nallow { input.predicate.buildDefinition.buildType == \"u\" }");
    world.write("text.rego", "package signature\nallow = \"true\" { true }");
    world.write("other.rego", "package other\nallow { true }");
    world.write("broken.rego", "package signature\nallow {");
    world.write("policy", "allow");
    let good = run(&["--policy", "good.rego"]);
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    world.run(&good).ok().says(&["the attestation satisfies good.rego"]);
    for (policy, words) in [
        ("bad.rego", "the attestation does not satisfy the policy"),
        ("text.rego", "expected data.signature.allow to be true"),
        ("other.rego", "none of them is of the package signature"),
        ("broken.rego", "it is no Rego"),
        ("policy", "neither .rego nor .cue"),
        ("absent.rego", "absent.rego"),
    ] {
        let arguments = run(&["--policy", policy]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        world.refuse(&arguments, &[words]).says_nothing_of(&["Verified OK"]);
    }
}

#[test]
fn a_policy_in_cue_must_agree() {
    let Some(cue) = crate::support::tool("cue", &["version"]) else { return };
    let Some(world) = attested() else { return };
    let beside = std::path::Path::new(cue.get_program()).parent().expect("a directory").display().to_string();
    let verify = |policy: &str| {
        let arguments = verify(&["--type", "slsaprovenance1", "--policy", policy, "blob"]);
        let mut command = world.command(&arguments);
        world.end(command.env("PATH", format!("{beside}:/usr/bin:/bin")).env("HOME", world.root()))
    };
    let build_type = |value: &str| format!("predicate: buildDefinition: buildType: {value}");
    world.write("good.cue", build_type("\"t\""));
    world.write("range.cue", build_type("=~\"^[a-z]$\""));
    for good in ["good.cue", "range.cue"] {
        verify(good).ok().says(&[&format!("the attestation satisfies {good}")]);
    }
    world.write("bad.cue", build_type("\"u\""));
    // CUE's own rule: a field that the policy gives a value need not be in the data, one with ! must.
    world.write("given.cue", "predicate: reviewed: true");
    verify("given.cue").ok();
    world.write("more.cue", "predicate: reviewed!: true");
    world.write("open.cue", "predicate: reviewed: bool");
    for bad in ["bad.cue", "more.cue", "open.cue"] {
        verify(bad).failed(&["does not satisfy the policy"]);
    }
    world.write("broken.cue", "predicate: {");
    verify("broken.cue").failed(&["broken.cue"]).says_nothing_of(&["Verified OK"]);
}

#[test]
fn a_policy_in_cue_needs_its_program() {
    let Some(world) = attested() else { return };
    world.write("p.cue", "predicateType: \"https://slsa.dev/provenance/v1\"");
    let arguments = verify(&["--type", "slsaprovenance1", "--policy", "p.cue", "blob"]);
    world.refuse(&arguments, &["PATH has no program cue", "hint: install CUE"]);
    // A stand-in that says what it was asked; the test above asks the real program.
    std::fs::create_dir(world.path("bin")).expect("a new directory");
    world.script("bin/cue", r#"echo "$@" > asked; cat > given; exit "$(cat answer)""#);
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    world.write("answer", "0");
    let with_cue = |more: (&str, &str)| {
        let mut command = world.command(&arguments);
        command.env("PATH", &path).env(more.0, more.1);
        world.end(&mut command)
    };
    with_cue(("UNUSED", "")).ok().says(&["the attestation satisfies p.cue"]);
    assert_eq!(world.read("asked").trim(), "vet -c p.cue json: -");
    assert_eq!(world.read("given"), statement(&world));
    with_cue(("COUNTERSIGN_NO_COMMANDS", "1")).failed(&["COUNTERSIGN_NO_COMMANDS forbids commands"]);
    world.write("answer", "1");
    with_cue(("UNUSED", "")).failed(&["does not satisfy the policy", "cue ended with exit status: 1"]);
}
