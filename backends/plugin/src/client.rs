//! One call is one process: its argument, its standard input, its answer, its end.
//!
//! No shell. The plugin stays in our process group and keeps our standard error, so that it can ask at the terminal and
//! Ctrl-C reaches it. It is killed by its process ID when the time is up, the work is cancelled, or it writes too much.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use countersign_core::OpenContext;
use countersign_core::context::Limit;
use countersign_core::error::{Error, Result};

use crate::protocol::{Answer, Method, VERSION};
use crate::uri::PluginUri;
use crate::{Host, errors, locate};

/// The longest answer: a PEM and its wrapping are a few kilobytes.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// Between two looks at a plugin that works, and at whether its work is still wanted.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a call may take where nobody set a limit.
const DEFAULT_LIMIT: Duration = Duration::from_secs(180);

/// A plugin's program, and the key that it is asked about.
pub(crate) struct Plugin<'a> {
    pub(crate) uri: PluginUri,
    pub(crate) program: PathBuf,
    host: Host,
    context: OpenContext<'a>,
    limit: Limit,
}

impl<'a> Plugin<'a> {
    /// Finds the program; nothing is started yet.
    pub(crate) fn find(host: Host, uri: PluginUri, context: &OpenContext<'a>) -> Result<Self> {
        let program = locate::find(host, &uri, context)?;
        Ok(Self { uri, program, host, context: *context, limit: Limit::of(context) })
    }

    /// Asks once. `act` says what for, as in "sign with URI".
    ///
    /// # Errors
    /// Those of `errors.rs`; [`countersign_core::ErrorKind::Timeout`] after killing a plugin that takes too long.
    pub(crate) fn call(&self, method: Method<'_>, message: &[u8], act: &str) -> Result<Answer> {
        // Opening is bound by the run's own limit, each signature by one of the same length.
        let deadline = self.limit.deadline().or_else(|| Instant::now().checked_add(DEFAULT_LIMIT));
        let context = OpenContext { deadline, ..self.context };
        let left = context.time_left(act)?;
        let until = left.and_then(|left| context.clock.now().checked_add(left));
        let mut command = Command::new(&self.program);
        command.arg(VERSION).arg(method.arguments(&self.uri.resource, until));
        for secret in (self.host.secrets)() {
            command.env_remove(secret);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let shown = self.program.display();
        let mut child = command
            .spawn()
            .map_err(|cause| Error::io("run", &shown, cause).within(format!("cannot {act}")))?;
        let streams = child.stdin.take().zip(child.stdout.take());
        let ended = match streams {
            Some((stdin, stdout)) => {
                feed(stdin, message.to_vec());
                finish(&mut child, &listen(stdout), &context, act, &self.program)
            }
            None => Err(Error::internal("a child without its pipes")),
        };
        if ended.is_err() {
            // It may have ended by itself already: either way it is gone after this.
            let _ = child.kill();
            let _ = child.wait();
        }
        let (status, bytes) = ended?;
        errors::answer(&self.program, method, status, &bytes, act)
    }
}

/// Writes the message on a thread of its own: a plugin may answer without reading it.
fn feed(mut stdin: ChildStdin, message: Vec<u8>) {
    std::thread::spawn(move || {
        // A closed pipe is the plugin's right.
        let _ = stdin.write_all(&message);
    });
}

/// Reads the answer on a thread of its own, and not beyond the limit.
fn listen(stdout: ChildStdout) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(MAX_ANSWER_BYTES + 1).read_to_end(&mut bytes);
        // Nobody listens any more once the time was up.
        let _ = sender.send(read.map(|_| bytes));
    });
    receiver
}

/// Waits for the whole answer, then for the end.
fn finish(
    child: &mut Child,
    answer: &Receiver<std::io::Result<Vec<u8>>>,
    context: &OpenContext<'_>,
    act: &str,
    program: &Path,
) -> Result<(ExitStatus, Vec<u8>)> {
    let failed =
        |cause| Error::io("read the answer of", program.display(), cause).within(format!("cannot {act}"));
    let late = |error: Error| errors::late(error, program);
    let bytes = loop {
        match answer.recv_timeout(PAUSE) {
            Ok(bytes) => break bytes.map_err(failed)?,
            Err(RecvTimeoutError::Timeout) => {
                context.time_left(act).map_err(late)?;
            }
            Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("a reader that ended")),
        }
    };
    if bytes.len() as u64 > MAX_ANSWER_BYTES {
        return Err(errors::too_long(program, MAX_ANSWER_BYTES, act));
    }
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok((status, bytes));
        }
        context.time_left(act).map_err(late)?;
        std::thread::sleep(Duration::from_millis(1));
    }
}
