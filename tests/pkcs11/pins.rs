//! Where a PIN may not go and may not show: other tokens, the process list, what is left of a crash.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::commands::{World, refused_sign};
use crate::support::tokens::{Chaos, Control, PIN, Rig, SO_PIN, SoftHsm};
use crate::support::{self, openssl, stderr, succeed};

const KEY: &str = "pkcs11:token=countersign;object=p256";
/// Of the second token.
const OTHER_PIN: &str = "918273";
/// Against hanging only.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "{what} does not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A program for `pin-source` in the directory of the world; its URI form.
fn program(world: &World, text: &str) -> String {
    let path = world.path("program");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    format!("{KEY}?pin-source=%7C{}", path.display())
}

/// The process and all that it started.
fn family(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|number| number.parse::<u32>().ok()));
        }
        next += 1;
    }
    found
}

/// What everybody on the machine sees of a process, and what its own user sees.
fn shown(process: u32) -> Vec<u8> {
    let read = |file| fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
    ["cmdline", "environ", "comm"].map(read).concat()
}

fn has(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Ends a child that hangs, whatever becomes of the test.
struct Hanging(Child);

impl Drop for Hanging {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The slots that somebody logged in to, or tried. Each process counts its sessions from one.
fn slots_logged_in(control: &Control) -> BTreeSet<String> {
    let log = control.log();
    let word = |line: &str, start: &str| {
        let found = line.split_whitespace().find_map(|word| word.strip_prefix(start).map(str::to_owned));
        found.unwrap_or_else(|| panic!("no {start} in {line}"))
    };
    let slot = |login: usize| {
        let session = word(&log[login], "session=");
        let mut opened = log[..login].iter().rev().filter(|line| line.starts_with("C_OpenSession 0x0"));
        word(opened.find(|line| word(line, "session=") == session).unwrap(), "slot=")
    };
    (0..log.len()).filter(|at| log[*at].starts_with("C_Login")).map(slot).collect()
}

/// E.2 31: a PIN goes to the token that the URI names. Where the URI leaves two, it goes to neither.
#[test]
fn a_pin_is_never_sent_to_a_token_that_was_not_named() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    let util = |arguments: &[&str]| {
        let mut util = Command::new("softhsm2-util");
        util.args(arguments).envs(token.environment()).current_dir(world.path("")).stdin(Stdio::null());
        succeed(&mut util);
    };
    util(&["--init-token", "--free", "--label", "other", "--so-pin", SO_PIN, "--pin", OTHER_PIN]);
    let key = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key"];
    succeed(openssl().unwrap().args(key).current_dir(world.path("")));
    util(&["--import", "key", "--token", "other", "--label", "p256", "--id", "01", "--pin", OTHER_PIN]);
    let Some(chaos) = Chaos::over(token) else { return };
    let world = World::new(&chaos);
    for several in ["pkcs11:object=p256", "pkcs11:id=%01", "pkcs11:object=p256;id=%01"] {
        world.refuse(&refused_sign(several), Some(PIN), &["2 match", "token=countersign", "token=other"]);
    }
    assert_eq!(chaos.count("C_Login"), 0, "{:?}", chaos.log());
    world.sign(KEY, "named.json", Some(PIN));
    let named = slots_logged_in(&chaos);
    assert_eq!((named.len(), chaos.count("C_Login")), (1, 1), "{:?}", chaos.log());
    // The key is on the other token alone, which does not make the other the one that was named.
    world.refuse(&refused_sign("pkcs11:token=other;object=p384"), Some(OTHER_PIN), &["Error: cannot "]);
    world.sign("pkcs11:token=other;object=p256", "other.json", Some(OTHER_PIN));
    let both = slots_logged_in(&chaos);
    assert_eq!(both.len(), 2, "{:?}", chaos.log());
    assert!(both.is_superset(&named));
    let refused: Vec<_> = chaos.log().into_iter().filter(|line| line.starts_with("C_Login 0xa")).collect();
    assert!(refused.is_empty(), "a PIN went to the wrong token: {refused:?}");
}

/// E.2 31: while the token signs, neither the command line nor the environment of the process, or of one that it
/// started, holds the PIN; and if it crashed, no core would be written.
#[test]
fn the_process_list_shows_no_pin() {
    let Some(chaos) = SoftHsm::new().and_then(Chaos::over) else { return };
    let world = World::new(&chaos);
    fs::write(world.path("pin"), PIN).unwrap();
    let look = format!(
        "cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline /proc/$PPID/environ >seen\ncat {}",
        world.path("pin").display()
    );
    let from_file = format!("{KEY}?pin-source=file:{}", world.path("pin").display());
    for key in [from_file, program(&world, &look)] {
        chaos.rules("C_Sign hang");
        let hangs = chaos.count("hang");
        let mut command = world.prepare(support::countersign(), &refused_sign(&key), None);
        let child = Hanging(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the signature", || chaos.count("hang") > hangs);
        for process in family(child.0.id()) {
            let shown = shown(process);
            assert!(!shown.is_empty(), "nothing is seen of process {process}");
            assert!(!has(&shown, PIN), "{key}: {}", String::from_utf8_lossy(&shown));
        }
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.0.id())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    }
    // What the program saw of itself and of us.
    let seen = fs::read(world.path("seen")).unwrap();
    assert!(has(&seen, "sign-blob"), "the program saw nothing of us");
    assert!(!has(&seen, PIN), "{}", String::from_utf8_lossy(&seen));
}

/// E.2 31: a module that crashes with the PIN in its hands, and a panic of our own, with all that may be asked to print.
#[test]
fn a_crash_shows_no_pin() {
    let Some(chaos) = SoftHsm::new().and_then(Chaos::over) else { return };
    let world = World::new(&chaos);
    let in_uri = format!("{KEY}?pin-value={PIN}");
    for (key, pin) in [(KEY, Some(PIN)), (&in_uri, None)] {
        for function in ["C_Login", "C_SignInit", "C_Sign"] {
            chaos.rules(&format!("{function} crash"));
            let crashes = chaos.count("crash");
            // That no PIN shows is asserted of every run.
            world.refuse(&refused_sign(key), pin, &[]);
            assert_eq!(chaos.count("crash"), crashes + 1, "{function}: {:?}", chaos.log());
        }
        chaos.rules("");
        // A thread that the system refuses to start panics.
        let mut command = world.prepare(support::countersign(), &refused_sign(key), pin);
        command.env("RUST_MIN_STACK", (1_u64 << 62).to_string()).env("RUST_BACKTRACE", "full");
        let output = support::run(&mut command);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(70), "{said}");
        assert!(said.contains("countersign broke") && !said.contains(PIN), "{said}");
    }
}

