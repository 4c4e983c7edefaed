//! Looking at what stands beside an image, putting something there, and taking it away; with the real Cosign both ways.

use std::process::Command;

use serde_json::Value;

use super::world::{SIGN, VERIFY, World, said};
use crate::support;
use crate::support::registry::{BOTH, MANIFEST, Offers};

const PUBLIC: [&str; 2] = ["--key", "key.pub"];

/// Cosign in the same place; `None` after saying so.
fn cosign(world: &World, arguments: &[&str]) -> Option<Command> {
    let mut cosign = support::cosign()?;
    cosign.args(arguments).current_dir(world.path("")).env("HOME", world.path(""));
    Some(cosign)
}

/// An image with a signature and an attestation in each layout.
fn full(world: &World) -> String {
    let image = world.signed("full", &["--format", "both"]);
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
        "both",
    ];
    world.succeed(&[&attest[..], &[&image]].concat());
    world.write("sbom", "SPDXVersion: SPDX-2.3\n");
    world.succeed(&["attach", "sbom", "--sbom", "sbom", &image]);
    image
}

#[test]
fn tree_shows_what_cosign_shows() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let image = full(&world);
        let ours = world.succeed(&["tree", &image]);
        assert_eq!(ours.lines().count(), 11, "{ours}");
        let Some(mut cosign) = cosign(&world, &["tree", &image]) else { return };
        let theirs = support::stdout(&support::succeed(&mut cosign));
        // In whatever order; Cosign names what refers to an image by the digest of a tag's index where there is one.
        let lines = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&ours), lines(&theirs), "{offers:?}");
        let bare = world.image("bare");
        assert!(world.succeed(&["tree", &bare]).contains("none"));
        world.refuse(&["tree", &format!("{}:nope", world.registry.name("bare"))], 1, "no such image");
    }
}

#[test]
fn what_is_downloaded_is_what_stands_there() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let image = full(&world);
        let signatures = world.succeed(&["download", "signature", &image]);
        let [bundle, older] = signatures.lines().collect::<Vec<_>>()[..] else { panic!("{signatures}") };
        let bundle: Value = serde_json::from_str(bundle).unwrap();
        assert_eq!(bundle["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
        let older: Value = serde_json::from_str(older).unwrap();
        assert!(older["Base64Signature"].is_string() && older["Cert"].is_null(), "{older}");
        let attestations = world.succeed(&["download", "attestation", &image]);
        assert_eq!(attestations.lines().count(), 2, "{attestations}");
        assert!(attestations.lines().nth(1).unwrap().contains("payloadType"));
        let typed = |kind: &str| world.run(&["download", "attestation", "--predicate-type", kind, &image]);
        assert_eq!(support::stdout(&typed("custom")), attestations);
        assert_eq!(typed("vuln").status.code(), Some(10));
        assert_eq!(world.succeed(&["download", "sbom", &image]), "SPDXVersion: SPDX-2.3\n");
        // Cosign prints the same of the older layout; of bundles it prints attestations among signatures.
        let Some(mut command) = cosign(&world, &["download", "signature", &image]) else { return };
        let theirs = support::stdout(&support::succeed(&mut command));
        for line in signatures.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let same = |other: &str| serde_json::from_str::<Value>(other).is_ok_and(|other| other == line);
            let is_bundle = line.get("mediaType").is_some();
            assert!(!is_bundle || theirs.lines().any(same), "{line} is not in {theirs}");
        }
        world.refuse(&["download", "signature", &world.image("bare")], 10, "has no signatures");
        world.refuse(&["download", "sbom", &world.image("bare")], 10, "has no SBOM");
    }
}

#[test]
fn the_image_of_a_platform_is_found_in_an_index() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let digests = world.registry.index("many", "v1", 3);
    let (whole, part) = (
        format!("{}:v1", world.registry.name("many")),
        format!("{}@{}", world.registry.name("many"), digests[2]),
    );
    world.write("predicate", "anything");
    let attest = ["attest", "-y", "--tlog-upload=false", "--key", "key.pem", "--predicate", "predicate"];
    world.succeed(&[&attest[..], &[&part]].concat());
    let download = |platform: &str| world.run(&["download", "attestation", "--platform", platform, &whole]);
    assert!(download("linux/a1").status.success(), "{}", said(&download("linux/a1")));
    assert_eq!(download("linux/a0").status.code(), Some(10));
    assert!(said(&download("linux/none")).contains("linux/a0, linux/a1, linux/a2"));
    world.refuse(&["download", "attestation", "--platform", "linux/a1", &part], 1, "not an index");
}

