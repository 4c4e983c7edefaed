//! What Cloud KMS answers when it does not do what was asked, as the core's kinds: one table on the service's code.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::{Again, RawAnswer, parse_retry_after};
use google_cloud_auth::errors::CredentialsError;

/// The longest text of a service that is shown, in characters.
const MAX_SHOWN: usize = 300;

/// What to do where an answer is not that of the service.
pub(crate) const ELSEWHERE: &str = "see that the endpoint is that of Cloud KMS, and what stands between";

/// What a call asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The permission it needs, as in `cloudkms.cryptoKeyVersions.useToSign`.
    pub(crate) permission: &'static str,
    /// A role that has it, as in `roles/cloudkms.signer`.
    pub(crate) role: &'static str,
    /// The resource as it was named.
    pub(crate) resource: &'a str,
    /// Which credentials were used or tried, for people.
    pub(crate) credentials: &'a str,
}

/// Why a call did not succeed, before it is put into words.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The service answered with a code of its own, or with none.
    Service { code: String, reason: String, message: String, status: u16, retry_after: Option<Duration> },
    /// There was no answer, or none that may be taken.
    Ours { kind: ErrorKind, why: String, hint: Option<String> },
    /// No token was to be had.
    NoToken { why: String, is_transient: bool },
}

/// Inside the SDK's error, where it is found again.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call failed")
    }
}

impl StdError for Failure {}

impl From<google_cloud_kms_v1::Error> for Failure {
    fn from(error: google_cloud_kms_v1::Error) -> Self {
        let ours = causes(&error).find_map(|cause| cause.downcast_ref::<Self>()).cloned();
        ours.unwrap_or_else(|| Self::ours(ErrorKind::Internal, &innermost(&error)))
    }
}

impl Failure {
    pub(crate) fn ours(kind: ErrorKind, why: &str) -> Self {
        Self::Ours { kind, why: why.to_owned(), hint: None }
    }

    pub(crate) fn from_core(error: &Error) -> Self {
        let why = error.cause().unwrap_or_else(|| error.what()).to_owned();
        Self::Ours { kind: error.kind(), why, hint: error.next_step().map(str::to_owned) }
    }

    pub(crate) fn from_credentials(error: CredentialsError) -> Self {
        let is_transient = error.is_transient();
        Self::NoToken { why: innermost(&error), is_transient }
    }

    /// An answer with another status than success: `{"error": {"status": …, "message": …, "details": […]}}`.
    pub(crate) fn from_answer(answer: &RawAnswer) -> Self {
        let header = |name: &str| {
            answer.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
        };
        if let (300..=399, Some(to)) = (answer.status, header("location")) {
            let origin = words(to.split('?').next().unwrap_or_default());
            return Self::Ours {
                kind: ErrorKind::Unsupported,
                why: format!("the service redirects to {origin}, and credentials do not go along"),
                hint: Some("see what stands between this machine and Cloud KMS".to_owned()),
            };
        }
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let error = &body["error"];
        let text = |value: &serde_json::Value| words(value.as_str().unwrap_or_default());
        let details = error["details"].as_array().cloned().unwrap_or_default();
        let asked = details.iter().find_map(|detail| {
            detail["retryDelay"]
                .as_str()?
                .strip_suffix('s')?
                .parse()
                .ok()
                .map(Duration::from_secs_f64_bounded)
        });
        let retry_after = parse_retry_after(header("retry-after"), header("date"));
        Self::Service {
            code: text(&error["status"]),
            reason: details
                .iter()
                .map(|detail| text(&detail["reason"]))
                .find(|reason| !reason.is_empty())
                .unwrap_or_default(),
            message: text(&error["message"]),
            status: answer.status,
            retry_after: retry_after.or(asked),
        }
    }

    /// Whether the same call may succeed in a moment.
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Service { code, status, retry_after, .. } if is_transient(code, *status) => {
                Again::After(*retry_after)
            }
            Self::Ours { kind: ErrorKind::Unavailable, .. } | Self::NoToken { is_transient: true, .. } => {
                Again::After(None)
            }
            Self::Service { .. } | Self::Ours { .. } | Self::NoToken { .. } => Again::Never,
        }
    }

    /// In words; `what` names the act and its object.
    pub(crate) fn into_error(self, what: &str, place: Place<'_>) -> Error {
        match self {
            Self::Service { code, reason, message, status, retry_after } => {
                let told = match (code.as_str(), message.as_str()) {
                    ("", "") => format!("the service answers with status {status}"),
                    (code, "") => format!("Cloud KMS says: {code}"),
                    ("", message) => format!("the service answers with status {status}: {message}"),
                    (code, message) => format!("Cloud KMS says: {code}: {message}"),
                };
                refused(what, &code, &reason, &told, status, retry_after, place)
            }
            Self::Ours { kind, why, hint } => {
                let error = Error::new(kind, what).why(why);
                if let Some(hint) = hint { error.hint(hint) } else { error }
            }
            Self::NoToken { why, is_transient } => {
                let kind = if is_transient { ErrorKind::Unavailable } else { ErrorKind::Unauthenticated };
                Error::new(kind, what)
                    .why(format!("no token from {}: {why}", place.credentials))
                    .hint("set GOOGLE_APPLICATION_CREDENTIALS, or run: gcloud auth application-default login")
            }
        }
    }
}

