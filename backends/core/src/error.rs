//! What can go wrong with a key, as one struct and a closed list of kinds.
//!
//! Callers branch on [`ErrorKind`], never on text. An error names what failed, why (as the layer below told it)
//! and, where there is one, the next step. It never holds a secret: keys appear as their redacted URI.

use std::fmt;
use std::time::Duration;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The closed list of causes. A native code of a key store maps to one of these in its `errors.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The key URI does not follow its grammar.
    BadUri,
    /// No backend serves the URI's scheme.
    UnknownScheme,
    /// The key, file, token or secret is not there.
    NotFound,
    /// Several keys match where exactly one is needed.
    Ambiguous,
    /// The device or token is not plugged in.
    NotPresent,
    /// Another program holds the device.
    Busy,
    /// A PIN or password is needed and none can be had.
    PinRequired,
    /// The PIN or password is wrong; how many tries the token still allows, where it says so.
    WrongPin {
        /// Tries left before the token locks; `None` where there is no counter (files).
        tries_left: Option<u32>,
    },
    /// The token no longer takes PINs.
    PinLocked,
    /// The user did not touch the device in time.
    TouchTimeout,
    /// The service does not know who we are.
    Unauthenticated,
    /// The service or the file system knows who we are and refuses.
    Denied,
    /// The key is disabled, expired or destroyed.
    KeyState,
    /// The service asks to slow down.
    Throttled {
        /// When it may be tried again, where the service says so.
        after: Option<Duration>,
    },
    /// The service cannot be reached or answers with its own failure.
    Unavailable,
    /// The deadline passed or the work was cancelled.
    Timeout,
    /// The session with the device ended under us.
    SessionLost,
    /// The key, store or file form cannot do what was asked.
    Unsupported,
    /// What came back is not what was asked for: a wrong signature, another key, a damaged file.
    Integrity,
    /// Reading or writing failed.
    Io,
    /// A rule of ours broke: a bug.
    Internal,
}

impl ErrorKind {
    /// The kind's stable name in reports, in kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadUri => "bad-uri",
            Self::UnknownScheme => "unknown-scheme",
            Self::NotFound => "not-found",
            Self::Ambiguous => "ambiguous",
            Self::NotPresent => "not-present",
            Self::Busy => "busy",
            Self::PinRequired => "pin-required",
            Self::WrongPin { .. } => "wrong-pin",
            Self::PinLocked => "pin-locked",
            Self::TouchTimeout => "touch-timeout",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::KeyState => "key-state",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::SessionLost => "session-lost",
            Self::Unsupported => "unsupported",
            Self::Integrity => "integrity",
            Self::Io => "io",
            Self::Internal => "internal",
        }
    }

    /// Whether trying again can help, and who has to act first.
    pub fn retry(self) -> Retry {
        match self {
            Self::Throttled { after } => Retry::After(after),
            Self::Unavailable | Self::Timeout => Retry::After(None),
            Self::SessionLost => Retry::AfterReopening,
            Self::Ambiguous
            | Self::NotPresent
            | Self::Busy
            | Self::PinRequired
            | Self::TouchTimeout
            | Self::Unauthenticated => Retry::AfterUserAction,
            // A wrong PIN is never retried: each try may lock the token.
            Self::BadUri
            | Self::UnknownScheme
            | Self::NotFound
            | Self::WrongPin { .. }
            | Self::PinLocked
            | Self::Denied
            | Self::KeyState
            | Self::Unsupported
            | Self::Integrity
            | Self::Io
            | Self::Internal => Retry::Never,
        }
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call fails again.
    Never,
    /// The same call may succeed later, after this time where the service names one.
    After(Option<Duration>),
    /// Once, after opening the key anew.
    AfterReopening,
    /// After the user did something: plugged in, typed, chose.
    AfterUserAction,
}

/// One failure: the act and its object, the cause, and the next step.
///
/// Boxed, so that results stay small on the way where nothing fails.
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: ErrorKind,
    what: String,
    why: Option<String>,
    hint: Option<String>,
    key: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of `kind`; `what` names the act and its object in lower case, without a full stop.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Parts { kind, what: what.into(), why: None, hint: None, key: None, source: None }))
    }

    /// A broken rule of ours.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, what)
            .hint("this is a bug in countersign: please report it with the command")
    }

    /// The failure of a file operation on `path`, mapped to a kind by what the system said.
    pub fn io(act: &str, path: impl fmt::Display, cause: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match cause.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied => ErrorKind::Denied,
            Io::TimedOut => ErrorKind::Timeout,
            Io::FileTooLarge => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        };
        let error = Self::new(kind, format!("cannot {act} {path}")).why(describe_io(&cause)).source(cause);
        if kind == ErrorKind::Timeout { error.hint("raise it with --timeout") } else { error }
    }

    /// Adds the cause, as the layer below told it.
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.0.why = Some(why.into());
        self
    }

    /// Adds the next step: a command, a flag, a variable.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Rewrites what failed, where an outer layer knows the object better.
    pub fn with_what(mut self, rewrite: impl FnOnce(String) -> String) -> Self {
        self.0.what = rewrite(std::mem::take(&mut self.0.what));
        self
    }

    /// Puts the failure into a larger act: what failed so far becomes part of the cause.
    pub fn within(mut self, what: impl Into<String>) -> Self {
        self.0.why = Some(self.to_string());
        self.0.what = what.into();
        self
    }

    /// Names the key this happened with, unless an inner layer already did.
    pub fn for_key(mut self, key: &crate::KeyUri) -> Self {
        self.0.key.get_or_insert_with(|| key.to_string());
        self
    }

    /// Keeps the error below for logs.
    pub fn source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// The kind, for branching.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The act and its object.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// The cause, where known.
    pub fn cause(&self) -> Option<&str> {
        self.0.why.as_deref()
    }

    /// The next step, where there is one.
    pub fn next_step(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The redacted URI of the key, where one was involved.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }
}

/// The system's own words without Rust's "(os error N)".
fn describe_io(cause: &std::io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => text.to_owned(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)?;
        match &self.0.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_and_why_in_one_line() {
        let error = Error::io("read key file", "a.key", std::io::Error::from_raw_os_error(2)).hint("look");
        assert_eq!(error.to_string(), "cannot read key file a.key: no such file or directory");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.next_step(), Some("look"));
    }

    #[test]
    fn never_retries_a_wrong_pin() {
        assert_eq!(ErrorKind::WrongPin { tries_left: Some(2) }.retry(), Retry::Never);
        assert_eq!(ErrorKind::Throttled { after: None }.retry(), Retry::After(None));
    }
}