/// E.2 35: a program that is asked for the PIN and does not answer is stopped at the time limit, and no PIN is sent.
#[test]
fn a_program_that_hangs_instead_of_telling_the_pin_is_stopped() {
    let Some(chaos) = SoftHsm::new().and_then(Chaos::over) else { return };
    let world = World::new(&chaos);
    for text in ["echo $$ >process; exec sleep 300", "echo $$ >process; printf 1234; exec sleep 300"] {
        let key = program(&world, text);
        let limited = [&refused_sign(&key)[..], &["--timeout", "1s"]].concat();
        world.refuse(&limited, None, &["the time limit passed"]);
        let process = fs::read_to_string(world.path("process")).unwrap();
        until("the program's end", || !Path::new("/proc").join(process.trim()).exists());
    }
    assert_eq!(chaos.count("C_Login"), 0);
}

/// E.2 31: a program that tells the PIN gets no PIN from us, though the variable for tokens is set.
#[test]
fn a_program_that_tells_the_pin_inherits_none() {
    let Some(token) = SoftHsm::new() else { return };
    let world = World::new(&token);
    let key = program(&world, &format!("cat /proc/$$/environ >seen\necho {PIN}"));
    world.sign(&key, "program.json", Some(OTHER_PIN));
    let seen = fs::read(world.path("seen")).unwrap();
    assert!(!seen.is_empty() && !has(&seen, OTHER_PIN), "{}", String::from_utf8_lossy(&seen));
}

/// E.2 31: the doctor needs no PIN, so the process that looks for it gets none.
#[test]
fn the_doctors_process_gets_no_pin() {
    let Some(chaos) = SoftHsm::new().and_then(Chaos::over) else { return };
    let world = World::new(&chaos);
    chaos.rules("C_GetTokenInfo hang");
    let key = format!("{KEY}?pin-value={PIN}");
    let mut command = world.prepare(support::countersign(), &["keys", "doctor", &key], Some(OTHER_PIN));
    let child = Hanging(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("the look", || chaos.count("hang") == 1);
    let started: Vec<_> = family(child.0.id()).into_iter().skip(1).collect();
    assert!(!started.is_empty(), "no process was started");
    let shown: Vec<_> = started.iter().flat_map(|process| shown(*process)).collect();
    // They hang as well.
    for process in started {
        succeed(Command::new("kill").args(["-9", &process.to_string()]));
    }
    for pin in [PIN, OTHER_PIN] {
        assert!(!has(&shown, pin), "{}", String::from_utf8_lossy(&shown));
    }
}
