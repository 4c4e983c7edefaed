//! Images in files: what `cosign save` and skopeo write, and what the files may not hide.

use std::process::Command;

use super::world::{SIGN, VERIFY, World};
use crate::support::{self, registry::BOTH, registry::Offers};

fn verify<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&VERIFY[..], &["--key", "key.pub", "--local-image"], more].concat()
}

fn verify_there<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&VERIFY[..], &["--key", "key.pub"], more].concat()
}

/// Has Cosign write an image with its signatures to a directory.
fn save(world: &World, image: &str, directory: &str) -> Option<()> {
    let mut command = support::cosign()?;
    command.args(["save", "--dir", directory, image]).current_dir(world.path("")).env("HOME", world.path(""));
    support::succeed(&mut command);
    Some(())
}

fn pack(world: &World, directory: &str, archive: &str) {
    let mut command = Command::new("tar");
    command.args(["-cf", archive, "-C", directory, "."]).current_dir(world.path(""));
    support::succeed(&mut command);
}

#[test]
fn what_cosign_saved_verifies_from_its_files_in_both_layouts() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        world.write("predicate", "anything");
        for layout in ["bundle", "legacy"] {
            let image = world.signed(&format!("app-{layout}"), &["--format", layout, "-a", "env=prod"]);
            let attest =
                ["attest", "-y", "--tlog-upload=false", "--key", "key.pem", "--predicate", "predicate"];
            world.succeed(&[&attest[..], &["--format", layout, &image]].concat());
            let unsigned = format!("unsigned-{layout}");
            let Some(()) = save(&world, &image, layout) else { return };
            let Some(()) = save(&world, &world.image(&unsigned), &unsigned) else { return };
            let archive = format!("{layout}.tar");
            pack(&world, layout, &archive);
            for files in [layout, &archive] {
                let printed = world.succeed(&verify(&["-a", "env=prod", files]));
                assert!(printed.contains(image.split('@').nth(1).unwrap()), "{printed}");
                world.refuse(&verify(&["-a", "env=test", files]), 12, "something else of the image");
                let stranger = [&VERIFY[..], &["--key", "other.pub", "--local-image", files]].concat();
                world.refuse(&stranger, 12, "no matching signatures");
                let attestation = ["verify-attestation", "--insecure-ignore-tlog", "--key", "key.pub"];
                let attestation = [&attestation[..], &["--local-image", files, "--type"]].concat();
                world.succeed(&[&attestation[..], &["custom"]].concat());
                world.refuse(&[&attestation[..], &["vuln"]].concat(), 10, "no attestations found");
            }
            world.refuse(&verify(&[&unsigned]), 10, "cosign save takes its signatures along");
        }
    }
}

/// Where Cosign says what it thinks of the same files, ours agrees.
#[test]
fn cosign_verifies_the_same_files() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    for layout in ["bundle", "legacy"] {
        let image = world.signed(layout, &["--format", layout]);
        let Some(()) = save(&world, &image, layout) else { return };
        for (key, good) in [("key.pub", true), ("other.pub", false)] {
            let arguments = ["verify", "--insecure-ignore-tlog", "--key", key, "--local-image", layout];
            let Some(mut cosign) = support::cosign() else { return };
            cosign.args(arguments).current_dir(world.path("")).env("HOME", world.path(""));
            let theirs = support::run(&mut cosign);
            let ours = world.run(&arguments);
            assert_eq!((theirs.status.success(), ours.status.success()), (good, good), "{layout} {key}");
        }
    }
}

#[test]
fn an_index_in_files_is_verified_with_all_its_images() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let whole = world.registry.index("many", "v1", 3).remove(0);
    let image = format!("{}@{whole}", world.registry.name("many"));
    world.succeed(&[&SIGN[..], &["-r", "--format", "both", "--key", "key.pem", &image]].concat());
    let Some(()) = save(&world, &image, "many") else { return };
    world.succeed(&verify(&["many"]));
    // `cosign save` keeps what was signed of the index alone.
    world.refuse(&verify(&["-r", "many"]), 10, "3 of 4 images");
}

/// Another maker's archive, with the older signature under its tag's name.
#[test]
fn skopeos_archives_are_read_by_name() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world.signed("app", &["--format", "legacy"]);
    let digest = image.split('@').nth(1).unwrap().to_owned();
    let other = world.registry.image("app", "v2", "another");
    let signature = format!("{}.sig", digest.replace(':', "-"));
    let copy = |from: &str, to: &str| {
        let mut command = support::tool("skopeo", &["--version"])?;
        let from = format!("docker://{}{from}", world.registry.name("app"));
        command.args(["copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", &from, to]);
        support::succeed(command.current_dir(world.path("")).env("HOME", world.path("")));
        Some(())
    };
    let Some(()) = copy(&format!("@{digest}"), "oci:several:v1") else { return };
    copy(&format!(":{signature}"), &format!("oci:several:{signature}"));
    world.succeed(&verify(&["several"]));
    world.succeed(&verify(&["several:v1"]));
    world.succeed(&verify(&[&format!("several@{digest}")]));
    pack(&world, "several", "packed.tar");
    world.succeed(&verify(&["packed.tar:v1"]));
    copy(&format!("@{other}"), "oci:several:v2");
    let several = world.refuse(&verify(&["several"]), 1, "it has 2 images");
    assert!(several.contains(":v1") && several.contains(":v2"), "{several}");
    world.refuse(&verify(&["several:v2"]), 10, "no signatures found");
    world.refuse(&verify(&["several:v3"]), 1, "no such image");
    // What skopeo packs itself: one image, and nothing beside it.
    copy(&format!("@{digest}"), "oci-archive:alone.tar:v1");
    world.refuse(&verify(&["alone.tar"]), 10, "no signatures found");
}

