//! Reads what is signed or verified: once, in constant memory, into all the digests that are needed.
//!
//! A file is read in a plain loop through a buffer that stays in the processor's cache: measured on a 4 GiB file, one of
//! 128 KiB costs a third less CPU than one of 1 MiB, and a second thread that reads ahead costs more than it hides. Only
//! pipes get a thread, so that a silent one cannot outlast the deadline. Files are never mapped: a mapped file that
//! shrinks kills the process. Only message algorithms (pure Ed25519) keep the bytes.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::time::Instant;

use countersign_core::context::timed_out;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::hexadecimal::from_hex;
use countersign_core::limits::MAX_MESSAGE_BYTES;
use countersign_core::{Digest, HashAlgorithm, Hasher};

/// One read: small enough for the cache of one core, large enough that calls do not count.
const BUFFER_BYTES: usize = 128 * 1024;
/// Buffers in flight between the thread that reads a pipe and the one that hashes.
const BUFFERS: usize = 3;

/// What the user signs or verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// A file or named pipe.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// A digest that stands for the artifact, as in `sha256:…`.
    Digest(HashAlgorithm, Vec<u8>),
}

impl Artifact {
    /// An argument of `sign-blob`: a path, or `-` for standard input.
    pub fn parse(argument: &str) -> Self {
        if argument == "-" { Self::Stdin } else { Self::Path(PathBuf::from(argument)) }
    }

    /// An argument of `verify-blob`, where `sha256:HEX` may stand for the artifact if no file has that name.
    pub fn parse_or_digest(argument: &str) -> Self {
        let digest = || {
            let (name, hex) = argument.split_once(':')?;
            let hash = HashAlgorithm::parse(name)?;
            let bytes = from_hex(hex).filter(|bytes| bytes.len() == hash.size())?;
            Some(Self::Digest(hash, bytes))
        };
        if Path::new(argument).exists() {
            Self::parse(argument)
        } else {
            digest().unwrap_or_else(|| Self::parse(argument))
        }
    }

    /// The name shown to people.
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
            Self::Digest(hash, bytes) => format!("{hash}:{}", countersign_core::hexadecimal::hex(bytes)),
        }
    }
}

/// What is needed of an artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The digests.
    pub hashes: Vec<HashAlgorithm>,
    /// The message itself, for message algorithms.
    pub message: bool,
}

/// An artifact after it was read.
#[derive(Debug, Default)]
pub struct Measured {
    /// The digests, in the order wanted.
    pub digests: Vec<Digest>,
    /// The bytes, if they were wanted.
    pub message: Option<Vec<u8>>,
}

impl Measured {
    /// The digest of this hash, if it was taken.
    pub fn digest(&self, hash: HashAlgorithm) -> Option<&Digest> {
        self.digests.iter().find(|digest| digest.algorithm() == hash)
    }
}

/// Reads the artifact. `progress` is told of each piece read.
///
/// # Errors
/// [`ErrorKind::NotFound`], [`ErrorKind::Denied`], [`ErrorKind::Io`]; [`ErrorKind::Unsupported`] for a message above the cap, before
/// reading where the size is known; [`ErrorKind::Integrity`] when a file's size or time changes meanwhile;
/// [`ErrorKind::Timeout`].
pub fn measure(
    artifact: &Artifact,
    wanted: &Wanted,
    deadline: Option<Instant>,
    progress: &dyn Fn(usize),
) -> Result<Measured> {
    let path = match artifact {
        Artifact::Path(path) => path,
        Artifact::Stdin => {
            return Reading::new(artifact, wanted, deadline, progress)
                .threaded(|| Ok(io::stdin()))
                .map(|(measured, _)| measured);
        }
        Artifact::Digest(hash, bytes) => return stand_in(artifact, *hash, bytes, wanted),
    };
    let failed = |cause| Error::io("read", path.display(), cause);
    let before = std::fs::metadata(path).map_err(failed)?;
    if before.is_dir() {
        return Err(Error::new(ErrorKind::Unsupported, format!("cannot read {}", path.display()))
            .why("it is a directory"));
    }
    let reading = Reading::new(artifact, wanted, deadline, progress);
    if !before.is_file() {
        // Opening a pipe waits for its other end: that belongs to the thread as well.
        let path = path.clone();
        return reading.threaded(move || File::open(path)).map(|(measured, _)| measured);
    }
    let file = File::open(path).map_err(failed)?;
    if wanted.message && before.len() > MAX_MESSAGE_BYTES {
        return Err(reading.too_large(Some(before.len())));
    }
    let (measured, read) = reading.plain(&file, before.len())?;
    let after = file.metadata().map_err(failed)?;
    if read != before.len() || changed(&before, &after) {
        return Err(Error::new(ErrorKind::Integrity, format!("cannot use {}", path.display()))
            .why("the file changed while it was read")
            .hint("sign it again once nothing writes to it"));
    }
    Ok(measured)
}

