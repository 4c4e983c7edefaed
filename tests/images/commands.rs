//! What the commands do, and what they refuse.

use serde_json::Value;

use super::world::{SIGN, VERIFY, World, said};
use crate::support;
use crate::support::registry::{BOTH, Offers};

const ATTEST: [&str; 5] = ["attest", "-y", "--tlog-upload=false", "--key", "key.pem"];
const VERIFY_ATTESTATION: [&str; 4] = ["verify-attestation", "--insecure-ignore-tlog", "--key", "key.pub"];
const KEY: [&str; 2] = ["--key", "key.pem"];
const PUBLIC: [&str; 2] = ["--key", "key.pub"];

fn verify<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&VERIFY[..], &PUBLIC, more].concat()
}

#[test]
fn exit_codes_tell_what_is_missing_in_both_layouts() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let unsigned = world.image("unsigned");
        let absent = format!("{}:nope", world.registry.name("unsigned"));
        let nowhere = format!("{}:nope", world.registry.name("nowhere"));
        for layout in ["bundle", "legacy"] {
            let bundles = format!("--new-bundle-format={}", layout == "bundle");
            let signed = world.signed(&format!("signed-{layout}"), &["--format", layout, "-a", "env=prod"]);
            world.refuse(&verify(&[&bundles, &unsigned]), 10, "no signatures found");
            world.refuse(&verify(&[&bundles, &absent]), 11, "image tag not found");
            world.refuse(&verify(&[&bundles, &nowhere]), 11, "image tag not found");
            let stranger = [&VERIFY[..], &["--key", "other.pub", &bundles, &signed]].concat();
            world.refuse(&stranger, 12, "no matching signatures");
            world.refuse(&verify(&[&bundles, "-a", "env=test", &signed]), 12, "something else of the image");
            let identity = ["--certificate-identity", "a@b", "--certificate-oidc-issuer", "https://i"];
            world.write(
                "root.json",
                r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#,
            );
            let by_name =
                [&VERIFY[..], &identity, &["--trusted-root", "root.json", &bundles, &signed]].concat();
            world.refuse(&by_name, 13, "no usable certificate");
            // Several images: the code where all fail with one, else the general one.
            world.refuse(&verify(&[&bundles, &unsigned, &unsigned]), 10, "2 of 2 images");
            // One that is not there keeps nobody from the others.
            let some = world.refuse(&verify(&[&bundles, &unsigned, &signed, &absent]), 1, "2 of 3 images");
            for words in ["image tag not found", "no signatures found", &format!("Verification for {signed}")]
            {
                assert!(some.contains(words), "{words}: {some}");
            }
            world.refuse(&verify(&[&bundles, &absent, &nowhere]), 11, "2 of 2 images");
            world.succeed(&verify(&[&bundles, &signed]));
        }
    }
}

#[test]
fn either_layout_alone_is_found_without_a_flag() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        for layout in ["bundle", "legacy", "both"] {
            let image = world.signed(&format!("signed-{layout}"), &["--format", layout]);
            let printed: Value = serde_json::from_str(&world.succeed(&verify(&[&image]))).unwrap();
            assert_eq!(printed.as_array().unwrap().len(), 1, "{layout}: {printed}");
        }
    }
}

#[test]
fn an_attestation_is_no_signature() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        world.write("predicate", "anything");
        for layout in ["bundle", "legacy"] {
            let image = world.image(&format!("attested-{layout}"));
            world.succeed(&[&ATTEST[..], &["--predicate", "predicate", "--format", layout, &image]].concat());
            world.succeed(&[&VERIFY_ATTESTATION[..], &["--type", "custom", &image]].concat());
            // E.2 10: Cosign takes any attestation for a signature.
            world.refuse(&verify(&[&image]), 10, "no signatures found");
            world.refuse(
                &[&VERIFY_ATTESTATION[..], &["--type", "vuln", &image]].concat(),
                10,
                "no attestations",
            );
            world.refuse(
                &[&VERIFY_ATTESTATION[..], &["--type", "https://cosign.sigstore.dev/attestation/V1", &image]]
                    .concat(),
                10,
                "no attestations",
            );
        }
    }
}

#[test]
fn an_image_is_not_signed_twice_with_one_key() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let image = world.signed("once", &["--format", "both"]);
        let count = || {
            let printed = world.succeed(&verify(&[&image]));
            let older = world.succeed(&verify(&["--new-bundle-format=false", &image]));
            [printed, older]
                .map(|text| serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().len())
        };
        assert_eq!(count(), [1, 1]);
        let again = world.run(&[&SIGN[..], &KEY, &["--format", "both", &image]].concat());
        assert!(again.status.success() && said(&again).contains("nothing to do"), "{}", said(&again));
        assert_eq!(count(), [1, 1]);
        // Something else is said, another key signs, or it is asked for: then it is signed.
        world.succeed(&[&SIGN[..], &KEY, &["-a", "a=b", "--format", "both", &image]].concat());
        world.succeed(&[&SIGN[..], &["--key", "other.pem", "--format", "both", &image]].concat());
        assert_eq!(count(), [2, 2]);
        world.succeed(&[&SIGN[..], &KEY, &["--again", "--format", "bundle", &image]].concat());
        assert_eq!(count(), [3, 2]);
        world.succeed(&[&VERIFY[..], &["--key", "other.pub", &image]].concat());
    }
}

