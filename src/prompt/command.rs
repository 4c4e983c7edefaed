//! A program that prints the password. No shell, absolute path, its own standard error, stopped at the deadline.

use std::process::{Child, Command, Stdio};

use countersign_core::Secret;
use countersign_core::error::{Error, ErrorKind, Result};

use super::{TerminalPrompt, read_to_end};
use crate::env::{NO_COMMANDS, PASSWORD};

/// Runs the program and takes what it prints.
pub(super) fn run(words: &[String], prompt: &TerminalPrompt<'_>) -> Result<Secret> {
    let program = &words[0];
    let refused =
        |kind, why: String| Error::new(kind, format!("cannot run {program} for the password")).why(why);
    if prompt.environment.variable(NO_COMMANDS).is_some_and(|value| !value.is_empty()) {
        return Err(refused(ErrorKind::Denied, format!("{NO_COMMANDS} forbids commands")));
    }
    let mut child = Command::new(program)
        .args(&words[1..])
        .env_remove(PASSWORD)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|cause| Error::io("run", program, cause).hint("check the path in --password-source"))?;
    let stdout = child.stdout.take().ok_or_else(|| Error::internal("a child without its pipe"))?;
    let secret = match read_to_end(stdout, prompt.deadline) {
        Ok(secret) => secret,
        Err(error) => {
            stop(&mut child);
            return Err(error);
        }
    };
    let status = child.wait().map_err(|cause| Error::io("wait for", program, cause))?;
    // What a failed program printed is not a password.
    if !status.success() {
        return Err(refused(ErrorKind::PinRequired, format!("it ended with {status}")));
    }
    Ok(secret.without_line_ending())
}

fn stop(child: &mut Child) {
    // It may have ended by itself already: either way it is gone after this.
    let _ = child.kill();
    let _ = child.wait();
}