#[test]
fn files_that_were_changed_are_refused() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world.signed("app", &[]);
    let Some(()) = save(&world, &image, "app") else { return };
    // The index names another image: its signature is not about that.
    let other = world.signed("other", &["--key", "other.pem"]);
    let Some(()) = save(&world, &other, "swapped") else { return };
    let copy = Command::new("cp").args(["-r", "app/blobs", "swapped/"]).current_dir(world.path("")).status();
    assert!(copy.unwrap().success());
    world.refuse(&verify(&["swapped"]), 12, "no matching signatures");
    // The image itself is another.
    let hex = image.split("sha256:").nth(1).unwrap();
    let path = format!("app/blobs/sha256/{hex}");
    let manifest = std::fs::read_to_string(world.path(&path)).unwrap();
    world.write(&path, &format!("{manifest} "));
    world.refuse(&verify(&["app"]), 1, "the files were damaged or changed");
    // What is no layout.
    world.refuse(&verify(&["nowhere"]), 1, "cannot read the image in nowhere");
    world.refuse(&verify(&["key.pub"]), 1, "cannot read the image in key.pub");
    world.write("packed.tar.gz", "\u{1f}\u{8b}");
    std::fs::write(world.path("packed.tar.gz"), b"\x1f\x8b\x08\0\0\0").unwrap();
    world.refuse(&verify(&["packed.tar.gz"]), 1, "compressed");
}

#[test]
fn what_belongs_to_one_image_in_a_registry_is_refused_for_others() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world
        .signed("app", &["--format", "legacy", "--output-signature", "sig", "--output-payload", "claims"]);
    world.succeed(&verify_there(&["--signature", "sig", &image]));
    world.refuse(&verify_there(&["--signature", "sig", &image, &image]), 1, "--signature is of one image");
    world.refuse(&verify_there(&["--signature", "sig", "-r", &image]), 1, "--signature is of one image");
    world.refuse(&verify_there(&["--payload", "claims", &image]), 1, "--signature");
    world.refuse(&verify_there(&["--sct", "claims", &image]), 1, "--certificate");
    world.refuse(
        &verify_there(&["--signature", "nowhere", &image]),
        1,
        "name a file, or pass the base64 itself",
    );
    world.refuse(&verify_there(&["--local-image", "--attachment", "sbom", "x"]), 1, "--attachment");
    let Some(()) = save(&world, &image, "saved") else { return };
    world.refuse(&verify_there(&["--local-image", "--signature", "sig", "saved"]), 1, "pass --payload");
    world.succeed(&verify_there(&["--local-image", "--signature", "sig", "--payload", "claims", "saved"]));
}

/// E.2 12: a signature that was made for the image under another name, on demand.
#[test]
fn the_name_that_an_image_was_signed_under_is_demanded() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let repository = world.registry.name("app");
    let image = world.signed("app", &["--format", "legacy"]);
    let named = |name: &'static str| ["--sign-container-identity", name];
    world.succeed(&verify_there(&["--signed-repository", &repository, &image]));
    world.refuse(
        &verify_there(&["--signed-repository", "r.io/app", &image]),
        12,
        "signed under another name",
    );
    let other = world.signed("other", &[&["--format", "legacy"][..], &named("r.io/app")].concat());
    world.succeed(&verify_there(&["--signed-repository", "r.io/app", &other]));
    world.refuse(
        &verify_there(&["--signed-repository", &repository, &other]),
        12,
        "signed under another name",
    );
    // A bundle of a signature holds no name; an attestation's subject has one.
    let bundled = world.signed("bundled", &[]);
    world.refuse(&verify_there(&["--signed-repository", &repository, &bundled]), 12, "found none");
    world.write("predicate", "anything");
    let attest =
        ["attest", "-y", "--tlog-upload=false", "--key", "key.pem", "--predicate", "predicate", &image];
    world.succeed(&attest);
    let attested = |name: &str| {
        let verify = ["verify-attestation", "--insecure-ignore-tlog", "--key", "key.pub", "--type", "custom"];
        world.run(&[&verify[..], &["--signed-repository", name, &image]].concat())
    };
    assert!(attested(&repository).status.success());
    assert_eq!(attested("r.io/app").status.code(), Some(12));
    let unlooked = ["--check-claims=false", "--signed-repository", "r.io/app", &image];
    world.refuse(&verify_there(&unlooked), 1, "--check-claims=false");
}
