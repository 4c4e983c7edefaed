//! Policy files over keys: two of three, everybody, keys with a time; and what goes with one and what does not.

use super::world::{World, chmod, genpkey, openssl};

/// A world with `blob`, keys `a`, `b` and `c`, and a bundle of each.
fn world() -> Option<World> {
    let world = World::new()?;
    world.write("blob", "blob");
    std::fs::create_dir(world.path("keys")).expect("a new directory");
    for name in ["a", "b", "c"] {
        let key = genpkey(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        world.write(&format!("{name}.pem"), &key);
        chmod(&world.path(&format!("{name}.pem")), 0o600);
        world.write(&format!("keys/{name}.pub"), openssl(&["pkey", "-pubout"], &key));
        let (key, bundle) = (format!("{name}.pem"), format!("{name}.json"));
        world.run(&["sign-blob", "--tlog-upload=false", "--key", &key, "--bundle", &bundle, "blob"]).ok();
    }
    Some(world)
}

const SIGNERS: &str = "version: 1\nsigners:\n  a: {key: a.pub}\n  b: {key: b.pub}\n  c: {key: c.pub}\n";

fn policy(world: &World, rule: &str) {
    world.write("keys/policy.yaml", format!("{SIGNERS}{rule}\n"));
}

fn verify<'a>(bundles: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["verify-blob", "--policy-file", "keys/policy.yaml"];
    arguments.extend(bundles.iter().flat_map(|bundle| ["--bundle", bundle]));
    arguments.push("blob");
    arguments
}

#[test]
fn two_of_three_must_have_signed() {
    let Some(world) = world() else { return };
    policy(&world, "require: {at-least: 2, of: [a, b, c]}");
    for pair in [["a.json", "b.json"], ["c.json", "a.json"]] {
        world.run(&verify(&pair)).ok().says(&["Verified OK"]);
    }
    world.run(&verify(&["a.json", "b.json", "c.json"])).ok();
    let words = [
        "cannot verify blob",
        "the policy is not satisfied",
        "signatures by 2 of (a, b, c)",
        "policy explain",
    ];
    world.refuse(&verify(&["a.json"]), &words);
    world.refuse(&verify(&["a.json", "a.json"]), &words);
    // Under a fourth key, and of another file.
    world.run(&["sign-blob", "--tlog-upload=false", "--key", "key.pem", "--bundle", "d.json", "blob"]).ok();
    world.refuse(&verify(&["a.json", "d.json"]), &words);
    world.write("other", "other");
    world.run(&["sign-blob", "--tlog-upload=false", "--key", "b.pem", "--bundle", "e.json", "other"]).ok();
    world.refuse(&verify(&["a.json", "e.json"]), &["the bundle is for another artifact"]);
    policy(&world, "require: {all: [a, {any: [b, c]}]}");
    world.run(&verify(&["a.json", "c.json"])).ok();
    world.refuse(&verify(&["b.json", "c.json"]), &["all of (a, any of (b, c))"]);
}

#[test]
fn one_key_under_two_names_is_one_signer() {
    let Some(world) = world() else { return };
    world.write("keys/b.pub", world.read("keys/a.pub"));
    policy(&world, "require: {at-least: 2, of: [a, b, c]}");
    world.refuse(&verify(&["a.json"]), &["the policy is not satisfied"]);
    world.run(&verify(&["a.json", "c.json"])).ok();
}

#[test]
fn attestations_are_demanded_beside_signatures() {
    let Some(world) = world() else { return };
    world.write("predicate", "tests passed");
    world.write("keys/rule.rego", "package signature\nallow { contains(input.predicate.Data, \"passed\") }");
    let attest = [
        "attest-blob",
        "--tlog-upload=false",
        "--key",
        "b.pem",
        "--predicate",
        "predicate",
        "--bundle",
        "t.json",
        "blob",
    ];
    world.run(&attest).ok();
    policy(&world, "require: {any: [a, c]}\nattestations:\n  - {type: custom, by: b, policies: [rule.rego]}");
    world.run(&verify(&["a.json", "t.json"])).ok();
    world.refuse(
        &verify(&["a.json"]),
        &["attestations of the type https://cosign.sigstore.dev/attestation/v1 by b"],
    );
    world.refuse(&verify(&["t.json"]), &["signatures by any of (a, c)"]);
    world.write("keys/rule.rego", "package signature\nallow { contains(input.predicate.Data, \"failed\") }");
    world.refuse(&verify(&["a.json", "t.json"]), &["the attestation does not satisfy the policy"]);
    policy(
        &world,
        "require: {any: [a, c]}\nattestations:\n  - {type: custom, by: b, policies: [absent.rego]}",
    );
    world.refuse(&verify(&["a.json", "t.json"]), &["absent.rego"]);
}