#[test]
fn what_was_signed_elsewhere_is_attached_and_verifies() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world.image("attached");
    std::fs::write(world.path("payload"), world.succeed(&["generate", "-a", "env=prod", &image])).unwrap();
    let mut openssl = support::openssl().unwrap();
    openssl
        .args(["dgst", "-sha256", "-sign", "key.pem", "-out", "raw", "payload"])
        .current_dir(world.path(""));
    support::succeed(&mut openssl);
    let mut openssl = support::openssl().unwrap();
    openssl.args(["base64", "-A", "-in", "raw", "-out", "signature"]).current_dir(world.path(""));
    support::succeed(&mut openssl);
    world.succeed(&["attach", "signature", "--signature", "signature", "--payload", "payload", &image]);
    let verify = [&VERIFY[..], &PUBLIC, &["--new-bundle-format=false", "-a", "env=prod", &image]].concat();
    world.succeed(&verify);
    if let Some(mut cosign) = cosign(&world, &verify) {
        support::succeed(&mut cosign);
    }
    // Claims about another image, something that is no signature, no claims.
    let other =
        format!("{}@{}", world.registry.name("attached"), world.registry.image("attached", "v2", "other"));
    let attach = |more: &[&str], image: &str| world.run(&[&["attach", "signature"], more, &[image]].concat());
    assert!(
        said(&attach(&["--signature", "signature", "--payload", "payload"], &other))
            .contains("--payload is about")
    );
    assert!(
        said(&attach(&["--signature", "no-file-and-no-base64!"], &image))
            .contains("name a file, or pass the base64 itself")
    );
    world.write("junk", "{}");
    assert!(
        said(&attach(&["--signature", "signature", "--payload", "junk"], &image))
            .contains("claims cannot be used")
    );
}

#[test]
fn attestations_are_attached_as_bundles_and_as_envelopes() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let (image, target) = (world.image("from"), world.image("from"));
        world.write("predicate", "anything");
        for format in ["bundle", "legacy"] {
            let attest = [
                "attest",
                "-y",
                "--tlog-upload=false",
                "--key",
                "key.pem",
                "--predicate",
                "predicate",
                "--no-upload",
            ];
            let made = world.succeed(&[&attest[..], &["--format", format, &image]].concat());
            world.write(format, &made);
            world.succeed(&["attach", "attestation", "--attestation", format, &target]);
            let bundles = format!("--new-bundle-format={}", format == "bundle");
            let verify = [
                "verify-attestation",
                "--insecure-ignore-tlog",
                "--key",
                "key.pub",
                "--type",
                "custom",
                &bundles,
                &target,
            ];
            world.succeed(&verify);
            if let Some(mut cosign) = cosign(&world, &verify) {
                support::succeed(&mut cosign);
            }
            // About another image: nothing is written.
            let stranger = world.image("stranger");
            world.refuse(
                &["attach", "attestation", "--attestation", format, &stranger],
                1,
                "about other artifacts",
            );
        }
    }
}

#[test]
fn cleaning_asks_names_what_goes_and_leaves_the_rest() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let image = full(&world);
        // Nobody is there to agree.
        let said = world.refuse(&["clean", &image], 1, "nobody agreed");
        assert!(said.contains(".sig") && said.contains(".att") && said.contains(".sbom"), "{said}");
        let verify = [&VERIFY[..], &PUBLIC, &[&image]].concat();
        world.succeed(&verify);
        // What somebody else attached stays whatever goes.
        let foreign = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.other",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": world.registry.blob("full", b"{}"), "size": 2},
            "layers": [], "subject": {"mediaType": MANIFEST, "digest": image.split('@').nth(1).unwrap(), "size": 2},
        });
        let foreign = world.registry.manifest("full", &digest_of(&foreign), MANIFEST, &foreign);
        world.succeed(&["clean", "-f", "--type", "signature", &image]);
        world.refuse(&verify, 10, "no signatures found");
        let attested =
            ["verify-attestation", "--insecure-ignore-tlog", "--key", "key.pub", "--type", "custom"];
        world.succeed(&[&attested[..], &[&image]].concat());
        world.succeed(&["clean", "-f", "--type", "all", &image]);
        world.refuse(&[&attested[..], &[&image]].concat(), 10, "no attestations found");
        assert!(world.registry.read("full", &foreign).is_some());
        let output = world.run(&["clean", "-f", &image]);
        assert!(output.status.success() && super::world::said(&output).contains("nothing of that kind"));
        // The image itself stays, and can be signed again.
        world.succeed(&[&SIGN[..], &["--key", "key.pem", &image]].concat());
        world.succeed(&verify);
    }
}

fn digest_of(content: &Value) -> String {
    countersign_core::HashAlgorithm::Sha256.digest(content.to_string().as_bytes()).to_string()
}

#[test]
fn places_are_named_as_cosign_names_them() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world.image("placed");
    for kind in ["signature", "attestation", "sbom", "digest"] {
        let ours = world.succeed(&["triangulate", "--type", kind, &image]);
        let Some(mut cosign) = cosign(&world, &["triangulate", "--type", kind, &image]) else { return };
        assert_eq!(ours, support::stdout(&support::succeed(&mut cosign)), "{kind}");
    }
    let prefixed = world.succeed(&["triangulate", "--attachment-tag-prefix", "test-", &image]);
    assert!(prefixed.contains(":test-sha256-"), "{prefixed}");
    let Some(mut cosign) = cosign(&world, &["generate", "-a", "a=b", &image]) else { return };
    assert_eq!(
        world.succeed(&["generate", "-a", "a=b", &image]),
        support::stdout(&support::succeed(&mut cosign))
    );
}
