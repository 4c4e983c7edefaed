//! The cache on disk, laid out as Cosign lays it out, so that either tool finds what the other fetched:
//!
//! ```text
//! DIRECTORY/remote.json             {"mirror": ADDRESS}, written by initialize
//! DIRECTORY/NAME.json               {"lastTimestamp": RFC 3339}, NAME being the address with - for : and /
//! DIRECTORY/NAME/{root,timestamp,snapshot,targets}.json
//! DIRECTORY/NAME/targets/TARGET
//! DIRECTORY/NAME/root_history/N.root.json    ours alone: the way from the first root to the last
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::encode_segment;
use countersign_core::whole_file::{self, WriteOptions};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sigstore_tuf::MetadataStore;

use super::{MAX_ROOT_BYTES, MAX_TARGET_BYTES};

/// How long after a refresh the repository is not asked again.
const FRESH: SignedDuration = SignedDuration::from_hours(24);
/// The largest of the small notes here, in bytes.
const MAX_NOTE_BYTES: u64 = 64 * 1024;
/// The largest metadata read, in bytes.
const MAX_METADATA_BYTES: u64 = 5_000_000;
const WRITE: WriteOptions = WriteOptions { mode: 0o600, overwrite: true, flush: false };

/// The cache of one repository. Without a directory nothing is kept.
///
/// What the client stores waits in memory until [`Cache::commit`]: a refresh that ends half-way changes nothing.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    directory: Option<PathBuf>,
    address: String,
    pending: Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>,
    /// Whether what lies on disk is left out, to be replaced.
    begins_anew: bool,
}

impl Cache {
    pub(super) fn new(directory: Option<PathBuf>, address: &str) -> Self {
        Self { directory, address: address.to_owned(), pending: Arc::default(), begins_anew: false }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The root that lies there.
    pub(super) fn root(&self) -> Result<Option<Vec<u8>>> {
        self.place("root.json").map_or(Ok(None), |path| read(&path, MAX_ROOT_BYTES))
    }

    /// Whether the repository was asked within a day. A time that is still to come tells of a wrong clock.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        let note = self.note().and_then(|path| read(&path, MAX_NOTE_BYTES).ok().flatten());
        let note: Option<Value> = note.and_then(|note| serde_json::from_slice(&note).ok());
        let last = note.as_ref().and_then(|note| note.get("lastTimestamp")).and_then(Value::as_str);
        let last: Option<Timestamp> = last.and_then(|last| last.parse().ok());
        last.is_some_and(|last| last <= now && now.duration_since(last) < FRESH)
    }

    /// The same cache, as if nothing lay there.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without a directory.
    pub(super) fn anew(&self) -> Result<Self> {
        if self.directory.is_none() {
            return Err(Error::new(ErrorKind::NotFound, "cannot find a place for the trusted root")
                .why("neither TUF_ROOT nor HOME is set")
                .hint("set TUF_ROOT to a directory"));
        }
        Ok(Self { begins_anew: true, pending: Arc::default(), ..self.clone() })
    }

    /// Writes what the client stored, the timestamp last: it leads to all else.
    pub(super) fn commit(&self, now: Timestamp) -> Result<()> {
        let Some(folder) = self.folder() else { return Ok(()) };
        let pending = std::mem::take(&mut *self.pending());
        if self.begins_anew {
            match fs::remove_dir_all(&folder) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("replace", folder.display(), cause));
                }
                _ => {}
            }
        }
        let (last, first): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|(path, _)| path.ends_with("timestamp.json"));
        for (path, bytes) in first.into_iter().chain(last) {
            let directory = path.parent().unwrap_or(&folder);
            make_directory(directory).map_err(|cause| Error::io("make", directory.display(), cause))?;
            whole_file::write(&path, &bytes, WRITE)?;
        }
        self.note().map_or(Ok(()), |note| {
            let text = json!({ "lastTimestamp": now.to_string() }).to_string();
            whole_file::write(&note, text.as_bytes(), WRITE)
        })
    }

    /// Remembers the repository for commands that name none.
    pub(super) fn remember(&self) -> Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let remote = json!({ "mirror": self.address }).to_string();
        whole_file::write(&directory.join("remote.json"), remote.as_bytes(), WRITE)
    }

    /// Answers as the repository did when it was asked: the way from root to root, and what was the last of each role.
    pub(super) fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let place = match path.strip_prefix("targets/") {
            // `<hash>.NAME` there, `NAME` here.
            Some(target) => format!("targets/{}", target.split_once('.').map_or(target, |(_, name)| name)),
            None if path.ends_with(".root.json") => format!("root_history/{path}"),
            None => match path.split_once('.') {
                Some((version, name)) if version.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
                _ => path.to_owned(),
            },
        };
        self.place(&place).map_or(Ok(None), |path| read(&path, MAX_METADATA_BYTES))
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Vec<u8>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(format!("{}.json", folder_name(&self.address))))
    }

    fn folder(&self) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(folder_name(&self.address)))
    }

    /// Where something lies, by the client's name for it; `None` for what is not kept.
    fn place(&self, name: &str) -> Option<PathBuf> {
        let folder = self.folder()?;
        if let Some(target) = name.strip_prefix("targets/") {
            return Some(folder.join("targets").join(encode_segment(target).ok()?));
        }
        if let Some(root) = name.strip_prefix("root_history/") {
            return Some(folder.join("root_history").join(encode_segment(root).ok()?));
        }
        Some(folder.join(encode_segment(name).ok()?))
    }
}

impl MetadataStore for Cache {
    fn load(&self, name: &str) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        let Some(path) = self.place(name) else { return Ok(None) };
        if let Some(bytes) = self.pending().get(&path) {
            return Ok(Some(bytes.clone()));
        }
        let limit = if name.starts_with("targets/") { MAX_TARGET_BYTES } else { MAX_METADATA_BYTES };
        // What cannot be read is fetched.
        Ok(if self.begins_anew { None } else { read(&path, limit).ok().flatten() })
    }

    fn store(&self, name: &str, bytes: &[u8]) -> sigstore_tuf::Result<()> {
        // The client keeps each snapshot twice, under its version too.
        let is_second_copy = name.ends_with(".snapshot.json");
        if let Some(path) = self.place(name).filter(|_| !is_second_copy) {
            self.pending().insert(path, bytes.to_vec());
        }
        Ok(())
    }
}

/// The repository that `initialize` was last run for.
pub(super) fn remembered_mirror(directory: &Path) -> Result<Option<String>> {
    let path = directory.join("remote.json");
    let damaged = |why: String| {
        Error::new(ErrorKind::Integrity, format!("cannot read {}", path.display()))
            .why(why)
            .hint("run countersign initialize again; or name the repository in TUF_MIRROR")
    };
    let Some(bytes) = read(&path, MAX_NOTE_BYTES)? else { return Ok(None) };
    let note: Value = serde_json::from_slice(&bytes).map_err(|cause| damaged(cause.to_string()))?;
    match note.get("mirror").and_then(Value::as_str) {
        Some(mirror) => Ok(Some(mirror.to_owned())),
        None => Err(damaged("it has no \"mirror\"".to_owned())),
    }
}

/// As Cosign names it: the address without its scheme, in small letters, with `-` for `/` and `:`.
fn folder_name(address: &str) -> String {
    let name = address.strip_prefix("https://").unwrap_or(address);
    let name = name.strip_prefix("http://").unwrap_or(name);
    name.replace(['/', ':'], "-").to_lowercase()
}

fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    match bounded::read(path, limit, None) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::io("read", path.display(), cause)),
    }
}
