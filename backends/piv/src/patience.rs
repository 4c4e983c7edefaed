//! Waiting for what may never come: until a deadline or a cancellation, with a word to the user after a while.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use countersign_core::{Cancellation, OpenContext};

/// After this long without an answer the user is told.
const SILENCE: Duration = Duration::from_millis(500);
/// How often a wait looks at the cancellation.
const LOOK: Duration = Duration::from_millis(50);

/// How long to wait for an answer.
#[derive(Clone, Copy)]
pub(crate) struct Patience<'a> {
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancellation: &'a Cancellation,
}

/// Why nothing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Time ran out, or the user gave up.
    GivenUp,
    /// Nobody is there any more who could answer.
    HungUp,
}

impl<'a> Patience<'a> {
    pub(crate) fn of(context: &OpenContext<'a>) -> Self {
        Self { deadline: context.deadline, cancellation: context.cancellation }
    }

    /// The next answer. `silent` is called once when none came for a while.
    pub(crate) fn wait<T>(self, answers: &Receiver<T>, silent: &mut dyn FnMut()) -> Result<T, Unanswered> {
        let began = Instant::now();
        let mut told = false;
        loop {
            let until_silence = if told { LOOK } else { SILENCE.saturating_sub(began.elapsed()) };
            let until_deadline =
                self.deadline.map_or(LOOK, |deadline| deadline.saturating_duration_since(Instant::now()));
            match answers.recv_timeout(LOOK.min(until_silence).min(until_deadline)) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(Unanswered::HungUp),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let late = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
            if late || self.cancellation.is_cancelled() {
                return Err(Unanswered::GivenUp);
            }
            if !told && began.elapsed() >= SILENCE {
                told = true;
                silent();
            }
        }
    }

    /// Runs what has no end of its own on another thread, which is left behind if it has not ended in time.
    pub(crate) fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
        silent: &mut dyn FnMut(),
    ) -> Result<T, Unanswered> {
        let (sender, receiver) = mpsc::channel();
        // Whoever gave up no longer listens.
        std::thread::spawn(move || drop(sender.send(work())));
        self.wait(&receiver, silent)
    }
}
