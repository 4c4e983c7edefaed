//! Reads whole files that a stranger may have chosen: never more than a limit, never longer than a deadline.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

/// The content of a file or pipe of at most `limit` bytes.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`], before reading where the size is known; [`io::ErrorKind::TimedOut`] for a pipe that stays
/// silent, or that nobody opens, until the deadline; else what the system says.
pub fn read(path: &Path, limit: u64, deadline: Option<Instant>) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() {
        return if metadata.len() > limit { Err(too_large(limit)) } else { read_at_most(path, limit) };
    }
    // A pipe, as in `--key <(command)`, can stay silent for ever: it is read on a thread of its own.
    let owned = path.to_owned();
    before(deadline, move || read_at_most(&owned, limit))
}

/// Reads on a thread of its own, for sources that may stay silent, and waits for it until the deadline.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] at the deadline (the thread is left behind); else what `read` says.
pub fn before<T: Send + 'static>(
    deadline: Option<Instant>,
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(read()));
    let late = || io::Error::new(io::ErrorKind::TimedOut, "the time limit passed");
    match deadline {
        Some(deadline) => {
            receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).map_err(|_| late())?
        }
        None => receiver.recv().map_err(|_| late())?,
    }
}

fn read_at_most(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes"))
}