#[test]
fn a_key_with_a_time_needs_a_proven_one() {
    let Some(world) = world() else { return };
    let signers = SIGNERS.replace("{key: a.pub}", "{key: a.pub, valid-until: 2030-01-01T00:00:00Z}");
    world.write("keys/policy.yaml", format!("{signers}require: {{any: [a, {{all: [b, c]}}]}}\n"));
    world.refuse(&verify(&["a.json"]), &["the key was used outside its window", "found no proven time"]);
    world.run(&verify(&["b.json", "c.json"])).ok();
}

#[test]
fn a_policy_stands_alone_and_names_only_data() {
    let Some(world) = world() else { return };
    policy(&world, "require: {any: [a, b, c]}");
    let with = |more: &[&'static str]| [&verify(&["a.json"])[..], more].concat();
    world.run(&with(&[])).ok();
    world.refuse(&with(&["--key", "keys/a.pub"]), &["--key"]);
    world.refuse(
        &with(&["--certificate-identity", "x", "--certificate-oidc-issuer", "y"]),
        &["--certificate-identity says it again"],
    );
    world.refuse(&with(&["--insecure-ignore-tlog"]), &["--insecure-ignore-tlog says it again"]);
    let several = [
        "verify-blob",
        "--insecure-ignore-tlog",
        "--key",
        "keys/a.pub",
        "--bundle",
        "a.json",
        "--bundle",
        "b.json",
        "blob",
    ];
    world.refuse(&several, &["several bundles for one file", "hint: ", "--policy-file"]);
    for (key, words) in
        [("env://KEY", "env://"), ("sigstore-plugin://x", "sigstore-plugin"), ("absent.pub", "absent.pub")]
    {
        world.write("keys/policy.yaml", format!("version: 1\nrequire: a\nsigners:\n  a: {{key: '{key}'}}\n"));
        world.refuse(&verify(&["a.json"]), &[words]);
    }
    world.write("keys/policy.yaml", "version: 1\nrequire: a\nsigners:\n  a: {identity: x, issuer: y}\n");
    world.refuse(&verify(&["a.json"]), &["tuf-repo-cdn.sigstore.dev", "--trusted-root"]);
    world.write("keys/policy.yaml", "version: 1\nrequire: a\nsigners:\n  a: {key: a.pub}\nsurprise: 1\n");
    world.refuse(
        &verify(&["a.json"]),
        &["cannot use the policy keys/policy.yaml", "surprise", "hint: docs/policy.md"],
    );
    world.refuse(&["policy", "check", "keys/policy.yaml"], &["surprise"]);
    world.refuse(&["policy", "explain", "absent"], &["absent"]);
}

#[test]
fn a_policy_is_explained() {
    let Some(world) = world() else { return };
    policy(&world, "require: {at-least: 2, of: [a, b, c]}");
    assert_eq!(
        world.run(&["policy", "check", "keys/policy.yaml"]).ok().stdout,
        "keys/policy.yaml is a policy of 3 signers and 0 attestations\n"
    );
    let explained = world.run(&["policy", "explain", "keys/policy.yaml"]).ok().stdout;
    let expected = "signatures: 2 of (a, b, c)\na: the key a.pub, used at any time\nb: the key b.pub, used at any time\n\
        c: the key c.pub, used at any time\nevidence for certificates: 1 log entry and 1 certificate log, or 1 signed \
        timestamp and 1 certificate log\nevidence for keys: none\n";
    assert_eq!(explained, expected);
}
