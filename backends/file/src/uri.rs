//! The grammar: a path as it stands, `file:PATH`, `file:///ABSOLUTE`, `env://NAME`. Paths are taken literally: no
//! percent-decoding, so that a name with `%` or `?` in it means itself.

use std::path::PathBuf;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyUri, OpenContext, TrustLevel};

/// Where the key's text is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a file (or pipe).
    Path(PathBuf),
    /// In an environment variable.
    Variable(String),
}

/// Parses a URI of the schemes `file` and `env`.
///
/// # Errors
/// [`ErrorKind::BadUri`]; [`ErrorKind::Denied`] for `env://` in a URI that came from data.
pub(crate) fn parse(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Place> {
    let bad =
        |why: &str| Err(Error::new(ErrorKind::BadUri, format!("cannot read the key URI {uri}")).why(why));
    let rest = uri.rest();
    if uri.scheme() == "env" {
        if rest.is_empty() || !rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return bad("env:// is followed by the name of a variable: letters, digits and _");
        }
        // A policy that reads variables could make a secret show in an error or pick another key on each machine.
        if context.trust == TrustLevel::Data {
            return Err(Error::new(ErrorKind::Denied, format!("cannot use {uri}"))
                .why("a URI from a file must not read environment variables"));
        }
        return Ok(Place::Variable(rest.to_owned()));
    }
    if rest.is_empty() {
        return bad("the path is empty");
    }
    // RFC 8089 2: what follows `file://` is a host; there is no remote file to read a key from.
    if uri.to_string().starts_with("file://") && !rest.starts_with('/') {
        return bad("file:// takes an absolute path, as in file:///etc/keys/cosign.key");
    }
    Ok(Place::Path(PathBuf::from(rest)))
}
