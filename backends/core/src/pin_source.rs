//! Where a token's PIN comes from: what `pin-source` in a key URI says, a variable, or the terminal.
//!
//! RFC 7512 2.4 leaves the forms to the implementation. Ours are `file:/PATH`, `/PATH`, `env:NAME` and `|/PROGRAM ARGUMENT …`,
//! for every kind of token alike.

use std::path::PathBuf;

use crate::bounded;
use crate::context::{OpenContext, SecretPurpose};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::MAX_SECRET_BYTES;
use crate::secret::Secret;

/// What `pin-source` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// The file that holds it, an absolute path.
    File(PathBuf),
    /// The environment variable that holds it.
    Variable(String),
    /// The command that prints it: an absolute program, then its arguments. No shell reads it.
    Command(Vec<String>),
}

/// Why a value is no source. It never shows the value: somebody may have put the PIN there.
#[derive(Debug, PartialEq, Eq)]
pub struct Flaw {
    /// [`ErrorKind::Unsupported`] for a form that is none of ours, [`ErrorKind::BadUri`] for a broken one.
    pub kind: ErrorKind,
    /// What is wrong.
    pub why: &'static str,
    /// What to write instead.
    pub hint: &'static str,
}

const FORMS: &str = "the forms are pin-source=file:/absolute/path, /absolute/path, env:NAME and |/absolute/program argument …";

impl PinSource {
    /// Reads a value that was percent-decoded once.
    pub fn parse(value: Vec<u8>) -> Result<Self, Flaw> {
        if let Some(command) = value.strip_prefix(b"|") {
            return command_line(command);
        }
        if let Some(name) = value.strip_prefix(b"env:") {
            return variable(name);
        }
        if let Some(rest) = value.strip_prefix(b"file:") {
            return file(rest);
        }
        if value.starts_with(b"/") {
            return path(value).map(Self::File);
        }
        Err(unknown("its value has no form that is known"))
    }

    /// Fetches the PIN for `object`.
    ///
    /// # Errors
    /// [`ErrorKind::PinRequired`] for a variable that is not set and a command that fails; [`ErrorKind::Io`] and its kin for
    /// files; [`ErrorKind::Denied`] where commands are forbidden.
    pub fn fetch(&self, object: &str, context: &OpenContext<'_>) -> Result<Secret> {
        match self {
            Self::File(path) => bounded::read(path, MAX_SECRET_BYTES, context.deadline)
                .map(|bytes| Secret::new(bytes).without_line_ending())
                .map_err(|cause| Error::io("read the PIN in", path.display(), cause)),
            Self::Variable(name) => of_variable(name, context).ok_or_else(|| {
                Error::new(ErrorKind::PinRequired, format!("cannot get the PIN for {object}"))
                    .why(format!("the variable {name} is not set"))
            }),
            Self::Command(words) => context.prompt.command(words),
        }
    }
}

/// The PIN for `object` where its URI names no source: out of the variable that is meant for PINs of its kind, else asked
/// for.
///
/// # Errors
/// [`ErrorKind::PinRequired`] at once when there is neither.
pub fn fetch_unnamed(variable: &str, object: &str, context: &OpenContext<'_>) -> Result<Secret> {
    if let Some(pin) = of_variable(variable, context) {
        return Ok(pin);
    }
    context.prompt.secret(object, SecretPurpose::Pin).map_err(|error| match error.kind() {
        ErrorKind::PinRequired => {
            error.hint(format!("set {variable}, or add ?pin-source=file:/PATH to the URI"))
        }
        _ => error,
    })
}

fn of_variable(name: &str, context: &OpenContext<'_>) -> Option<Secret> {
    context.environment.variable(name).map(|value| Secret::new(value.into_encoded_bytes()))
}

/// What follows `file:`: a path, or `//`, a host that is this machine, and a path (RFC 8089 2).
///
/// Question: the value is decoded once as an attribute's value. A `file:` URI has an encoding of its own, so is
/// what came out decoded again? p11-kit and libp11 do not, RFC 8089 does; the two differ only where a `%` is left.
/// Answer: it is not, and a `%` that is left is refused. The bare path says what is meant. Likewise `?` is part
/// of the path: RFC 8089 gives `file:` no query.
fn file(rest: &[u8]) -> Result<PinSource, Flaw> {
    if rest.contains(&b'%') {
        return Err(Flaw {
            kind: ErrorKind::BadUri,
            why: "its file: URI is encoded twice, or its path has a percent sign: this can be read in two ways",
            hint: "write the path without file: (pin-source=/a%25b for the file /a%b)",
        });
    }
    let local = match rest.strip_prefix(b"//") {
        Some(local) => local.strip_prefix(b"localhost").unwrap_or(local),
        None => rest,
    };
    if !local.starts_with(b"/") {
        return Err(unknown("its file: URI names no absolute path of this machine"));
    }
    path(local.to_vec()).map(PinSource::File)
}

/// `env:NAME`, ours: RFC 7512 2.4 lets any URI stand here. The name is one that a shell can set.
fn variable(name: &[u8]) -> Result<PinSource, Flaw> {
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if name.first().is_none_or(u8::is_ascii_digit) || !plain {
        return Err(unknown("what follows env: is not the name of a variable"));
    }
    Ok(PinSource::Variable(String::from_utf8_lossy(name).into_owned()))
}

/// RFC 7512 2.4: `|` and an absolute program. Words are split at spaces, since no shell reads the line: quotes and
/// `$` mean themselves, and an argument with a space in it cannot be written.
fn command_line(command: &[u8]) -> Result<PinSource, Flaw> {
    let Ok(text) = str::from_utf8(command) else {
        return Err(broken("its command is not UTF-8"));
    };
    if text.contains('\0') {
        return Err(broken("its command has a zero byte"));
    }
    if !text.starts_with('/') {
        return Err(unknown("the program after | is not an absolute path"));
    }
    Ok(PinSource::Command(text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()))
}

/// Bytes out of a URI as a path of this system.
///
/// # Errors
/// For a zero byte, and where paths are text for bytes that are none.
pub fn path(bytes: Vec<u8>) -> Result<PathBuf, Flaw> {
    if bytes.contains(&0) {
        return Err(broken("its path has a zero byte"));
    }
    #[cfg(unix)]
    let path = PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes));
    #[cfg(not(unix))]
    let path = PathBuf::from(String::from_utf8(bytes).map_err(|_| broken("its path is not UTF-8"))?);
    Ok(path)
}

fn unknown(why: &'static str) -> Flaw {
    Flaw { kind: ErrorKind::Unsupported, why, hint: FORMS }
}

fn broken(why: &'static str) -> Flaw {
    Flaw { kind: ErrorKind::BadUri, why, hint: FORMS }
}