#[test]
fn a_damaged_signature_does_not_count_as_one() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world.signed("damaged", &["--format", "legacy"]);
    let tag = format!("{}.sig", image.split('@').nth(1).unwrap().replace(':', "-"));
    let mut manifest = world.registry.read("damaged", &tag).unwrap();
    let note = &mut manifest["layers"][0]["annotations"]["dev.cosignproject.cosign/signature"];
    *note = Value::String(note.as_str().unwrap().replace('M', "N"));
    world.registry.manifest("damaged", &tag, crate::support::registry::MANIFEST, &manifest);
    world.refuse(&verify(&[&image]), 12, "no matching signatures");
    let again = world.run(&[&SIGN[..], &KEY, &["--format", "legacy", &image]].concat());
    assert!(again.status.success() && !said(&again).contains("nothing to do"), "{}", said(&again));
    world.succeed(&verify(&[&image]));
    // What was there stays, and the new one is the last.
    let layers = world.registry.read("damaged", &tag).unwrap()["layers"].as_array().unwrap().len();
    assert_eq!(layers, 2);
}

/// E.2 8: a layer's notes belong to that layer.
#[test]
fn notes_of_another_layer_prove_nothing() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let (one, two) = (world.signed("notes", &["--format", "legacy"]), {
        let digest = world.registry.image("notes", "v2", "another");
        let image = format!("{}@{digest}", world.registry.name("notes"));
        world.succeed(&[&SIGN[..], &KEY, &["--format", "legacy", &image]].concat());
        image
    });
    let tag = |image: &str| format!("{}.sig", image.split('@').nth(1).unwrap().replace(':', "-"));
    let other = world.registry.read("notes", &tag(&two)).unwrap();
    let mut manifest = world.registry.read("notes", &tag(&one)).unwrap();
    // The notes of the other image's layer.
    manifest["layers"][0]["annotations"] = other["layers"][0]["annotations"].clone();
    world.registry.manifest("notes", &tag(&one), crate::support::registry::MANIFEST, &manifest);
    world.refuse(&verify(&[&one]), 12, "signature does not match");
    // The other layer as it is: good, and about another image.
    world.registry.manifest("notes", &tag(&one), crate::support::registry::MANIFEST, &other);
    world.refuse(&verify(&[&one]), 12, "about other artifacts");
    world.succeed(&verify(&[&two]));
}

#[test]
fn an_index_is_signed_and_verified_with_all_its_images() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let digests = world.registry.index("many", "v1", 5);
        let name = |digest: &str| format!("{}@{digest}", world.registry.name("many"));
        let whole = name(&digests[0]);
        world.succeed(&[&SIGN[..], &KEY, &[&whole]].concat());
        world.succeed(&verify(&[&whole]));
        world.refuse(&verify(&["-r", &whole]), 10, "5 of 6 images");
        let output = world.run(&[&SIGN[..], &KEY, &["-r", &whole]].concat());
        assert!(output.status.success() && said(&output).contains("nothing to do"), "{}", said(&output));
        world.succeed(&verify(&["-r", &whole]));
        for digest in &digests {
            world.succeed(&verify(&[&name(digest)]));
        }
    }
}

#[test]
fn replacing_takes_the_old_away_once_the_new_is_there() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let image = world.image("replaced");
        for layout in ["bundle", "legacy"] {
            let bundles = format!("--new-bundle-format={}", layout == "bundle");
            let attest = |content: &str, more: &[&str]| {
                world.write("predicate", content);
                let fixed = ["--predicate", "predicate", "--format", layout];
                world.succeed(&[&ATTEST[..], &fixed, more, &[&image]].concat());
            };
            let found = || {
                let printed = world
                    .succeed(&[&VERIFY_ATTESTATION[..], &["--type", "custom", &bundles, &image]].concat());
                printed.lines().count()
            };
            attest("one", &[]);
            attest("two", &[]);
            assert_eq!(found(), 2, "{offers:?} {layout}");
            world.write("predicate", r#"{"builder":{},"buildType":"x"}"#);
            world.succeed(
                &[
                    &ATTEST[..],
                    &["--predicate", "predicate", "--format", layout, "--type", "slsaprovenance", &image],
                ]
                .concat(),
            );
            attest("three", &["--replace"]);
            assert_eq!(found(), 1, "{offers:?} {layout}");
            world.succeed(
                &[&VERIFY_ATTESTATION[..], &["--type", "slsaprovenance", &bundles, &image]].concat(),
            );
        }
    }
}

#[test]
fn a_dry_run_opens_no_key_and_writes_nothing() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let image = world.image("dry");
    let output =
        world.run(&[&SIGN[..], &["--key", "absent.key", "--dry-run", "--format", "both", &image]].concat());
    assert!(output.status.success() && said(&output).contains("Would sign"), "{}", said(&output));
    world.refuse(&verify(&[&image]), 10, "no signatures found");
}

