//! Bounds for what a stranger may have chosen: never more bytes than a limit, never longer than a deadline.

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
    before(deadline, move || read_at_most(&owned, limit)).unwrap_or_else(|| Err(late()))
}

/// Works on a thread of its own, for what may never answer, and waits for it until the deadline. `None` at the deadline:
/// the thread is left behind with all it was given.
pub fn before<T: Send + 'static>(
    deadline: Option<Instant>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    let worker = std::thread::spawn(move || sender.send(work()).is_ok());
    let done = match deadline {
        Some(deadline) => receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        None => receiver.recv().map_err(Into::into),
    };
    match done {
        Ok(done) => Some(done),
        Err(mpsc::RecvTimeoutError::Timeout) => None,
        // It sends in every case but one: a panic, which goes on here.
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Ok(_) => None,
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// What a source says that stayed silent until the deadline.
pub fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the time limit passed")
}

fn read_at_most(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes"))
}
