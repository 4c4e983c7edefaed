//! Failures of the file system, as the core's kinds.

use std::fmt::Display;
use std::io;

use countersign_core::error::{Error, ErrorKind};

/// A key file that cannot be read.
pub(crate) fn unreadable(path: impl Display, cause: io::Error) -> Error {
    let error = Error::io("read the key file", path, cause);
    match error.kind() {
        ErrorKind::NotFound => {
            error.hint("give the path of a key file, or make one with: countersign generate-key-pair")
        }
        ErrorKind::Denied => error.hint("check the owner and mode of the file and its folders"),
        _ => error,
    }
}
