//! Ctrl-C, time limits, readers that go away, and a tool that breaks: each ends cleanly and says what it was.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::world::{DEADLINE, PASSWORD, SIGN, VERIFY, World, signal};

fn sign<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SIGN[..], &["--key", "key.pem"], more].concat()
}

/// Polls until `done`, or fails at the deadline.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "{what} does not come about");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A batch of `a`, a pipe and `b` that has begun to read the pipe, and the pipe's other end.
fn batch(world: &World) -> (Child, std::fs::File) {
    let fifo = world.fifo("pipe");
    world.write("a", "a");
    world.write("b", "b");
    let child = world.command(&sign(&["a", "pipe", "b"])).spawn().expect("setsid starts");
    let writer = OpenOptions::new().write(true).open(fifo).expect("the run opens the pipe");
    (child, writer)
}

/// Waits until the process has SIGINT among the signals that it handles.
pub(super) fn until_watching(child: &Child) {
    until("watching for SIGINT", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 0b10 != 0)
    });
}

#[test]
fn ctrl_c_finishes_the_file_under_way_and_sums_up() {
    let Some(world) = World::new() else { return };
    let (child, mut writer) = batch(&world);
    until_watching(&child);
    signal(child.id(), "INT");
    writer.write_all(b"the rest of the pipe").expect("the run still reads");
    drop(writer);
    world.wait(child, "the batch").failed_with(
        130,
        &[
            "Signed 2 of 3 files",
            "0 failed, 1 not begun",
            "interrupted after 2 of 3 files",
            "hint: run it again",
        ],
    );
    assert!(world.exists("a.sigstore.json") && !world.exists("b.sigstore.json"));
    world.write("same", "the rest of the pipe");
    let finished = ["--key", "key.pub", "--bundle", "pipe.sigstore.json", "same"];
    world.run(&[&VERIFY[..], &finished].concat()).ok();
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let Some(world) = World::new() else { return };
    let (mut child, writer) = batch(&world);
    until_watching(&child);
    signal(child.id(), "INT");
    until("the end", || {
        // One more of the same signal may merge with one that is pending: it is sent until it has been seen.
        let ended = child.try_wait().expect("a child can be waited for").is_some();
        if !ended {
            signal(child.id(), "INT");
        }
        ended
    });
    drop(writer);
    let ended = world.wait(child, "the batch");
    assert_eq!(ended.code, Some(130));
    assert!(!world.exists("pipe.sigstore.json"));
}

/// E.2 35, as far as files go: the limit holds for an artifact, a key and a password that do not come.
#[test]
fn the_time_limit_holds_for_silent_pipes() {
    let Some(world) = World::new() else { return };
    world.sealed_key();
    world.write("blob", "blob");
    let fifo = world.fifo("pipe");
    // Both ends open, so that opening does not wait, and nothing written.
    let _silent = OpenOptions::new().read(true).write(true).open(fifo).expect("a pipe");
    let words = ["the time limit passed", "hint: raise it with --timeout"];
    world.refuse(&sign(&["--timeout", "300ms", "pipe"]), &words);
    let key = [&SIGN[..], &["--timeout", "300ms", "--key", "pipe", "blob"]].concat();
    world.refuse(&key, &words);
    world.refuse(&["public-key", "--timeout", "300ms", "--key", "pipe"], &words);
    let sealed = [&SIGN[..], &["--timeout", "300ms", "--key", "cosign.key", "blob"]].concat();
    world.refuse(&[&sealed[..], &["--password-source", "file:pipe"]].concat(), &words);
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    world.refuse_command(world.command(&sealed).stdin(reader), &words);
}

/// E.2 35 for everything else that is read from a file.
#[test]
fn the_time_limit_holds_for_bundles_lists_and_configs() {
    let Some(world) = World::new() else { return };
    world.write("blob", "blob");
    world.fifo("pipe");
    let words = ["the time limit passed", "hint: raise it with --timeout"];
    let limit = ["--timeout", "300ms"];
    for arguments in [
        [&VERIFY[..], &["--key", "key.pub", "--bundle", "pipe", "blob"]].concat(),
        [&VERIFY[..], &["--key", "key.pub", "--signature", "pipe", "blob"]].concat(),
        vec!["bundle", "inspect", "pipe"],
        vec!["import-key-pair", "--key", "pipe"],
        vec!["sign-blob", "--key", "key.pem", "--signing-config", "pipe", "blob"],
        sign(&["--files-from", "pipe"]),
    ] {
        world.refuse(&[&arguments[..], &limit].concat(), &words);
    }
}

