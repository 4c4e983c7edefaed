//! `bundle create` and `bundle upgrade`: nothing is put together that does not belong together.

use super::world::{SIGN, World};

fn world() -> Option<World> {
    let world = World::new()?;
    world.write("blob", "blob");
    world.write("other-blob", "other");
    let older = ["--new-bundle-format=false", "--output-signature", "signature", "--bundle", "older"];
    world.run(&[&SIGN[..], &["--key", "key.pem"], &older, &["blob"]].concat()).ok();
    Some(world)
}

fn create<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    [&["bundle", "create", "--out", "made", "--artifact", "blob"], flags].concat()
}

#[test]
fn what_does_not_belong_together_is_not_put_together() {
    let Some(world) = world() else { return };
    let signed = ["--signature", "signature", "--ignore-tlog"];
    let cases: [(Vec<&str>, &[&str]); 10] = [
        (create(&signed), &["nothing says whose signature it is", "--key"]),
        (create(&[&signed[..], &["--key", "other.pub"]].concat()), &["does not match"]),
        (create(&["--key", "key.pub"]), &["--bundle"]),
        (create(&["--bundle", "older", "--signature", "signature", "--key", "key.pub"]), &["--bundle"]),
        (create(&["--signature", "absent", "--ignore-tlog", "--key", "key.pub"]), &["absent"]),
        (
            create(&["--attestation", "signature", "--ignore-tlog", "--key", "key.pub"]),
            &["is no DSSE envelope"],
        ),
        (
            create(&[&signed[..], &["--key", "key.pub", "--rfc3161-timestamp", "blob"]].concat()),
            &["timestamp"],
        ),
        (
            create(&["--signature", "signature", "--key", "key.pub", "--rekor-url", "http://127.0.0.1:9"]),
            &["127.0.0.1:9", "look the signature up"],
        ),
        (create(&["--bundle", "made-none", "--ignore-tlog", "--key", "key.pub"]), &["made-none"]),
        (vec!["bundle", "create", "--signature", "signature", "--key", "key.pub"], &["--artifact"]),
    ];
    for (arguments, words) in cases {
        world.refuse(&arguments, words);
        assert!(!world.path("made").exists(), "{arguments:?} writes a bundle");
    }
    let other = ["bundle", "create", "--artifact", "other-blob", "--key", "key.pub", "--out", "made"];
    world.refuse(&[&other[..], &signed].concat(), &["does not match"]);
    world
        .run(&create(&[&signed[..], &["--key", "key.pub"]].concat()))
        .ok()
        .says(&["Wrote bundle to file made"]);
    world
        .run(&["verify-blob", "--insecure-ignore-tlog", "--key", "key.pub", "--bundle", "made", "blob"])
        .ok();
}

#[test]
fn a_bundle_of_the_newest_version_stays_as_it_is() {
    let Some(world) = world() else { return };
    world.sign("blob");
    let printed = world.run(&["bundle", "upgrade", "blob.sigstore.json"]).ok();
    printed.says(&["of version 0.3 already"]);
    assert_eq!(printed.stdout.trim_end(), world.read("blob.sigstore.json").trim_end());
    world.refuse(&["bundle", "upgrade", "older"], &["Cosign's own older bundle", "bundle create"]);
    world.refuse(&["bundle", "upgrade", "blob"], &["cannot upgrade the bundle blob"]);
    world.refuse(&["bundle", "upgrade", "absent"], &["absent"]);
    world.refuse(&["bundle", "upgrade"], &["BUNDLE"]);
}
