//! Many files in one call: what is settled before anything is signed, and that one bad file stops no other.

use super::world::{SIGN, VERIFY, World};

fn sign<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SIGN[..], &["--key", "key.pem"], more].concat()
}

fn world() -> Option<World> {
    let world = World::new()?;
    for name in ["a", "b", "c"] {
        world.write(name, name);
    }
    Some(world)
}

#[test]
fn one_bad_file_stops_no_other() {
    let Some(world) = world() else { return };
    std::fs::create_dir(world.path("directory")).expect("a directory");
    let ended = world.run(&sign(&["a", "directory", "absent", "b"])).failed(&[
        "Error: cannot read directory: it is a directory",
        "Error: cannot read absent",
        "Signed 2 of 4 files with key.pem, 2 failed",
        "cannot sign 2 of 4 files",
    ]);
    assert!(ended.stderr.find("absent") < ended.stderr.find("Signed 2"), "the summary does not come last");
    for name in ["a", "b"] {
        assert!(world.exists(&format!("{name}.sigstore.json")), "{name} was not signed");
    }
    for name in ["directory", "absent"] {
        assert!(!world.exists(&format!("{name}.sigstore.json")), "{name} has a bundle");
    }
    let verify = [&VERIFY[..], &["--key", "key.pub", "a", "absent", "b"]].concat();
    let ended =
        world.refuse(&verify, &["a: Verified OK", "b: Verified OK", "absent", "Verified 2 of 3 files"]);
    ended.says(&["cannot verify 1 of 3 files"]);
}

#[test]
fn one_unreadable_directory_for_bundles_stops_no_other() {
    let Some(world) = world() else { return };
    // The bundle cannot be put where a directory is.
    std::fs::create_dir(world.path("b.sigstore.json")).expect("a directory");
    world.run(&sign(&["-y", "a", "b", "c"])).failed(&[
        "cannot write b.sigstore.json",
        "Signed 2 of 3 files",
        "1 failed",
    ]);
    world.run(&[&VERIFY[..], &["--key", "key.pub", "a", "c"]].concat()).ok();
}

#[test]
fn takes_files_from_arguments_and_lists() {
    let Some(world) = world() else { return };
    world.write("with space", "with space");
    world.write("list", "b\n\nwith space\n");
    std::fs::create_dir(world.path("out")).expect("a directory");
    world
        .run(&sign(&["--files-from", "list", "--bundle-dir", "out", "a"]))
        .ok()
        .says(&["Signed 3 of 3 files"]);
    for name in ["a", "b", "with space"] {
        assert!(world.exists(&format!("out/{name}.sigstore.json")), "{name} was not signed");
    }
    let list = &mut world.command(&sign(&["--files-from", "-"]));
    world.end_with_input(list, b"a\nc\n").ok().says(&["Signed 2 of 2 files"]);
}

#[test]
fn refuses_two_outputs_with_one_name_before_anything_is_signed() {
    let Some(world) = world() else { return };
    for directory in ["one", "two", "out"] {
        std::fs::create_dir(world.path(directory)).expect("a directory");
    }
    world.write("one/x", "1");
    world.write("two/x", "2");
    let words = ["one/x and two/x would both write out/x.sigstore.json", "hint: "];
    world.refuse(&sign(&["--bundle-dir", "out", "a", "one/x", "two/x"]), &words);
    world.refuse(&sign(&["-y", "a", "b", "a"]), &["a and a would both write a.sigstore.json", "hint: "]);
    world.refuse(&sign(&["a", "./a"]), &["would both write"]);
    world.run(&sign(&["one/x", "two/x"])).ok();
}

#[test]
fn keeps_existing_bundles_unless_told_otherwise() {
    let Some(world) = world() else { return };
    world.write("b.sigstore.json", "precious");
    let words = ["cannot write b.sigstore.json", "it exists", "hint: pass -y"];
    world.refuse(&sign(&["a", "b", "c"]), &words);
    assert_eq!(world.read("b.sigstore.json"), "precious");
    world.run(&sign(&["-y", "a", "b", "c"])).ok();
    world.run(&[&VERIFY[..], &["--key", "key.pub", "a", "b", "c"]].concat()).ok();
}

/// An existing bundle named with --bundle is overwritten, as in Cosign: the user named the very file.
#[test]
fn a_named_bundle_is_overwritten() {
    let Some(world) = world() else { return };
    world.write("named", "old");
    world.run(&sign(&["--bundle", "named", "a"])).ok();
    world.run(&[&VERIFY[..], &["--key", "key.pub", "--bundle", "named", "a"]].concat()).ok();
}

#[test]
fn refuses_one_output_for_several_files() {
    let Some(world) = world() else { return };
    let words = ["--bundle and --output-signature name one file", "hint: leave them out"];
    world.refuse(&sign(&["--bundle", "x", "a", "b"]), &words);
    world.refuse(&sign(&["--output-signature", "x", "a", "b"]), &words);
    world.refuse(&sign(&["--bundle", "x", "--bundle-dir", ".", "a"]), &["--bundle", "--bundle-dir"]);
    let verify = [&VERIFY[..], &["--key", "key.pub", "--bundle", "x", "a", "b"]].concat();
    world.refuse(&verify, &["belong to one file", "hint: leave them out"]);
}

#[test]
fn refuses_lists_that_cannot_be_meant() {
    let Some(world) = world() else { return };
    world.write("empty", "\n\n");
    world.write("bundles", "a\nb.sigstore.json\n");
    world.write("dash", "a\n-\n");
    world.write("binary", [0x61, 0x0a, 0xff, 0xfe]);
    for (list, words) in [
        ("empty", &["there is no file to sign: the list is empty"][..]),
        (
            "bundles",
            &[
                "b.sigstore.json first: a bundle is not signed itself",
                "hint: leave names that end in .sigstore.json out",
            ],
        ),
        ("dash", &["standard input (-) cannot stand in a list"]),
        ("binary", &["cannot read the list binary"]),
        ("absent", &["cannot read the list absent"]),
    ] {
        world.refuse(&sign(&["--files-from", list]), words);
    }
    world.refuse(&sign(&[]), &["missing: ", "FILE"]);
}
