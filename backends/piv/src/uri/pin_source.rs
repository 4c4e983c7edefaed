//! The forms of `pin-source`: a file, a variable, a command. The same as for `pkcs11:` URIs.

use std::path::PathBuf;

use countersign_core::ErrorKind;
use countersign_core::error::{Error, Result};

use super::Attribute;

/// Where the PIN comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// The file that holds it, an absolute path.
    File(PathBuf),
    /// The environment variable that holds it.
    Variable(String),
    /// The command that prints it: an absolute program, then its arguments. No shell reads it.
    Command(Vec<String>),
}

/// The value is never shown: somebody may have put the PIN here.
pub(super) fn parse(attribute: &Attribute<'_>) -> Result<PinSource> {
    let value = attribute.text()?;
    if let Some(command) = value.strip_prefix('|') {
        if !command.starts_with('/') {
            return Err(unknown(attribute, "the program after | is not an absolute path"));
        }
        // No shell reads the line: quotes and $ mean themselves.
        let words = command.split(' ').filter(|word| !word.is_empty()).map(str::to_owned);
        return Ok(PinSource::Command(words.collect()));
    }
    if let Some(name) = value.strip_prefix("env:") {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() || !plain {
            return Err(unknown(attribute, "what follows env: is not the name of a variable"));
        }
        return Ok(PinSource::Variable(name.to_owned()));
    }
    let path = match value.strip_prefix("file:") {
        // The value was decoded once; whether a file: URI in it is decoded again is read both ways.
        Some(rest) if rest.contains('%') => {
            return Err(attribute
                .bad("its file: URI is encoded twice, or its path has a percent sign")
                .hint("write the path without file:"));
        }
        // RFC 8089 2: `//`, and a host that is this machine.
        Some(rest) => {
            rest.strip_prefix("//").map_or(rest, |rest| rest.strip_prefix("localhost").unwrap_or(rest))
        }
        None => &value,
    };
    if path.starts_with('/') {
        return Ok(PinSource::File(path.into()));
    }
    Err(unknown(attribute, "its value has no form that is known"))
}

fn unknown(attribute: &Attribute<'_>, why: &str) -> Error {
    attribute.refused(ErrorKind::Unsupported, why).hint(
        "the forms are pin-source=file:/absolute/path, /absolute/path, env:NAME and |/absolute/program argument …",
    )
}