fn changed(before: &Metadata, after: &Metadata) -> bool {
    before.len() != after.len() || before.modified().ok() != after.modified().ok()
}

fn stand_in(artifact: &Artifact, hash: HashAlgorithm, bytes: &[u8], wanted: &Wanted) -> Result<Measured> {
    if wanted.message || !wanted.hashes.contains(&hash) {
        let needs: Vec<_> = wanted.hashes.iter().map(|hash| hash.name()).collect();
        let needs = if wanted.message {
            "the whole message".to_owned()
        } else {
            format!("a {} digest", needs.join(" or "))
        };
        return Err(Error::new(ErrorKind::Unsupported, format!("cannot use {}", artifact.name()))
            .why(format!("this signature needs {needs}"))
            .hint("name the file itself"));
    }
    Ok(Measured { digests: vec![Digest::from_bytes(hash, bytes)?], message: None })
}

struct Reading<'a> {
    artifact: &'a Artifact,
    hasher: Hasher,
    message: Option<Vec<u8>>,
    deadline: Option<Instant>,
    progress: &'a dyn Fn(usize),
    read: u64,
}

impl<'a> Reading<'a> {
    fn new(
        artifact: &'a Artifact,
        wanted: &Wanted,
        deadline: Option<Instant>,
        progress: &'a dyn Fn(usize),
    ) -> Self {
        let message = wanted.message.then(Vec::new);
        Self { artifact, hasher: Hasher::new(&wanted.hashes), message, deadline, progress, read: 0 }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.read += bytes.len() as u64;
        if let Some(message) = &mut self.message {
            if self.read > MAX_MESSAGE_BYTES {
                return Err(self.too_large(None));
            }
            message.extend_from_slice(bytes);
        }
        self.hasher.update(bytes);
        (self.progress)(bytes.len());
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(self.late()),
            _ => Ok(()),
        }
    }

    fn finish(self) -> (Measured, u64) {
        (Measured { digests: self.hasher.finish(), message: self.message }, self.read)
    }

    fn plain(mut self, mut source: impl Read, size: u64) -> Result<(Measured, u64)> {
        // One byte more than the file has, so that the read that fills it also meets its end.
        let mut buffer = vec![0; BUFFER_BYTES.min(usize::try_from(size).unwrap_or(BUFFER_BYTES) + 1)];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return Ok(self.finish()),
                Ok(count) => self.take(&buffer[..count])?,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(Error::io("read", self.artifact.name(), cause)),
            }
        }
    }

    /// A thread of its own reads, so that a silent pipe cannot outlast the deadline.
    fn threaded<R: Read>(
        mut self,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> Result<(Measured, u64)> {
        let (filled, to_hash) = mpsc::sync_channel::<io::Result<(Vec<u8>, usize)>>(BUFFERS);
        let (emptied, to_fill) = mpsc::channel::<Vec<u8>>();
        std::thread::spawn(move || {
            let mut source = match open() {
                Ok(source) => source,
                Err(cause) => return drop(filled.send(Err(cause))),
            };
            for made in 0.. {
                let mut buffer = match to_fill.try_recv() {
                    Ok(buffer) => buffer,
                    Err(TryRecvError::Empty) if made < BUFFERS => vec![0; BUFFER_BYTES],
                    Err(_) => match to_fill.recv() {
                        Ok(buffer) => buffer,
                        Err(_) => return,
                    },
                };
                let count = loop {
                    match source.read(&mut buffer) {
                        Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                        other => break other,
                    }
                };
                let last = !matches!(count, Ok(1..));
                if filled.send(count.map(|count| (buffer, count))).is_err() || last {
                    return;
                }
            }
        });
        loop {
            let received = match self.deadline {
                Some(deadline) => to_hash.recv_timeout(deadline.saturating_duration_since(Instant::now())),
                None => to_hash.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(Ok((_, 0))) => return Ok(self.finish()),
                Ok(Ok((buffer, count))) => {
                    self.take(&buffer[..count])?;
                    let _ = emptied.send(buffer);
                }
                Ok(Err(cause)) => return Err(Error::io("read", self.artifact.name(), cause)),
                Err(RecvTimeoutError::Timeout) => return Err(self.late()),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::internal("the reading thread ended"));
                }
            }
        }
    }

    fn late(&self) -> Error {
        timed_out(&format!("read {}", self.artifact.name()))
    }

    fn too_large(&self, size: Option<u64>) -> Error {
        let size = size.map_or_else(|| "it is larger".to_owned(), |size| format!("it has {size} bytes"));
        Error::new(ErrorKind::Unsupported, format!("cannot use {} with pure Ed25519", self.artifact.name()))
            .why(format!("that signs the whole message, which must fit in {MAX_MESSAGE_BYTES} bytes; {size}"))
            .hint("use --signing-algorithm ed25519-ph, which signs a digest, on signing and on verifying")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    fn wanted(message: bool) -> Wanted {
        Wanted { hashes: vec![HashAlgorithm::Sha256, HashAlgorithm::Sha384], message }
    }

    #[test]
    fn files_of_every_size_hash_right() {
        let directory = tempfile::tempdir().unwrap();
        for size in [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, 10 * BUFFER_BYTES + 12_345] {
            let bytes: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
            let path = directory.path().join("blob");
            std::fs::write(&path, &bytes).unwrap();
            let counted = std::cell::Cell::new(0);
            let measured =
                measure(&Artifact::Path(path), &wanted(true), None, &|n| counted.set(counted.get() + n))
                    .unwrap();
            for digest in &measured.digests {
                assert_eq!(*digest, digest.algorithm().digest(&bytes), "{size}");
            }
            assert_eq!(measured.digests.len(), 2);
            assert_eq!(measured.message.unwrap(), bytes);
            assert_eq!(counted.get(), size);
        }
    }

    #[test]
    fn refuses_a_file_that_grows_while_it_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("blob");
        std::fs::write(&path, b"one").unwrap();
        let grow = |_| {
            std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"!").unwrap();
        };
        // The hook runs after the first piece was read: the writer comes between two reads.
        let once = std::cell::Cell::new(false);
        let hook = |n| {
            if !once.replace(true) {
                grow(n)
            }
        };
        let error = measure(&Artifact::Path(path.clone()), &wanted(false), None, &hook).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(error.to_string().contains("changed while it was read"));
    }

    #[test]
    fn refuses_a_large_message_before_reading_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sparse");
        File::create(&path).unwrap().set_len(MAX_MESSAGE_BYTES + 1).unwrap();
        let error = measure(&Artifact::Path(path), &wanted(true), None, &|_| panic!("nothing may be read"))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn gives_up_on_a_silent_pipe_at_the_deadline() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let artifact = Artifact::Stdin;
        let deadline = Instant::now() + Duration::from_millis(50);
        let wanted = wanted(false);
        let error =
            Reading::new(&artifact, &wanted, Some(deadline), &|_| {}).threaded(|| Ok(reader)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }

    #[test]
    fn a_digest_stands_for_a_file_only_where_it_can() {
        let text = format!("sha256:{}", "ab".repeat(32));
        let artifact = Artifact::parse_or_digest(&text);
        assert_eq!(artifact, Artifact::Digest(HashAlgorithm::Sha256, vec![0xab; 32]));
        assert!(measure(&artifact, &wanted(false), None, &|_| {}).is_ok());
        assert!(measure(&artifact, &wanted(true), None, &|_| {}).is_err());
        assert_eq!(Artifact::parse_or_digest("sha256:abcd"), Artifact::Path("sha256:abcd".into()));
    }
}