/// Seconds with a fraction, from the network.
trait FromSeconds {
    fn from_secs_f64_bounded(seconds: f64) -> Self;
}

impl FromSeconds for Duration {
    fn from_secs_f64_bounded(seconds: f64) -> Self {
        Self::try_from_secs_f64(seconds).unwrap_or(Self::MAX / 2)
    }
}

fn is_transient(code: &str, status: u16) -> bool {
    matches!(code, "RESOURCE_EXHAUSTED" | "UNAVAILABLE") || matches!(status, 429 | 500 | 502 | 503 | 504)
}

fn refused(
    what: &str,
    code: &str,
    reason: &str,
    told: &str,
    status: u16,
    after: Option<Duration>,
    place: Place<'_>,
) -> Error {
    let Place { permission, role, resource, credentials } = place;
    let error = |kind, why: String| Error::new(kind, what).why(why);
    match (code, reason) {
        (_, "SERVICE_DISABLED") => error(ErrorKind::Denied, told.to_owned())
            .hint("somebody who may switches it on with: gcloud services enable cloudkms.googleapis.com"),
        ("PERMISSION_DENIED", _) => {
            error(ErrorKind::Denied, format!("{permission} is not allowed to {credentials}: {told}"))
                .hint(format!("grant {role}, which has {permission}, on {resource}"))
        }
        ("UNAUTHENTICATED", _) => {
            error(ErrorKind::Unauthenticated, format!("the token of {credentials} is not accepted: {told}"))
                .hint("it may have ended: gcloud auth application-default login gets a new one; see that this machine's clock is right")
        }
        ("RESOURCE_EXHAUSTED", _) => error(ErrorKind::Throttled { after }, told.to_owned())
            .hint("the quota of the project in this location is used up: ask less often with --max-rate, or later"),
        ("NOT_FOUND", _) => error(ErrorKind::NotFound, format!("there is no {resource}: {told}"))
            .hint("list the keys with: countersign keys list gcpkms://projects/PROJECT/locations/LOCATION"),
        ("FAILED_PRECONDITION", _) => error(ErrorKind::KeyState, told.to_owned()).hint(
            "a disabled version is enabled and a destruction called off with gcloud kms keys versions enable, or restore",
        ),
        ("ALREADY_EXISTS", _) => error(ErrorKind::Denied, told.to_owned()),
        ("INVALID_ARGUMENT" | "UNIMPLEMENTED" | "OUT_OF_RANGE", _) => {
            error(ErrorKind::Unsupported, told.to_owned())
        }
        _ if status == 429 => error(ErrorKind::Throttled { after }, told.to_owned())
            .hint("ask less often with --max-rate, or later"),
        _ if status == 403 => error(ErrorKind::Denied, told.to_owned())
            .hint(format!("{permission} is needed, which {role} has; see too what stands between")),
        _ if status == 401 => error(ErrorKind::Unauthenticated, told.to_owned())
            .hint("see what stands between this machine and Cloud KMS"),
        _ if status >= 500 => {
            error(ErrorKind::Unavailable, told.to_owned()).hint("look at status.cloud.google.com, and try again")
        }
        _ => error(ErrorKind::Unsupported, told.to_owned()).hint(ELSEWHERE),
    }
}

/// A service's own words, without line breaks and control characters, and no longer than fits a line or two.
fn words(text: &str) -> String {
    let words: Vec<_> =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(MAX_SHOWN).collect()
}

/// The error and what is below it, to the end.
fn causes<'a>(cause: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(cause);
    std::iter::from_fn(move || {
        let current = next?;
        next = current.source();
        Some(current)
    })
}

fn innermost(cause: &(dyn StdError + 'static)) -> String {
    words(&causes(cause).last().unwrap_or(cause).to_string())
}
