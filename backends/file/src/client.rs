//! Reads files and variables: with a size limit before any allocation, and a time limit where reading can block.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc;

use countersign_core::OpenContext;
use countersign_core::context::timed_out;
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
    let bytes = if metadata.is_file() {
        if metadata.len() > MAX_KEY_FILE_BYTES {
            return Err(too_large(path));
        }
        read_limited(path)
    } else {
        // A pipe, as in `--key <(command)`, can stay silent for ever: read it aside and give up at the deadline.
        let (sender, receiver) = mpsc::channel();
        let owned = path.to_owned();
        std::thread::spawn(move || sender.send(read_limited(&owned)));
        match context.time_left("read the key")? {
            Some(left) => receiver.recv_timeout(left).map_err(|_| timed_out("read the key"))?,
            None => receiver.recv().map_err(|_| Error::internal("the reading thread ended"))?,
        }
    };
    let bytes = bytes.map_err(|cause| unreadable(path.display(), cause))?;
    if bytes.len() as u64 > MAX_KEY_FILE_BYTES { Err(too_large(path)) } else { Ok(Secret::new(bytes)) }
}

fn read_limited(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    File::open(path)?.take(MAX_KEY_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(path: &Path) -> Error {
    Error::new(ErrorKind::Unsupported, format!("cannot read the key file {}", path.display()))
        .why(format!("it is larger than {MAX_KEY_FILE_BYTES} bytes"))
}
