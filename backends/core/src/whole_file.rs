//! Writes a whole file or none: a temporary file beside it, then a rename.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions {
    /// The Unix mode, less the umask.
    pub mode: u32,
    /// Whether an existing file is replaced; if not, it is an error.
    pub overwrite: bool,
    /// Whether the content must be on the disk before the name is: for keys, not for what can be made again.
    pub flush: bool,
}

impl WriteOptions {
    /// For what can be made again, and may be read by all.
    pub const fn product(overwrite: bool) -> Self {
        Self { mode: 0o644, overwrite, flush: false }
    }
}

/// Writes `content` to `path`. A device or pipe (`/dev/stdout`) is written to, never replaced.
///
/// # Errors
/// [`crate::ErrorKind::Denied`], [`crate::ErrorKind::Io`] (a full disk, say). The target is then as it was.
pub fn write(path: &Path, content: &[u8], options: WriteOptions) -> Result<()> {
    let failed = |cause| Error::io("write", path.display(), cause);
    // Without `overwrite` whatever is there stays, devices too, and the look is saved.
    if options.overwrite && path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(content))
            .map_err(failed);
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".countersign-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(options.mode));
    }
    let mut file = builder.tempfile_in(directory).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    if options.flush {
        file.as_file().sync_all().map_err(failed)?;
    }
    let written = if options.overwrite { file.persist(path) } else { file.persist_noclobber(path) };
    written.map(drop).map_err(|error| failed(error.error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: WriteOptions = WriteOptions { mode: 0o600, overwrite: false, flush: true };

    #[test]
    fn keeps_an_existing_file_and_leaves_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        write(&path, b"one", OPTIONS).unwrap();
        assert!(write(&path, b"two", OPTIONS).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write(&path, b"two", WriteOptions { overwrite: true, ..OPTIONS }).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn sets_the_mode_and_never_replaces_a_device() {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        write(&path, b"key", OPTIONS).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        write(Path::new("/dev/null"), b"x", WriteOptions { overwrite: true, ..OPTIONS }).unwrap();
        assert!(Path::new("/dev/null").metadata().unwrap().file_type().is_char_device());
    }
}
