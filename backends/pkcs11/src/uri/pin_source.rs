//! The forms of `pin-source` (RFC 7512 2.4 leaves them to the implementation): a file, a variable, a command.

use std::path::PathBuf;

use countersign_core::error::Result;
use countersign_core::{Error, ErrorKind};

use super::PinSource;
use super::split::Attribute;

const FORMS: &str = "the forms are pin-source=file:/absolute/path, /absolute/path, env:NAME and \
                     |/absolute/program argument …; a PIN itself is written pin-value=";

/// Reads the decoded value. It is never shown: somebody may have put the PIN here.
pub(super) fn parse(attribute: &Attribute<'_>, value: Vec<u8>) -> Result<PinSource> {
    if let Some(command) = value.strip_prefix(b"|") {
        return command_line(attribute, command);
    }
    if let Some(name) = value.strip_prefix(b"env:") {
        return variable(attribute, name);
    }
    if let Some(rest) = value.strip_prefix(b"file:") {
        return file(attribute, rest);
    }
    if value.starts_with(b"/") {
        return path(attribute, value).map(PinSource::File);
    }
    Err(unknown(attribute, "its value has no form that is known"))
}

/// What follows `file:`: a path, or `//`, a host that is this machine, and a path (RFC 8089 2).
///
/// Question: the value is decoded once as an attribute's value. A `file:` URI has an encoding of its own, so is
/// what came out decoded again? p11-kit and libp11 do not, RFC 8089 does; the two differ only where a `%` is left.
/// Answer: it is not, and a `%` that is left is refused. The bare path says what is meant. Likewise `?` is part
/// of the path: RFC 8089 gives `file:` no query.
fn file(attribute: &Attribute<'_>, rest: &[u8]) -> Result<PinSource> {
    if rest.contains(&b'%') {
        let why =
            "its file: URI is encoded twice, or its path has a percent sign: this can be read in two ways";
        return Err(attribute
            .bad(why)
            .hint("write the path without file: (pin-source=/a%25b for the file /a%b)"));
    }
    let local = match rest.strip_prefix(b"//") {
        Some(local) => local.strip_prefix(b"localhost").unwrap_or(local),
        None => rest,
    };
    if !local.starts_with(b"/") {
        return Err(unknown(attribute, "its file: URI names no absolute path of this machine"));
    }
    path(attribute, local.to_vec()).map(PinSource::File)
}

/// `env:NAME`, ours: RFC 7512 2.4 lets any URI stand here. The name is one that a shell can set.
fn variable(attribute: &Attribute<'_>, name: &[u8]) -> Result<PinSource> {
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if name.first().is_none_or(u8::is_ascii_digit) || !plain {
        let why = "what follows env: is not the name of a variable";
        return Err(unknown(attribute, why));
    }
    Ok(PinSource::Variable(String::from_utf8_lossy(name).into_owned()))
}

/// RFC 7512 2.4: `|` and an absolute program. Words are split at spaces, since no shell reads the line: quotes and
/// `$` mean themselves, and an argument with a space in it cannot be written.
fn command_line(attribute: &Attribute<'_>, command: &[u8]) -> Result<PinSource> {
    let Ok(text) = str::from_utf8(command) else {
        return Err(attribute.bad("its command is not UTF-8"));
    };
    if text.contains('\0') {
        return Err(attribute.bad("its command has a zero byte"));
    }
    if !text.starts_with('/') {
        return Err(unknown(attribute, "the program after | is not an absolute path"));
    }
    Ok(PinSource::Command(text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()))
}

/// Bytes as a path of this system.
pub(super) fn path(attribute: &Attribute<'_>, bytes: Vec<u8>) -> Result<PathBuf> {
    if bytes.contains(&0) {
        return Err(attribute.bad("its path has a zero byte"));
    }
    #[cfg(unix)]
    let path = PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes));
    #[cfg(not(unix))]
    let path = PathBuf::from(String::from_utf8(bytes).map_err(|_| attribute.bad("its path is not UTF-8"))?);
    Ok(path)
}

fn unknown(attribute: &Attribute<'_>, why: &str) -> Error {
    attribute.refused(ErrorKind::Unsupported, why).hint(FORMS)
}
