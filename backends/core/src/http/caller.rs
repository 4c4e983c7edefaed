//! Repeats a call by the rules of `retry.rs`, within its time limit and at its pace, whoever sends it.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::pace::Pace;
use super::{retry, wait};
use crate::context::{Event, Limit, OpenContext};
use crate::error::Result;

/// Whether an outcome is trouble of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is final.
    Never,
    /// It may go well later; after how long, if the service says.
    After(Option<Duration>),
}

/// Bounds the calls to one service. Shared freely between threads.
pub struct Caller<'a> {
    context: OpenContext<'a>,
    /// What each call may take: a batch of many files lasts longer than the limit of one.
    limit: Limit,
    pace: Option<Pace>,
}

impl<'a> Caller<'a> {
    /// Takes the context's rate, else `max_rate` requests in a second, and for each call the time that the context leaves now.
    pub fn new(context: &OpenContext<'a>, max_rate: Option<NonZeroU32>) -> Self {
        let pace = context.max_rate.or(max_rate).map(Pace::new);
        Self { context: *context, limit: Limit::of(context), pace }
    }

    /// The context that it was made with.
    pub fn context(&self) -> &OpenContext<'a> {
        &self.context
    }

    /// Makes an async call, up to four times. `act` completes "cannot …".
    ///
    /// # Errors
    /// Those of [`wait`]; what the call itself says comes back inside.
    pub fn call<T>(&self, act: &str, once: impl AsyncFn() -> T, again: impl Fn(&T) -> Again) -> Result<T> {
        let waited = |context: &OpenContext<'_>| wait(context, act, async || once().await);
        self.repeat(act, waited, |outcome| outcome.as_ref().map_or(Again::Never, &again))?
    }

    /// The same for what waits by itself, within the context it is given.
    pub(super) fn repeat<T>(
        &self,
        act: &str,
        once: impl Fn(&OpenContext<'_>) -> T,
        again: impl Fn(&T) -> Again,
    ) -> Result<T> {
        if let Some(pace) = &self.pace {
            // A queue of ours is not the service's delay.
            let patient = OpenContext { deadline: None, ..self.context };
            retry::sleep(pace.take(Instant::now()), act, &patient)?;
        }
        let context = OpenContext { deadline: self.limit.deadline(), ..self.context };
        let mut tried = 0;
        loop {
            let outcome = once(&context);
            let pause = match again(&outcome) {
                Again::After(asked) => retry::pause(tried, asked),
                Again::Never => None,
            };
            let Some(pause) = pause else { return Ok(outcome) };
            // Waiting past the deadline helps nobody: the service's own words do.
            let left = context.time_left(act)?;
            if left.is_some_and(|left| pause >= left) {
                return Ok(outcome);
            }
            context.events.event(Event::Retrying(pause));
            retry::sleep(pause, act, &context)?;
            tried += 1;
        }
    }
}
