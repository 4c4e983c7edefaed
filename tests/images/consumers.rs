//! What else reads signatures of images: podman's library, and Cosign 2.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::world::{SIGN, World};
use crate::support::registry::Offers;
use crate::support::{self, missing};

/// The program of a rig; `None` after saying that it is missing.
fn program(rig: &str, name: &str) -> Option<Command> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rigs").join(rig).join(name);
    if !path.is_file() {
        missing(&format!("{rig}/{name}"));
        return None;
    }
    Some(Command::new(path))
}

/// More kinds of keys, by their names.
fn keys(world: &World) -> Option<[&'static str; 3]> {
    for (name, kind) in
        [("p384", ["EC", "ec_paramgen_curve:P-384"]), ("rsa", ["RSA", "rsa_keygen_bits:2048"])]
    {
        let (private, public) = (format!("{name}.pem"), format!("{name}.pub"));
        for arguments in [
            vec!["genpkey", "-algorithm", kind[0], "-pkeyopt", kind[1], "-out", &private],
            vec!["pkey", "-in", &private, "-pubout", "-out", &public],
        ] {
            support::succeed(support::openssl()?.args(arguments).current_dir(world.path("")));
        }
    }
    Some(["key", "p384", "rsa"])
}

/// Podman, CRI-O, buildah and skopeo decide by this library.
#[test]
fn podmans_library_takes_our_images_under_a_policy_that_demands_our_key() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let Some(keys) = keys(&world) else { return };
    std::fs::create_dir(world.path("registries.d")).unwrap();
    let registry = world.registry.address();
    world.write(
        "registries.d/here.yaml",
        &format!("docker:\n  {registry}:\n    use-sigstore-attachments: true\n"),
    );
    for key in keys {
        let repository = format!("app-{key}");
        let image = world.image(&repository);
        let private = format!("{key}.pem");
        world.succeed(&[&SIGN[..], &["--format", "both", "--key", &private, &image]].concat());
        let unsigned = world.registry.image(&repository, "v2", "unsigned");
        let unsigned = format!("{}@{unsigned}", world.registry.name(&repository));
        let decide = |public: &str, image: &str| {
            // Nothing but what is signed, by whatever name: an image's tag is no part of what is signed.
            let scope = format!("{registry}/{repository}");
            let demanded = json!([{"type": "sigstoreSigned", "keyPath": world.path(public), "signedIdentity": {"type": "matchRepository"}}]);
            let policy =
                json!({"default": [{"type": "reject"}], "transports": {"docker": {scope: demanded}}});
            world.write("policy.json", &policy.to_string());
            let mut command = program("containers-image", "decide")?;
            command.arg(world.path("policy.json")).arg(world.path("registries.d")).arg(image);
            Some(support::run(&mut command))
        };
        let Some(accepted) = decide(&format!("{key}.pub"), &image) else { return };
        assert!(accepted.status.success(), "{key}: {}", support::stderr(&accepted));
        for (why, answer) in [
            ("another key", decide("other.pub", &image)),
            ("an unsigned image", decide(&format!("{key}.pub"), &unsigned)),
        ] {
            assert!(!answer.unwrap().status.success(), "{key}: {why} is accepted");
        }
    }
}

#[test]
fn cosign_2_verifies_what_we_sign_and_we_what_it_signs() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let cosign = |arguments: &[&str]| {
        let mut command = program("cosign2", "cosign")?;
        command
            .args(arguments)
            .current_dir(world.path(""))
            .env("HOME", world.path(""))
            .env("COSIGN_PASSWORD", "");
        Some(support::run(&mut command))
    };
    let image = world.signed("ours", &["--format", "legacy", "-a", "a=b"]);
    let verify = ["verify", "--key", "key.pub", "--insecure-ignore-tlog", "-a", "a=b", &image];
    let Some(answer) = cosign(&verify) else { return };
    assert!(answer.status.success(), "{}", support::stderr(&answer));
    assert!(
        !cosign(&["verify", "--key", "other.pub", "--insecure-ignore-tlog", &image])
            .unwrap()
            .status
            .success()
    );
    world.write("predicate", "anything");
    let attest = [
        "attest",
        "-y",
        "--tlog-upload=false",
        "--key",
        "key.pem",
        "--predicate",
        "predicate",
        "--format",
        "legacy",
    ];
    world.succeed(&[&attest[..], &[&image]].concat());
    let verify =
        ["verify-attestation", "--key", "key.pub", "--insecure-ignore-tlog", "--type", "custom", &image];
    let answer = cosign(&verify).unwrap();
    assert!(answer.status.success(), "{}", support::stderr(&answer));

    let theirs = world.image("theirs");
    let made = cosign(&["import-key-pair", "--key", "key.pem", "--output-key-prefix", "theirs"]).unwrap();
    assert!(made.status.success(), "{}", support::stderr(&made));
    let signed = cosign(&["sign", "-y", "--tlog-upload=false", "--key", "theirs.key", &theirs]).unwrap();
    assert!(signed.status.success(), "{}", support::stderr(&signed));
    world.succeed(&["verify", "--key", "key.pub", "--insecure-ignore-tlog", &theirs]);
    let attested = cosign(&[
        "attest",
        "-y",
        "--tlog-upload=false",
        "--key",
        "theirs.key",
        "--predicate",
        "predicate",
        &theirs,
    ])
    .unwrap();
    assert!(attested.status.success(), "{}", support::stderr(&attested));
    world.succeed(&[
        "verify-attestation",
        "--key",
        "key.pub",
        "--insecure-ignore-tlog",
        "--type",
        "custom",
        &theirs,
    ]);
}