#[test]
fn a_statement_must_be_about_the_image() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let image = world.image("stated");
    let hex = image.rsplit(':').next().unwrap();
    let statement = |hex: &str| {
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"x","digest":{{"sha256":"{hex}"}}}}],"predicateType":"https://example.com/t","predicate":{{}}}}"#
        )
    };
    world.write("statement", &statement(&"0".repeat(64)));
    let attest = [&ATTEST[..], &["--statement", "statement", &image]].concat();
    world.refuse(&attest, 1, "about other artifacts");
    world.write("statement", &statement(hex));
    world.succeed(&attest);
    world.succeed(&[&VERIFY_ATTESTATION[..], &["--type", "https://example.com/t", &image]].concat());
}

#[test]
fn signatures_may_lie_in_another_repository() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let image = world.image("here");
        let there = world.registry.name("signatures");
        let run = |arguments: &[&str], elsewhere: bool| {
            let mut command = world.command(arguments);
            if elsewhere {
                command.env("COSIGN_REPOSITORY", &there);
            }
            support::run(&mut command)
        };
        let sign = [&SIGN[..], &KEY, &["--format", "both", &image]].concat();
        let signed = run(&sign, true);
        assert!(signed.status.success(), "{}", said(&signed));
        for layout in ["--new-bundle-format=true", "--new-bundle-format=false"] {
            assert!(run(&verify(&[layout, &image]), true).status.success(), "{layout}");
            assert_eq!(run(&verify(&[layout, &image]), false).status.code(), Some(10), "{layout}");
            let mut cosign = match support::cosign() {
                Some(cosign) => cosign,
                None => return,
            };
            cosign.args(verify(&[layout, &image])).env("COSIGN_REPOSITORY", &there);
            support::succeed(cosign.current_dir(world.path("")));
        }
    }
}

#[test]
fn a_policy_file_asks_for_signatures_and_attestations_of_images() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        world.write("policy.yml", "version: 1\nsigners:\n  one: {key: key.pub}\n  two: {key: other.pub}\nrequire: {all: [one, two]}\nattestations:\n  - {type: custom, by: one}\n");
        let image = world.image("policed");
        let verify = ["verify", "--policy-file", "policy.yml", &image];
        world.refuse(&verify, 10, "found");
        world.succeed(&[&SIGN[..], &KEY, &[&image]].concat());
        world.refuse(&verify, 12, "policy is not satisfied");
        // One in each layout: both count.
        world.succeed(&[&SIGN[..], &["--key", "other.pem", "--format", "legacy", &image]].concat());
        world.refuse(&verify, 12, "attestations of the type");
        world.write("predicate", "anything");
        world.succeed(&[&ATTEST[..], &["--predicate", "predicate", &image]].concat());
        world.succeed(&verify);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_asked() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let image = "127.0.0.1:9/absent@sha256:0000000000000000000000000000000000000000000000000000000000000000";
    for (arguments, words) in [
        (vec!["sign", "--key", "key.pem", "UPPER"], "small letters"),
        (vec!["sign", image], "signing needs a key"),
        (vec!["verify", image], "who should have signed"),
        (vec!["sign", "--key", "key.pem", "-a", "novalue", image], "NAME=VALUE"),
        (vec!["sign", "--key", "key.pem", "-a", "a=1", "-a", "a=2", image], "given twice"),
        (vec!["sign", "--key", "key.pem", "--output-signature", "f", image], "belongs to the older layout"),
        (
            vec!["sign", "--key", "key.pem", "--format", "legacy", "--output-payload", "f", image, image],
            "belong to one image",
        ),
        (
            vec![
                "verify",
                "--key",
                "key.pub",
                "--insecure-ignore-tlog",
                "--check-claims=false",
                "-a",
                "a=b",
                image,
            ],
            "--annotations are part of the claims",
        ),
        (
            vec!["sign", "--key", "key.pem", "--format", "both", "--new-bundle-format=false", image],
            "cannot be used with",
        ),
        (vec!["attest", "--key", "key.pem", image], "--predicate"),
        (vec!["verify", "--key", "key.pub", "--registry-username", "u", image], "--registry-password"),
    ] {
        world.refuse(&arguments, 1, words);
    }
    let mut command = world.command(&verify(&[image]));
    let output = support::run(command.env("COSIGN_MAX_ATTACHMENT_SIZE", "lots"));
    assert!(said(&output).contains("is no size"), "{}", said(&output));
}

/// A registry that is not there.
#[test]
fn a_registry_that_is_down_is_an_error_and_not_an_image_without_signatures() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let image = format!("127.0.0.1:9/app@sha256:{}", "0".repeat(64));
    world.refuse(&verify(&[&image]), 1, "127.0.0.1:9");
    world.refuse(&[&SIGN[..], &KEY, &[&image]].concat(), 1, "127.0.0.1:9");
}
