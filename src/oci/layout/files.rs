//! The files of a layout: in a directory, or in a tar archive that stays packed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use countersign_core::bounded;

/// Files looked at in one layout.
const MAX_FILES: usize = 100_000;
/// The largest header of an archive that only lengthens a name, in bytes.
const MAX_LONG_NAME: u64 = 64 * 1024;

/// Where they are.
#[derive(Debug)]
pub(super) enum Files {
    /// In this directory.
    Directory(PathBuf),
    /// In an archive, each from a place on with a length.
    Archive(Mutex<File>, BTreeMap<String, (u64, u64)>),
}

impl Files {
    /// Nothing is read but an archive's headers.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            return Ok(Self::Directory(path.to_owned()));
        }
        if !metadata.is_file() {
            return Err(invalid("it is neither a directory nor a file"));
        }
        let mut file = File::open(path)?;
        let entries = entries(&mut file)?;
        Ok(Self::Archive(Mutex::new(file), entries))
    }

    /// The content of a file of at most `limit` bytes; `None` where there is none.
    pub(super) fn read(
        &self,
        name: &str,
        limit: usize,
        deadline: Option<Instant>,
    ) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Directory(path) => match bounded::read(&path.join(name), limit as u64, deadline) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(cause) => Err(cause),
            },
            Self::Archive(file, entries) => {
                let Some((start, length)) = entries.get(name) else { return Ok(None) };
                if *length > limit as u64 {
                    let text = format!("it is larger than {limit} bytes");
                    return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
                }
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(*start))?;
                let mut bytes = Vec::new();
                (&mut *file).take(*length).read_to_end(&mut bytes)?;
                if bytes.len() as u64 == *length { Ok(Some(bytes)) } else { Err(invalid("it is cut off")) }
            }
        }
    }

    /// Names and lengths of the files in a folder, in the order of their names.
    pub(super) fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        match self {
            Self::Directory(path) => {
                let entries = match std::fs::read_dir(path.join(folder)) {
                    Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(found),
                    entries => entries?,
                };
                for entry in entries {
                    let entry = entry?;
                    // What a link leads to counts; what is gone in between does not.
                    let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
                    if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                        found.push((name, metadata.len()));
                    }
                    if found.len() > MAX_FILES {
                        return Err(too_many());
                    }
                }
            }
            Self::Archive(_, entries) => {
                let below = |name: &str| {
                    let rest = name.strip_prefix(folder)?.strip_prefix('/')?;
                    (!rest.contains('/')).then(|| rest.to_owned())
                };
                found.extend(entries.iter().filter_map(|(name, (_, length))| Some((below(name)?, *length))));
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Where each file of an archive lies in it.
fn entries(file: &mut File) -> io::Result<BTreeMap<String, (u64, u64)>> {
    let mut start = [0; 6];
    let length = file.read(&mut start)?;
    let is_packed = [&b"\x1f\x8b"[..], b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    if is_packed.iter().any(|magic| start[..length].starts_with(magic)) {
        return Err(invalid("the archive is compressed: unpack it to a plain .tar first"));
    }
    // A header that lengthens a name is read whole by the library: so its length is looked at before.
    file.rewind()?;
    for (count, entry) in tar::Archive::new(&mut *file).entries_with_seek()?.raw(true).enumerate() {
        let entry = entry?;
        let kind = entry.header().entry_type();
        let lengthens = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_global_extensions()
            || kind.is_pax_local_extensions();
        if lengthens && entry.header().entry_size()? > MAX_LONG_NAME {
            return Err(invalid("the archive has a name beyond any file's"));
        }
        if count > 2 * MAX_FILES {
            return Err(too_many());
        }
    }
    file.rewind()?;
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(&mut *file).entries_with_seek()? {
        let entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let Ok(name) = std::str::from_utf8(&entry.path_bytes()).map(str::to_owned) else { continue };
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        let place = (entry.raw_file_position(), entry.size());
        if found.insert(name.clone(), place).is_some() {
            // Who unpacks it has the last one, who reads along the first.
            return Err(invalid(&format!("the archive has {name} twice")));
        }
        if found.len() > MAX_FILES {
            return Err(too_many());
        }
    }
    Ok(found)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn too_many() -> io::Error {
    invalid(&format!("it has more than {MAX_FILES} files"))
}
