//! One call is one process: its argument, its standard input, its answer, its end.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use countersign_core::OpenContext;
use countersign_core::context::Limit;
use countersign_core::error::Result;
use countersign_core::program::{self, Ended};

use crate::protocol::{Answer, Method, VERSION};
use crate::uri::PluginUri;
use crate::{Host, errors, locate};

/// The longest answer: a PEM and its wrapping are a few kilobytes.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// How long a call may take where nobody set a limit.
const DEFAULT_LIMIT: Duration = Duration::from_secs(180);

/// A plugin's program, and the key that it is asked about.
pub(crate) struct Plugin<'a> {
    pub(crate) uri: PluginUri,
    pub(crate) program: PathBuf,
    context: OpenContext<'a>,
    limit: Limit,
}

impl<'a> Plugin<'a> {
    /// Finds the program; nothing is started yet.
    pub(crate) fn find(host: Host, uri: PluginUri, context: &OpenContext<'a>) -> Result<Self> {
        let program = locate::find(host, &uri, context)?;
        Ok(Self { uri, program, context: *context, limit: Limit::of(context) })
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
        for secret in self.context.environment.secrets() {
            command.env_remove(secret);
        }
        match program::ask(command, message.to_vec(), MAX_ANSWER_BYTES, &context, act) {
            Ok(Ended::Answered(status, bytes)) => errors::answer(&self.program, method, status, &bytes, act),
            Ok(Ended::TooLong) => Err(errors::too_long(&self.program, MAX_ANSWER_BYTES, act)),
            Err(error) => Err(errors::late(error, &self.program)),
        }
    }
}
