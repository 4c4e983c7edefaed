//! The sources that `--password-source` names. None of them is the secret itself.

use std::fs::File;
use std::path::PathBuf;

use countersign_core::Secret;
use countersign_core::error::{Error, ErrorKind, Result};

use super::{TerminalPrompt, command, read_stdin, read_to_end};

/// Where the password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// The terminal, whatever variables and pipes there are.
    Prompt,
    /// An environment variable.
    Variable(String),
    /// A file; one line ending at its end is cut off.
    File(PathBuf),
    /// An open file descriptor; one line ending at its end is cut off.
    Descriptor(u32),
    /// A program with an absolute path and its arguments, started without a shell; one line ending is cut off.
    Command(Vec<String>),
    /// Standard input, to its end, as it stands.
    Stdin,
}

impl std::str::FromStr for PasswordSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match (kind, rest) {
            ("prompt", "") => Ok(Self::Prompt),
            ("stdin", "") => Ok(Self::Stdin),
            ("env", name) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            ("file", path) if !path.is_empty() => Ok(Self::File(path.into())),
            ("fd", number) => {
                number.parse().map(Self::Descriptor).map_err(|_| "fd: takes a number".to_owned())
            }
            ("command", line) => {
                let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
                if words.first().is_some_and(|program| program.starts_with('/')) {
                    Ok(Self::Command(words))
                } else {
                    Err("command: takes the absolute path of a program and its arguments".to_owned())
                }
            }
            // The text is not repeated: somebody may have typed the password itself.
            _ => {
                Err("expected prompt, stdin, env:NAME, file:PATH, fd:N or command:/PROGRAM ARGUMENTS"
                    .to_owned())
            }
        }
    }
}

impl PasswordSource {
    pub(super) fn fetch(&self, prompt: &TerminalPrompt<'_>) -> Result<Secret> {
        match self {
            Self::Prompt => Err(Error::internal("the terminal is asked elsewhere")),
            Self::Variable(name) => match prompt.environment.variable(name) {
                Some(value) => Ok(Secret::new(value.into_encoded_bytes())),
                None => Err(Error::new(ErrorKind::PinRequired, "cannot get the password")
                    .why(format!("the variable {name} is not set"))),
            },
            Self::File(path) => open(&path.display().to_string(), prompt),
            Self::Descriptor(number) => open(&format!("/dev/fd/{number}"), prompt),
            Self::Command(words) => command::run(words, prompt),
            Self::Stdin if prompt.stdin_is_free => read_stdin(prompt.deadline),
            Self::Stdin => Err(Error::new(ErrorKind::PinRequired, "cannot get the password")
                .why("standard input is the artifact or the list of files")),
        }
    }
}

fn open(path: &str, prompt: &TerminalPrompt<'_>) -> Result<Secret> {
    let owned = path.to_owned();
    let read = read_to_end(move || File::open(owned), prompt.deadline);
    read.map(Secret::without_line_ending).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::Denied => {
            error.with_what(|_| format!("cannot read {path}")).hint("check the path in --password-source")
        }
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_sources_and_repeats_nothing_it_does_not_know() {
        assert_eq!("fd:3".parse(), Ok(PasswordSource::Descriptor(3)));
        assert_eq!("file:/a b".parse(), Ok(PasswordSource::File("/a b".into())));
        assert_eq!(
            "command:/bin/pass show x".parse(),
            Ok(PasswordSource::Command(vec!["/bin/pass".into(), "show".into(), "x".into()]))
        );
        for wrong in ["hunter2", "fd:x", "env:", "command:pass", "command:", "file:"] {
            let error = wrong.parse::<PasswordSource>().unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
