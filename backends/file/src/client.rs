//! Reads files and variables: with a size limit before any allocation, and a time limit where reading can block.

use std::path::Path;

use countersign_core::OpenContext;
use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::limits::MAX_KEY_FILE_BYTES;
use countersign_core::secret::Secret;

use crate::errors::unreadable;
use crate::uri::Place;

/// Reads the key's text, which may be a secret.
pub(crate) fn load(place: &Place, context: &OpenContext<'_>) -> Result<Secret> {
    context.time_left("read the key")?;
    match place {
        Place::Path(path) => load_file(path, context),
        Place::Variable(name) => match context.environment.variable(name) {
            Some(value) if !value.is_empty() => Ok(Secret::new(value.into_encoded_bytes())),
            Some(_) | None => {
                Err(Error::new(ErrorKind::NotFound, format!("cannot read the key in variable {name}"))
                    .why("it is not set or empty")
                    .hint(format!("export {name} with the content of the key file")))
            }
        },
    }
}

fn load_file(path: &Path, context: &OpenContext<'_>) -> Result<Secret> {
    let metadata = std::fs::metadata(path).map_err(|cause| unreadable(path.display(), cause))?;
    if metadata.is_dir() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("cannot read the key file {}", path.display()),
        )
        .why("it is a directory")
        .hint(format!("list the keys in it with: countersign keys list {}", path.display())));
    }
    let read = bounded::read(path, MAX_KEY_FILE_BYTES, context.deadline);
    read.map(Secret::new).map_err(|cause| unreadable(path.display(), cause))
}
