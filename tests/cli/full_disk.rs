//! A disk that fills up: what does not fit is absent, what was there is unharmed. The disk is a small tmpfs in a mount
//! namespace of its own, which only root can make (or a user where user namespaces are allowed).

use std::fs;
use std::path::Path;
use std::process::Command;

use super::world::{Ended, PASSWORD, SIGN, VERIFY, World};

/// Mounts a disk of `$1` pages of 4 KiB, copies `before` onto it, runs the rest of the arguments with `-y` free to use it,
/// and takes what is on the disk at the end to `after`.
const STAGE: &str = r#"
set -e
pages=$1; shift
mount -t tmpfs -o size=$((pages * 4096)) tmpfs disk
cp -R before/. disk/
code=0
"$@" || code=$?
cp -R disk/. after/
exit $code
"#;

/// The words before `mount` that make a namespace here, or `None` after saying why not.
fn namespace(world: &World) -> Option<&'static [&'static str]> {
    for options in [&["--mount"][..], &["--mount", "--map-root-user"]] {
        let probe = Command::new("unshare")
            .args(options)
            .args(["sh", "-c", "mount -t tmpfs -o size=4096 tmpfs disk"])
            .current_dir(world.root())
            .output();
        if probe.is_ok_and(|output| output.status.success()) {
            return Some(options);
        }
    }
    let required = std::env::var_os("REQUIRE_RIGS").is_some_and(|value| value == "1");
    assert!(!required, "REQUIRE_RIGS=1 and no tmpfs can be mounted: run as root, with util-linux");
    eprintln!("SKIPPED: no tmpfs can be mounted in a namespace of its own");
    None
}

struct Stage {
    world: World,
    namespace: &'static [&'static str],
}

impl Stage {
    fn new() -> Option<Self> {
        let world = World::new()?;
        for directory in ["disk", "before", "after"] {
            fs::create_dir(world.path(directory)).expect("a directory");
        }
        let namespace = namespace(&world)?;
        for name in ["a", "b", "c", "d"] {
            world.write(name, name);
        }
        Some(Self { world, namespace })
    }

    fn run(&self, pages: usize, arguments: &[&str]) -> Ended {
        let tool = self.world.command(arguments);
        let mut command = Command::new("unshare");
        command.args(self.namespace).args(["sh", "-c", STAGE, "sh", &pages.to_string()]);
        command.arg(tool.get_program()).args(tool.get_args()).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("COSIGN_PASSWORD", PASSWORD);
        command.current_dir(self.world.root()).stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        self.world.end(&mut command)
    }

    /// What was on the disk at the end.
    fn after(&self) -> Vec<String> {
        let entries = fs::read_dir(self.world.path("after")).expect("the copy of the disk");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

#[test]
fn bundles_that_do_not_fit_are_absent_and_the_others_unharmed() {
    let Some(stage) = Stage::new() else { return };
    let world = &stage.world;
    world.write("before/precious", "precious");
    world.write("before/d.sigstore.json", "old");
    // Two pages are taken; two bundles fit beside them, and then nothing can replace the old one.
    let arguments =
        [&SIGN[..], &["--key", "key.pem", "-y", "--bundle-dir", "disk", "a", "b", "c", "d"]].concat();
    stage.run(4, &arguments).failed(&[
        "cannot write disk/c.sigstore.json",
        "no space left on device",
        "cannot write disk/d.sigstore.json",
        "Signed 2 of 4 files",
        "2 failed",
    ]);
    assert_eq!(stage.after(), ["a.sigstore.json", "b.sigstore.json", "d.sigstore.json", "precious"]);
    assert_eq!(world.read("after/precious"), "precious");
    assert_eq!(world.read("after/d.sigstore.json"), "old");
    for name in ["a", "b"] {
        let bundle = format!("after/{name}.sigstore.json");
        world.run(&[&VERIFY[..], &["--key", "key.pub", "--bundle", &bundle, name]].concat()).ok();
    }
}

#[test]
fn other_outputs_that_do_not_fit_are_absent_too() {
    let Some(stage) = Stage::new() else { return };
    stage.world.write("before/precious", "precious");
    let key = ["--key", "key.pem", "a"];
    for arguments in [
        &["sign-blob", "--tlog-upload=false", "--bundle", "disk/x"][..],
        &["sign-blob", "--tlog-upload=false", "--output-signature", "disk/x"],
        &["sign-blob", "--tlog-upload=false", "--bundle", "out", "--report=disk/x"],
    ] {
        stage.run(1, &[arguments, &key].concat()).failed(&["cannot write disk/x", "no space left on device"]);
        assert_eq!(stage.after(), ["precious"]);
    }
    let arguments = ["public-key", "--key", "key.pem", "--outfile", "disk/x"];
    stage.run(1, &arguments).failed(&["cannot write disk/x", "no space left on device"]);
    assert_eq!(stage.after(), ["precious"]);
}

#[test]
fn half_a_key_pair_is_not_left() {
    let Some(stage) = Stage::new() else { return };
    stage.world.write("before/precious", "precious");
    for pages in [1, 2] {
        let arguments = ["generate-key-pair", "--output-key-prefix", "disk/new"];
        stage.run(pages, &arguments).failed(&["cannot write disk/new", "no space left on device"]);
        assert_eq!(stage.after(), ["precious"], "with {pages} pages");
    }
}

/// `/dev/full` is a disk without room: standard output that cannot be written is no success.
#[test]
fn a_full_standard_output_is_an_error() {
    let Some(world) = World::new() else { return };
    if !Path::new("/dev/full").exists() {
        eprintln!("SKIPPED: there is no /dev/full");
        return;
    }
    for arguments in
        [&["public-key", "--key", "key.pem"][..], &["version"], &["help"], &["completion", "bash"], &["env"]]
    {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let ended = world.end(world.command(arguments).stdout(full));
        ended.failed(&["cannot write to standard output", "no space left on device"]);
    }
}
