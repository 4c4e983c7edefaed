//! Passwords and confirmations: from where the user said, else from the terminal. The only file that opens it.
//!
//! Sources in order: `--password-source`, `COSIGN_PASSWORD`, a pipe on standard input (unless that is the artifact or
//! the list of files), the terminal. With none of them the answer is an error at once, never a wait.

mod command;
mod source;

use std::io::{self, BufRead, IsTerminal, Read, Write};

use countersign_core::context::{Environment, Prompt, SecretPurpose};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::limits::MAX_SECRET_BYTES;
use countersign_core::{Secret, bounded};

pub use source::PasswordSource;

use crate::env::PASSWORD;

/// Asks, with what the command line says about where to ask.
pub struct TerminalPrompt<'a> {
    /// The source named by `--password-source`.
    pub source: Option<PasswordSource>,
    /// The environment.
    pub environment: &'a dyn Environment,
    /// Whether standard input is neither artifact nor list.
    pub stdin_is_free: bool,
    /// When to give up on a command or pipe.
    pub deadline: Option<std::time::Instant>,
}

impl Prompt for TerminalPrompt<'_> {
    fn secret(&self, object: &str, purpose: SecretPurpose) -> Result<Secret> {
        let named = |error: Error| error.within(format!("cannot get the password for {object}"));
        if let Some(source) = self.source.as_ref().filter(|source| !matches!(source, PasswordSource::Prompt))
        {
            return source.fetch(self).map_err(named);
        }
        let asks = matches!(self.source, Some(PasswordSource::Prompt));
        if !asks && purpose != SecretPurpose::Pin {
            if let Some(password) = self.environment.variable(PASSWORD) {
                return Ok(Secret::new(password.into_encoded_bytes()));
            }
            if self.stdin_is_free && !io::stdin().is_terminal() {
                // Cosign takes the pipe's bytes as they stand, a line ending among them: keys were sealed that way.
                let password = read_stdin(self.deadline).map_err(named)?;
                return if password.is_empty() { Err(none_given(object, purpose)) } else { Ok(password) };
            }
        }
        if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
            return Err(none_given(object, purpose));
        }
        ask(object, purpose)
    }

    fn command(&self, words: &[String]) -> Result<Secret> {
        command::run(words, self)
    }

    fn confirm(&self, question: &str) -> Result<bool> {
        if !io::stdin().is_terminal() {
            return Ok(false);
        }
        let failed = |cause| Error::io("ask at", "the terminal", cause);
        let mut stderr = io::stderr();
        write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).map_err(failed)?;
        let mut answer = String::new();
        io::stdin().lock().take(64).read_line(&mut answer).map_err(failed)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

fn ask(object: &str, purpose: SecretPurpose) -> Result<Secret> {
    let read = |question: String| {
        rpassword::prompt_password(question)
            .map(|text| Secret::new(text.into_bytes()))
            .map_err(|cause| none_given(object, purpose).source(cause))
    };
    match purpose {
        SecretPurpose::Unlock => read(format!("Password for {object}: ")),
        SecretPurpose::Pin => read(format!("PIN for {object}: ")),
        SecretPurpose::Protect => {
            let password = read(format!("New password for {object}: "))?;
            if read("The same again: ".to_owned())? == password {
                return Ok(password);
            }
            Err(Error::new(ErrorKind::PinRequired, format!("cannot protect {object}"))
                .why("the two passwords differ"))
        }
    }
}

fn none_given(object: &str, purpose: SecretPurpose) -> Error {
    let (name, hint) = match purpose {
        SecretPurpose::Unlock | SecretPurpose::Protect => {
            ("password", "set COSIGN_PASSWORD (it may be empty), or name a source with --password-source")
        }
        SecretPurpose::Pin => ("PIN", "name its source with --password-source"),
    };
    Error::new(ErrorKind::PinRequired, format!("cannot get the {name} for {object}"))
        .why(format!("no {name} was given and there is no terminal to ask at"))
        .hint(hint)
}

/// Reads standard input to its end, at most [`MAX_SECRET_BYTES`], until the deadline.
fn read_stdin(deadline: Option<std::time::Instant>) -> Result<Secret> {
    read_to_end(|| Ok(io::stdin()), deadline)
}

/// Opens and reads a source that may stay silent, or whose other end may never open, on a thread of its own.
pub(crate) fn read_to_end<R: Read>(
    open: impl FnOnce() -> io::Result<R> + Send + 'static,
    deadline: Option<std::time::Instant>,
) -> Result<Secret> {
    let secret = bounded::before(deadline, move || {
        let mut bytes = Vec::with_capacity(256);
        let read = open().and_then(|source| source.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes));
        // Wiped whether the reading went well or not.
        let secret = Secret::new(bytes);
        read.map(|_| secret)
    })
    .unwrap_or_else(|| Err(bounded::late()))
    .map_err(|cause| Error::io("read", "the password", cause))?;
    if secret.expose().len() as u64 > MAX_SECRET_BYTES {
        return Err(Error::new(ErrorKind::Unsupported, "cannot read the password")
            .why(format!("it is longer than {MAX_SECRET_BYTES} bytes")));
    }
    Ok(secret)
}
