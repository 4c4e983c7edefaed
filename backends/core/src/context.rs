//! What the outside world hands to a backend: environment, prompt, clock, events, deadline and trust.
//!
//! Backends and the core read none of these from the process; tests hand in their own.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// An environment variable that the tool or a backend reads: a row of the tables that `countersign env` prints.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one phrase.
    pub description: &'static str,
    /// What value it expects.
    pub expects: &'static str,
    /// Whether its value is a secret and must be masked.
    pub sensitive: bool,
}

impl Variable {
    /// One that may be shown.
    pub const fn new(name: &'static str, description: &'static str, expects: &'static str) -> Self {
        Self { name, description, expects, sensitive: false }
    }

    /// One whose value is masked, and not handed on to programs that we start.
    pub const fn secret(name: &'static str, description: &'static str, expects: &'static str) -> Self {
        Self { name, description, expects, sensitive: true }
    }
}

/// How far the author of a URI is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustLevel {
    /// Typed by the user or set in the user's environment: everything is allowed.
    Operator,
    /// Read from a policy or other data: no environment variables, commands, plugins, modules or PINs.
    Data,
}

/// Reads environment variables.
pub trait Environment: Sync {
    /// The variable's value; `None` when it is not set. An empty value is a value.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The names of the variables that hold secrets of ours: programs that we start do not inherit them.
    fn secrets(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretPurpose {
    /// Opens something that exists; asked once.
    Unlock,
    /// Protects something new; asked twice at a terminal.
    Protect,
    /// Opens a token that counts wrong tries: comes from a source that was named for it, or from the terminal; never
    /// from what happens to be at hand for passwords.
    Pin,
}

/// Asks the user, or the source that the user named in place of asking.
pub trait Prompt: Sync {
    /// The password or PIN for `object` (a redacted URI or path).
    ///
    /// # Errors
    /// [`ErrorKind::PinRequired`] at once when there is no source and no terminal.
    fn secret(&self, object: &str, purpose: SecretPurpose) -> Result<Secret>;

    /// What a program prints, started without a shell: an absolute path and its arguments.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where commands are forbidden, [`ErrorKind::PinRequired`] when it fails.
    fn command(&self, words: &[String]) -> Result<Secret>;

    /// A yes or no. Without a terminal the answer is no.
    fn confirm(&self, question: &str) -> Result<bool>;
}

/// Tells the user what a backend is waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The device waits for a touch.
    TouchNeeded,
    /// No device is there yet; which one is awaited.
    WaitingForDevice(String),
    /// A call is tried again after this long.
    Retrying(Duration),
    /// Something the user should know, though the work goes on.
    Warning(String),
}

/// Receives events.
pub trait Events: Sync {
    /// Shows or keeps the event.
    fn event(&self, event: Event);
}

/// Tells the time; tests hand in their own.
pub trait Clock: Sync {
    /// The wall clock.
    fn now(&self) -> SystemTime;
}

/// A flag that another thread or a signal raises: work stops at its next check.
#[derive(Debug, Default)]
pub struct Cancellation(AtomicBool);

impl Cancellation {
    /// Raises the flag.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything a backend may use while it opens a key and signs with it.
#[derive(Clone, Copy)]
pub struct OpenContext<'a> {
    /// The environment.
    pub environment: &'a dyn Environment,
    /// Passwords, PINs and confirmations.
    pub prompt: &'a dyn Prompt,
    /// Where touches, waits and warnings are shown.
    pub events: &'a dyn Events,
    /// The wall clock.
    pub clock: &'a dyn Clock,
    /// When to give up.
    pub deadline: Option<Instant>,
    /// Raised when the user gave up.
    pub cancellation: &'a Cancellation,
    /// How far the URI's author is trusted.
    pub trust: TrustLevel,
    /// Whether the last try of a token's PIN may be used.
    pub allow_final_pin_try: bool,
    /// Whether to wait for a device that is not there yet.
    pub wait_for_device: bool,
    /// The most requests to a service in a second; `None`: what the backend thinks right for its service.
    pub max_rate: Option<NonZeroU32>,
}

impl OpenContext<'_> {
    /// The time left, `None` without a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when none is left or the work was cancelled; `act` names what was under way.
    pub fn time_left(&self, act: &str) -> Result<Option<Duration>> {
        if self.cancellation.is_cancelled() {
            return Err(Error::new(ErrorKind::Timeout, format!("cannot {act}")).why("it was cancelled"));
        }
        match self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => Err(timed_out(act)),
            left => Ok(left),
        }
    }
}

/// A time limit for each of many like pieces of work: a batch may last longer than one of its files may.
#[derive(Debug, Clone, Copy)]
pub struct Limit(Option<Duration>);

impl Limit {
    /// As long as the context leaves now.
    pub fn of(context: &OpenContext<'_>) -> Self {
        Self(context.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())))
    }

    /// When a piece that begins now has to end.
    pub fn deadline(self) -> Option<Instant> {
        self.0.and_then(|limit| Instant::now().checked_add(limit))
    }
}

/// The error of an act that ran out of time.
pub fn timed_out(act: &str) -> Error {
    Error::new(ErrorKind::Timeout, format!("cannot {act}"))
        .why("the time limit passed")
        .hint("raise it with --timeout")
}
