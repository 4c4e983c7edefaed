//! Where the password of a key comes from, what happens when it is wrong or missing, and that it shows nowhere.

use std::fs;
use std::process::Stdio;

use super::world::{PASSWORD, SIGN, WRONG_PASSWORD, World};
use crate::support;

fn sign<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SIGN[..], &["--key", "cosign.key"], more, &["blob"]].concat()
}

#[test]
fn refuses_a_wrong_password() {
    let Some(world) = World::sealed() else { return };
    let mut command = world.command(&sign(&[]));
    let ended = world.refuse_command(
        command.env("COSIGN_PASSWORD", WRONG_PASSWORD),
        &["cannot decrypt the private key cosign.key", "hint: ", "COSIGN_PASSWORD"],
    );
    // One fact: nothing that helps a guesser.
    ended.says_nothing_of(&["scrypt", "secretbox"]);
}

#[test]
fn without_password_and_terminal_the_error_comes_at_once() {
    let Some(world) = World::sealed() else { return };
    let words = ["cannot get the password for cosign.key", "no terminal", "hint: set COSIGN_PASSWORD"];
    world.refuse(&sign(&[]), &words);
    world.refuse(&sign(&["--password-source", "prompt"]), &words);
    world.refuse(&["public-key", "--key", "cosign.key"], &words);
    let generate = ["generate-key-pair", "--output-key-prefix", "new"];
    world.refuse(&generate, &["cannot get the password for new.key", "no terminal"]);
    world.refuse(&["import-key-pair", "--key", "key.pem"], &["import-cosign.key", "no terminal"]);
}

