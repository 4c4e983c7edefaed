//! A program that prints the password. No shell, absolute path, its own standard error, stopped at the deadline with all
//! that it started.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use countersign_core::Secret;
use countersign_core::context::timed_out;
use countersign_core::error::{Error, ErrorKind, Result};

use super::{TerminalPrompt, read_to_end};
use crate::env::{self, NO_COMMANDS};

/// Between two looks at a program that closed its output and still runs.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs the program and takes what it prints.
pub(super) fn run(words: &[String], prompt: &TerminalPrompt<'_>) -> Result<Secret> {
    let program = &words[0];
    let refused =
        |kind, why: String| Error::new(kind, format!("cannot run {program} for the password")).why(why);
    if prompt.environment.variable(NO_COMMANDS).is_some_and(|value| !value.is_empty()) {
        return Err(refused(ErrorKind::Denied, format!("{NO_COMMANDS} forbids commands")));
    }
    let mut command = Command::new(program);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped());
    for secret in env::secrets() {
        command.env_remove(secret);
    }
    // A group of its own, so that a wrapper script and what it started end together.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command
        .spawn()
        .map_err(|cause| Error::io("run", program, cause).hint("check the path in --password-source"))?;
    let stdout = child.stdout.take().ok_or_else(|| Error::internal("a child without its pipe"))?;
    let ended = read_to_end(|| Ok(stdout), prompt.deadline)
        .and_then(|secret| Ok((secret, wait(&mut child, program, prompt.deadline)?)));
    let (secret, status) = match ended {
        Ok(ended) => ended,
        Err(error) => {
            stop(&mut child);
            return Err(error);
        }
    };
    // What a failed program printed is not a password.
    if !status.success() {
        return Err(refused(ErrorKind::PinRequired, format!("it ended with {status}")));
    }
    Ok(secret.without_line_ending())
}

fn wait(child: &mut Child, program: &str, deadline: Option<Instant>) -> Result<ExitStatus> {
    let failed = |cause| Error::io("wait for", program, cause);
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(status);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(timed_out("read the password"));
        }
        std::thread::sleep(PAUSE);
    }
}

fn stop(child: &mut Child) {
    // They may have ended by themselves already: either way they are gone after this.
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}
