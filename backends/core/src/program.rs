//! A program that is asked once: its standard input, its answer, its end. Bounded in time and size, whatever it does.

mod locate;

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::context::OpenContext;
use crate::error::{Error, Result};

pub use locate::{Located, PATH, look};

/// Between two looks at a program that works, and at whether its work is still wanted.
const PAUSE: Duration = Duration::from_millis(10);

/// How a program that was asked ended.
#[derive(Debug)]
pub enum Ended {
    /// By itself, with what it wrote to its standard output. The bytes may hold a secret.
    Answered(ExitStatus, Zeroizing<Vec<u8>>),
    /// It wrote more than the limit, and was stopped.
    TooLong,
}

/// Starts `command`, hands `message` to its standard input and takes at most `max_bytes` from its standard output. `act` says what
/// for, as in "sign with URI".
///
/// No shell. The program stays in our process group and keeps our standard error, so that it can ask at the terminal and Ctrl-C
/// reaches it. It is killed by its process ID when `context`'s time is up, the work is cancelled, or it writes too much; nobody
/// waits for what it started itself and left behind.
///
/// # Errors
/// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) after killing it, when the time is up or the work was cancelled;
/// [`ErrorKind::Io`](crate::ErrorKind::Io) when it cannot be started.
pub fn ask(
    mut command: Command,
    message: Vec<u8>,
    max_bytes: u64,
    context: &OpenContext<'_>,
    act: &str,
) -> Result<Ended> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let failed = |verb, cause| Error::io(verb, &shown, cause).within(format!("cannot {act}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|cause| failed("run", cause))?;
    let ended = match child.stdin.take().zip(child.stdout.take()) {
        Some((stdin, stdout)) => {
            feed(stdin, message);
            finish(&mut child, &listen(stdout, max_bytes), max_bytes, context, act)
                .and_then(|ended| ended.map_err(|cause| failed("read the answer of", cause)))
        }
        None => Err(Error::internal("a child without its pipes")),
    };
    if !matches!(ended, Ok(Ended::Answered(..))) {
        // It may have ended by itself already: either way it is gone after this.
        let _ = child.kill();
        let _ = child.wait();
    }
    ended
}

/// Writes the message on a thread of its own: a program may answer without reading it.
fn feed(mut stdin: ChildStdin, message: Vec<u8>) {
    std::thread::spawn(move || {
        // A closed pipe is the program's right.
        let _ = stdin.write_all(&message);
    });
}

type Bytes = std::io::Result<Zeroizing<Vec<u8>>>;

/// Reads the answer on a thread of its own, and not beyond the limit.
fn listen(stdout: ChildStdout, max_bytes: u64) -> Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = stdout.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes);
        // Nobody listens any more once the time was up.
        let _ = sender.send(read.map(|_| bytes));
    });
    receiver
}

/// Waits for the whole answer, then for the end.
fn finish(
    child: &mut Child,
    answer: &Receiver<Bytes>,
    max_bytes: u64,
    context: &OpenContext<'_>,
    act: &str,
) -> Result<std::io::Result<Ended>> {
    let bytes = loop {
        match answer.recv_timeout(PAUSE) {
            Ok(Ok(bytes)) => break bytes,
            Ok(Err(cause)) => return Ok(Err(cause)),
            Err(RecvTimeoutError::Timeout) => drop(context.time_left(act)?),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("a reader that ended")),
        }
    };
    if bytes.len() as u64 > max_bytes {
        return Ok(Ok(Ended::TooLong));
    }
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Ok(Ended::Answered(status, bytes))),
            Ok(None) => drop(context.time_left(act)?),
            Err(cause) => return Ok(Err(cause)),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