#[test]
fn takes_the_password_from_each_source() {
    let Some(world) = World::sealed() else { return };
    // One line ending is cut off where people type or programs print the password.
    for (name, content) in [("word", PASSWORD.to_owned()), ("line", format!("{PASSWORD}\n"))] {
        world.write(name, content);
        world.end(&mut world.command(&sign(&["-y", "--password-source", &format!("file:{name}")]))).ok();
        let source = format!("command:/bin/cat {name}");
        world.end(&mut world.command(&sign(&["-y", "--password-source", &source]))).ok();
    }
    let mut variable = world.command(&sign(&["-y", "--password-source", "env:CI_KEY_PASSWORD"]));
    // The named source is the only one asked.
    variable.env("CI_KEY_PASSWORD", PASSWORD).env("COSIGN_PASSWORD", WRONG_PASSWORD);
    world.end(&mut variable).ok();
    let mut descriptor = std::process::Command::new("sh");
    let run = r#"exec setsid --wait "$0" "$@" 3< line"#;
    descriptor.args(["-c", run, env!("CARGO_BIN_EXE_countersign")]);
    descriptor.args(sign(&["-y", "--password-source", "fd:3"])).env_clear().env("PATH", "/usr/bin:/bin");
    descriptor.current_dir(world.root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    world.end(&mut descriptor).ok();
    let mut stdin = world.command(&sign(&["-y", "--password-source", "stdin"]));
    world.end_with_input(&mut stdin, PASSWORD.as_bytes()).ok();
    world.end_with_input(&mut world.command(&sign(&["-y"])), PASSWORD.as_bytes()).ok();
}

#[test]
fn takes_a_pipe_as_it_stands() {
    let Some(world) = World::sealed() else { return };
    let mut generate = world.command(&["generate-key-pair", "--output-key-prefix", "piped"]);
    world.end_with_input(&mut generate, format!("{PASSWORD}\n").as_bytes()).ok();
    let arguments = [&SIGN[..], &["-y", "--key", "piped.key", "blob"]].concat();
    world.end_with_input(&mut world.command(&arguments), format!("{PASSWORD}\n").as_bytes()).ok();
    let ended = world.end_with_input(&mut world.command(&arguments), PASSWORD.as_bytes());
    ended.failed(&["cannot decrypt the private key piped.key"]);
    // Cosign, which takes a pipe the same way, opens the key with the line ending as well.
    let Some(mut cosign) = support::cosign() else { return };
    let public = cosign.args(["public-key", "--key", "piped.key"]).current_dir(world.root());
    let public = support::succeed(public.env("COSIGN_PASSWORD", format!("{PASSWORD}\n")));
    assert_eq!(support::stdout(&public).trim(), world.read("piped.pub").trim());
}

#[test]
fn an_empty_password_is_a_password() {
    let Some(world) = World::sealed() else { return };
    let mut generate = world.command(&["generate-key-pair", "--output-key-prefix", "empty"]);
    world.end(generate.env("COSIGN_PASSWORD", "")).ok();
    let arguments = [&SIGN[..], &["--key", "empty.key", "blob"]].concat();
    world.refuse(&arguments, &["no password was given"]);
    world.end(world.command(&arguments).env("COSIGN_PASSWORD", "")).ok();
}

#[test]
fn a_source_that_cannot_serve_says_so_and_shows_nothing() {
    let Some(world) = World::sealed() else { return };
    world.write("long", PASSWORD.repeat(500));
    let failing = world.script("failing", &format!("echo {PASSWORD}; exit 3"));
    let failing = format!("command:{failing}");
    for (source, words) in [
        ("env:ABSENT", &["the variable ABSENT is not set"][..]),
        ("file:absent", &["absent", "hint: check the path in --password-source"]),
        ("fd:99", &["/dev/fd/99"]),
        ("file:long", &["it is longer than 4096 bytes"]),
        ("command:/absent/program", &["/absent/program", "hint: check the path in --password-source"]),
        (&failing, &["failing", "it ended with exit status: 3"]),
        ("command:cat line", &["--password-source", "absolute path"]),
        // Somebody may type the password itself: it is not repeated.
        (PASSWORD, &["--password-source", "expected prompt, stdin, env:NAME"]),
    ] {
        world.refuse(&sign(&["--password-source", source]), words);
    }
}

#[test]
fn commands_can_be_forbidden() {
    let Some(world) = World::sealed() else { return };
    let program = world.script("program", &format!("touch ran; echo {PASSWORD}"));
    let arguments = sign(&["--password-source", &format!("command:{program}")]).join("\n");
    let mut command = world.command(&arguments.split('\n').collect::<Vec<_>>());
    let words = ["cannot get the password for cosign.key", "COUNTERSIGN_NO_COMMANDS forbids commands"];
    world.refuse_command(command.env("COUNTERSIGN_NO_COMMANDS", "1"), &words);
    assert!(!world.exists("ran"), "the program ran");
    world
        .end(world.command(&arguments.split('\n').collect::<Vec<_>>()).env("COUNTERSIGN_NO_COMMANDS", ""))
        .ok();
    assert!(world.exists("ran"), "the program did not run");
}

#[test]
fn a_program_gets_no_shell_and_no_password() {
    let Some(world) = World::sealed() else { return };
    let program = world
        .script("program", &format!("printf '%s\\n' \"$@\" \"$COSIGN_PASSWORD\" > seen; echo {PASSWORD}"));
    let source = format!("command:{program} $(touch ran) ;touch ran");
    let mut command = world.command(&sign(&["--password-source", &source]));
    world.end(command.env("COSIGN_PASSWORD", WRONG_PASSWORD)).ok();
    assert_eq!(world.read("seen"), "$(touch\nran)\n;touch\nran\n\n");
    assert!(!world.exists("ran"), "a shell ran");
}

#[test]
fn standard_input_is_not_asked_when_it_is_the_artifact_or_the_list() {
    let Some(world) = World::sealed() else { return };
    let base = [&SIGN[..], &["--key", "cosign.key"]].concat();
    for input in [&["--bundle", "out.json", "-"][..], &["--files-from", "-"]] {
        let arguments = [&base[..], input].concat();
        let ended = world.end_with_input(&mut world.command(&arguments), b"blob\n");
        ended.failed(&["no password was given"]);
        let arguments = [&base[..], &["--password-source", "stdin"], input].concat();
        let ended = world.end_with_input(&mut world.command(&arguments), b"blob\n");
        ended.failed(&["standard input is the artifact or the list of files"]);
        let arguments = [&base[..], input].concat();
        let mut command = world.command(&arguments);
        world.end_with_input(command.env("COSIGN_PASSWORD", PASSWORD), b"blob\n").ok();
    }
}

#[test]
fn asks_once_for_many_files() {
    let Some(world) = World::sealed() else { return };
    let program = world.script("program", &format!("echo x >> asked; echo {PASSWORD}"));
    let source = format!("command:{program}");
    world.write("more", "more");
    world.run(&sign(&["--password-source", &source, "more"])).ok();
    assert_eq!(world.read("asked"), "x\n");
}

/// What `ps` shows of a run: its arguments, and to the same user its first environment.
#[test]
fn the_password_is_never_an_argument() {
    let Some(world) = World::sealed() else { return };
    let fifo = world.fifo("pipe");
    world.write("word", PASSWORD);
    let arguments =
        [&SIGN[..], &["--key", "cosign.key", "--password-source", "file:word", "pipe", "--bundle", "b"]];
    let child = world.command(&arguments.concat()).spawn().expect("setsid starts");
    // Opening returns once the other side has opened too: then the key is unlocked and the run is under way.
    let writer = fs::OpenOptions::new().write(true).open(fifo).expect("the run opens its artifact");
    for file in ["cmdline", "environ"] {
        let shown = fs::read(format!("/proc/{}/{file}", child.id())).expect("a run under way");
        assert!(!String::from_utf8_lossy(&shown).contains(PASSWORD), "{file} shows the password");
    }
    drop(writer);
    world.wait(child, "sign-blob pipe").ok();
}
