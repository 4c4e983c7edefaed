//! What KMS answers when it does not do what was asked, as the core's kinds: one table on the service's code.

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::{Again, parse_retry_after};

/// The longest text of a service that is shown, in characters.
const MAX_SHOWN: usize = 300;

/// What a call asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The permission it needs, as in `kms:Sign`.
    pub(crate) permission: &'static str,
    /// The key as it was named; empty when none was.
    pub(crate) key: &'a str,
    pub(crate) region: &'a str,
    /// Which credentials were used or tried, for people.
    pub(crate) credentials: &'a str,
}

/// Why a call did not succeed, before it is put into words.
pub(crate) enum Failure {
    /// The service answered with a code of its own, or with none.
    Service { code: String, message: String, status: u16, retry_after: Option<Duration> },
    /// There was no answer, or none that may be taken.
    Ours { kind: ErrorKind, why: String, hint: Option<String> },
    /// Nothing to sign the request with.
    NoCredentials(String),
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        if let Some(answer) = error.raw_response() {
            let status = answer.status().as_u16();
            let retry_after =
                parse_retry_after(answer.headers().get("retry-after"), answer.headers().get("date"));
            let Some(said) = error.as_service_error() else {
                let why = format!("the answer with status {status} is not that of KMS");
                return Self::Ours { kind: ErrorKind::Integrity, why, hint: Some(ELSEWHERE.to_owned()) };
            };
            let code = said.code().unwrap_or_default().to_owned();
            return Self::Service {
                code,
                message: words(said.message().unwrap_or_default()),
                status,
                retry_after,
            };
        }
        if let Some(ours) = find::<Error>(&error) {
            let why = ours.cause().unwrap_or_else(|| ours.what()).to_owned();
            let hint = ours.next_step().map(str::to_owned);
            // No answer while credentials were looked for is no answer all the same.
            return Self::Ours { kind: ours.kind(), why, hint };
        }
        if let Some(cause) = find::<CredentialsError>(&error) {
            let text = innermost(cause);
            // What it then lists is what we list.
            let short = text.split(". Attempted").next().unwrap_or(&text).to_owned();
            return Self::NoCredentials(short);
        }
        Self::Ours { kind: ErrorKind::Internal, why: innermost(&error), hint: None }
    }
}

impl Failure {
    /// Whether the same call may succeed in a moment.
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Service { code, status, retry_after, .. } if is_transient(code, *status) => {
                Again::After(*retry_after)
            }
            Self::Ours { kind: ErrorKind::Unavailable, .. } => Again::After(None),
            Self::Service { .. } | Self::Ours { .. } | Self::NoCredentials(_) => Again::Never,
        }
    }

    /// In words; `what` names the act and its object.
    pub(crate) fn into_error(self, what: &str, place: Place<'_>) -> Error {
        match self {
            Self::Service { code, message, status, retry_after } => {
                refused(what, &code, &message, status, retry_after, place)
            }
            Self::Ours { kind, why, hint } => {
                let error = Error::new(kind, what).why(why);
                if let Some(hint) = hint { error.hint(hint) } else { error }
            }
            Self::NoCredentials(why) => Error::new(ErrorKind::Unauthenticated, what)
                .why(format!("no credentials; tried {}: {why}", place.credentials))
                .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE after: aws sso login"),
        }
    }
}

const SLOWER: &str =
    "the account's quota for this region is used up: ask less often with --max-rate, or later";
const ELSEWHERE: &str = "see that the endpoint is that of KMS, and what stands between";

/// KMS says "throttled" with status 400, so the code decides before the status.
fn is_transient(code: &str, status: u16) -> bool {
    match code {
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "KMSInternalException"
        | "DependencyTimeoutException"
        | "KeyUnavailableException" => true,
        _ => matches!(status, 429 | 500 | 502 | 503 | 504),
    }
}

fn refused(
    what: &str,
    code: &str,
    message: &str,
    status: u16,
    after: Option<Duration>,
    place: Place<'_>,
) -> Error {
    let Place { permission, key, region, credentials } = place;
    let told = match (code, message) {
        ("", "") => format!("the service answers with status {status}"),
        (code, "") => format!("KMS says: {code}"),
        ("", message) => format!("the service answers with status {status}: {message}"),
        (code, message) => format!("KMS says: {code}: {message}"),
    };
    let error = |kind, why: String| Error::new(kind, what).why(why);
    match code {
        "AccessDeniedException" | "AccessDenied" => error(
            ErrorKind::Denied,
            format!("{permission} is not allowed to {credentials}: {message}"),
        )
        .hint(format!("allow {permission} on the key, in its key policy or in an IAM policy")),
        "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
            error(ErrorKind::Throttled { after }, told).hint(SLOWER)
        }
        "NotFoundException" if key.is_empty() => error(ErrorKind::NotFound, told),
        "NotFoundException" => error(ErrorKind::NotFound, format!("region {region} has no {key}")).hint(format!(
            "see the region and the account; list the keys with: countersign keys list 'awskms:///?region={region}'"
        )),
        "DisabledException" => error(ErrorKind::KeyState, "the key is disabled".to_owned())
            .hint(format!("somebody who may enables it with: aws kms enable-key --key-id {key}")),
        "KMSInvalidStateException" => {
            let pending = message.to_ascii_lowercase().contains("pending deletion")
                || message.to_ascii_lowercase().contains("pendingdeletion");
            let why = if pending { "the key is pending deletion".to_owned() } else { told };
            error(ErrorKind::KeyState, why)
                .hint(format!("if it is still needed: aws kms cancel-key-deletion --key-id {key}"))
        }
        "InvalidKeyUsageException" | "UnsupportedOperationException" => error(ErrorKind::Unsupported, told)
            .hint("make a key for signing, as with: countersign generate-key-pair --kms awskms:///alias/NAME"),
        "InvalidArnException" | "ValidationException" | "InvalidAliasNameException" => {
            error(ErrorKind::Unsupported, told)
        }
        "AlreadyExistsException" => error(ErrorKind::Denied, told),
        "LimitExceededException" => error(ErrorKind::Denied, told)
            .hint("the account has as many keys or aliases as it may: ask for a higher quota"),
        "ExpiredTokenException" | "ExpiredToken" | "RequestExpired" => {
            error(ErrorKind::Unauthenticated, format!("the credentials ({credentials}) have expired"))
                .hint("get new ones, as with: aws sso login")
        }
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidSignatureException"
        | "SignatureDoesNotMatch" | "IncompleteSignature" | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => {
            error(ErrorKind::Unauthenticated, format!("the credentials ({credentials}) are not accepted: {told}"))
                .hint("see that access key and secret belong together, and that this machine's clock is right")
        }
        _ if status == 429 => error(ErrorKind::Throttled { after }, told).hint(SLOWER),
        _ if matches!(status, 500..=599) => {
            error(ErrorKind::Unavailable, told).hint("look at the AWS Health Dashboard, and try again")
        }
        _ if matches!(status, 300..=399) => {
            let why = "the service redirects, and credentials do not go along";
            error(ErrorKind::Unsupported, format!("{why} (status {status})")).hint(ELSEWHERE)
        }
        "" => error(ErrorKind::Integrity, format!("the answer with status {status} is not that of KMS"))
            .hint(ELSEWHERE),
        _ => error(ErrorKind::Unavailable, told),
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

/// The first cause of this type.
fn find<'a, T: StdError + 'static>(cause: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    causes(cause).find_map(|cause| cause.downcast_ref())
}

fn innermost(cause: &(dyn StdError + 'static)) -> String {
    words(&causes(cause).last().unwrap_or(cause).to_string())
}