/// Opening a named pipe waits for its other end, before there is anything to read.
#[test]
fn the_time_limit_holds_for_pipes_that_nobody_opens() {
    let Some(world) = World::new() else { return };
    world.sealed_key();
    world.write("blob", "blob");
    world.fifo("pipe");
    let words = ["the time limit passed", "hint: raise it with --timeout"];
    for arguments in [
        sign(&["--timeout", "300ms", "pipe"]),
        [&SIGN[..], &["--timeout", "300ms", "--key", "pipe", "blob"]].concat(),
        [&SIGN[..], &["--timeout", "300ms", "--key", "cosign.key", "--password-source", "file:pipe", "blob"]]
            .concat(),
    ] {
        world.refuse(&arguments, &words);
    }
}

/// Runs `sign-blob` with each password program, and waits for the process whose number the program writes to `pid`.
fn stopped(programs: &[(&str, &str)]) {
    let Some(world) = World::new() else { return };
    world.sealed_key();
    world.write("blob", "blob");
    for (name, text) in programs {
        let source = format!("command:{}", world.script(name, text));
        let arguments = ["--timeout", "500ms", "--key", "cosign.key", "--password-source", &source, "blob"];
        world.run(&[&SIGN[..], &arguments].concat()).failed(&["the time limit passed", "hint: raise it"]);
        assert!(!world.exists("blob.sigstore.json"));
        let pid = world.read("pid").trim().to_owned();
        until(&format!("the end of the program `{name}`"), || !Path::new("/proc").join(&pid).exists());
    }
}

/// E.2 35: a program that hangs is stopped, and gone afterwards.
#[test]
fn the_time_limit_holds_for_password_commands() {
    let talking = format!("echo $$ > pid; printf {PASSWORD}; exec sleep 300");
    stopped(&[("silent", "echo $$ > pid; exec sleep 300"), ("talking", &talking)]);
}

/// Who reads the program's output sees its end, and the program still runs.
#[test]
fn the_time_limit_holds_for_password_commands_that_close_their_output() {
    stopped(&[("closed", "echo $$ > pid; exec sleep 300 >&-")]);
}

/// A wrapper script around a password manager is the usual case: its child is to go with it.
#[test]
fn the_time_limit_holds_for_the_children_of_password_commands() {
    stopped(&[("parent", "sleep 300 2>&- & echo $! > pid; wait")]);
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let Some(world) = World::new() else { return };
    world.write("blob", "blob");
    let detached = sign(&["--new-bundle-format=false", "blob"]);
    for arguments in [
        &["public-key", "--key", "key.pem"][..],
        &["help"],
        &["completion", "bash"],
        &["env"],
        &["help", "--man"],
        &detached,
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ended = world.end(world.command(arguments).stdout(writer)).ok();
        ended.says_nothing_of(&["roken pipe", "panicked", "countersign broke", "Error"]);
    }
    // Standard error gone as well: the work is done all the same.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = world.command(&sign(&["blob"]));
    world.end(command.stderr(writer)).ok();
    assert!(world.exists("blob.sigstore.json"));
}

/// E.2 22: a panic ends with a code of its own and shows no values. No input is known that causes one; a thread that the
/// system refuses to start does.
#[test]
fn a_panic_ends_with_its_own_code() {
    let Some(world) = World::new() else { return };
    world.sealed_key();
    let mut command = world.command(&[&SIGN[..], &["--key", "cosign.key", "--bundle", "b", "-"]].concat());
    command.env("COSIGN_PASSWORD", PASSWORD).env("RUST_MIN_STACK", (1_u64 << 62).to_string());
    let ended = world.end(&mut command);
    assert_eq!(ended.code, Some(70), "{}", ended.stderr);
    ended.says(&["Error: countersign broke at ", "hint: this is a bug: please report"]);
    assert!(!world.exists("b"));
}
