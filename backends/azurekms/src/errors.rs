//! What Azure answers when it does not do what was asked, as the core's kinds: one table on status and code.

use std::error::Error as StdError;
use std::time::Duration;

use azure_core::error::{Error as SdkError, ErrorKind as SdkErrorKind};
use azure_core::http::RawResponse;
use azure_core::http::headers::{HeaderName, RETRY_AFTER};
use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::{Again, parse_retry_after};

use crate::guard::LoginFailed;

/// The longest text of a service that is shown, in characters.
const MAX_SHOWN: usize = 300;

const DATE: HeaderName = HeaderName::from_static("date");

/// What a call asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The permission it needs, as in `sign`.
    pub(crate) permission: &'static str,
    /// The key as it was named; empty when none was.
    pub(crate) key: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) host: &'a str,
    pub(crate) is_hsm: bool,
    /// Which credentials were used or tried, for people.
    pub(crate) credentials: &'a str,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Vault,
    Login,
}

/// Why a call did not succeed, before it is put into words.
pub(crate) enum Failure {
    /// An answer with another status than was hoped for.
    Answer { who: Who, status: u16, code: String, message: String, retry_after: Option<Duration> },
    /// There was no answer, or none that may be taken.
    Ours { kind: ErrorKind, why: String, hint: Option<String> },
    /// No source had a token.
    NoCredentials(String),
}

impl From<SdkError> for Failure {
    fn from(error: SdkError) -> Self {
        match find::<LoginFailed>(&error) {
            Some(LoginFailed::One(inside)) => Self::read(inside, Who::Login),
            Some(LoginFailed::All(each)) => Self::NoCredentials(
                each.iter()
                    .map(|(name, error)| format!("{name}: {}", told(error)))
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
            None => Self::read(&error, Who::Vault),
        }
    }
}

impl Failure {
    fn read(error: &SdkError, who: Who) -> Self {
        if let Some(ours) = find::<Error>(error) {
            let why = ours.cause().unwrap_or_else(|| ours.what()).to_owned();
            return Self::Ours { kind: ours.kind(), why, hint: ours.next_step().map(str::to_owned) };
        }
        for cause in causes(error).filter_map(|cause| cause.downcast_ref::<SdkError>()) {
            if let SdkErrorKind::HttpResponse { status, raw_response: Some(answer), .. } = cause.kind() {
                let (code, message) = said(answer);
                let header = |name| answer.headers().get_optional_str(name);
                let retry_after = parse_retry_after(header(&RETRY_AFTER), header(&DATE));
                return Self::Answer { who, status: u16::from(*status), code, message, retry_after };
            }
        }
        let why = innermost(error);
        match (who, error.kind()) {
            (Who::Login, _) => Self::NoCredentials(why),
            (Who::Vault, SdkErrorKind::DataConversion) => {
                let why = "the answer is not that of Key Vault".to_owned();
                Self::Ours {
                    kind: ErrorKind::Integrity,
                    why,
                    hint: Some("see that the host is the vault's own, and what stands between".to_owned()),
                }
            }
            (Who::Vault, SdkErrorKind::Other) => Self::Ours { kind: ErrorKind::Denied, why, hint: None },
            (Who::Vault, _) => Self::Ours { kind: ErrorKind::Internal, why, hint: None },
        }
    }

    /// Whether the same call may succeed in a moment.
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Answer { status: 429 | 500 | 502 | 503 | 504, retry_after, .. } => {
                Again::After(*retry_after)
            }
            Self::Ours { kind: ErrorKind::Unavailable, .. } => Again::After(None),
            Self::Answer { .. } | Self::Ours { .. } | Self::NoCredentials(_) => Again::Never,
        }
    }

    /// In words; `what` names the act and its object.
    pub(crate) fn into_error(self, what: &str, asked: Asked<'_>) -> Error {
        match self {
            Self::Answer { who: Who::Login, status, code, message, retry_after } => {
                login_refused(what, status, &code, &message, retry_after, asked)
            }
            Self::Answer { who: Who::Vault, status, code, message, retry_after } => {
                refused(what, status, &code, &message, retry_after, asked)
            }
            Self::Ours { kind, why, hint } => {
                let error = Error::new(kind, what).why(why);
                if let Some(hint) = hint { error.hint(hint) } else { error }
            }
            Self::NoCredentials(why) => Error::new(ErrorKind::Unauthenticated, what)
                .why(format!("no credentials; tried {}: {why}", asked.credentials))
                .hint(
                    "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or log in with: az login",
                ),
        }
    }
}

fn refused(
    what: &str,
    status: u16,
    code: &str,
    message: &str,
    after: Option<Duration>,
    asked: Asked<'_>,
) -> Error {
    let Asked { permission, key, version, host, is_hsm, credentials } = asked;
    let told = match (code, message) {
        ("", "") => format!("{host} answers with status {status}"),
        ("", message) => format!("{host} answers with status {status}: {message}"),
        (code, "") => format!("{host} says: {code}"),
        (code, message) => format!("{host} says: {code}: {message}"),
    };
    let error = |kind, why: String| Error::new(kind, what).why(why);
    let vault = host.split('.').next().unwrap_or_default();
    let named = if is_hsm { format!("--hsm-name {vault}") } else { format!("--vault-name {vault}") };
    match (status, code) {
        (_, "KeyDisabled") => error(ErrorKind::KeyState, "the key is disabled".to_owned())
            .hint(format!("somebody who may enables it with: az keyvault key set-attributes {named} --name {key} --enabled true")),
        (_, "KeyNotYetValid") => error(ErrorKind::KeyState, "the key is not yet valid".to_owned())
            .hint("wait for its activation date, or take another version"),
        (_, "KeyExpired") => error(ErrorKind::KeyState, "the key has expired".to_owned())
            .hint(format!("rotate it with: az keyvault key rotate {named} --name {key}")),
        (_, "KeyOperationForbidden") => error(ErrorKind::Unsupported, told)
            .hint("make a key that signs, as with: countersign generate-key-pair --kms azurekms://HOST/KEY"),
        (_, "ObjectIsDeletedButRecoverable" | "ObjectIsBeingDeleted") => {
            error(ErrorKind::KeyState, format!("a key of this name was deleted and can still be recovered: {message}"))
                .hint(format!("recover it with: az keyvault key recover {named} --name {key}; or choose another name"))
        }
        (403, "ForbiddenByFirewall") => error(ErrorKind::Denied, told)
            .hint("the vault's firewall does not let this machine's address through: sign from an allowed network"),
        (403, _) => error(ErrorKind::Denied, format!("keys/{permission} is not allowed to {credentials}: {message}"))
            .hint(grant(permission, asked)),
        (401, _) => error(ErrorKind::Unauthenticated, format!("the token of {credentials} is not accepted: {told}"))
            .hint("see that the tenant is the vault's, and that this machine's clock is right"),
        (404, _) if key.is_empty() => error(ErrorKind::NotFound, told),
        (404, _) => error(ErrorKind::NotFound, format!("{host} has no key {key}{}", version.map(|version| format!("/{version}")).unwrap_or_default()))
            .hint(format!("list the keys with: countersign keys list azurekms://{host}")),
        (429, _) => error(ErrorKind::Throttled { after }, told)
            .hint("the vault's quota is used up: ask less often with --max-rate, or later"),
        (400, _) => error(ErrorKind::Unsupported, told),
        (300..=399, _) => error(ErrorKind::Unsupported, format!("{host} redirects, and credentials do not go along"))
            .hint("name the vault's own host"),
        _ => error(ErrorKind::Unavailable, told).hint("see that the address is right; look at the Azure status page, and try again"),
    }
}

/// How somebody who may lets us do it.
fn grant(permission: &str, asked: Asked<'_>) -> String {
    let (role, action) = if asked.is_hsm {
        (
            "Managed HSM Crypto User",
            format!("Microsoft.KeyVault/managedHsm/keys/{}/action", hsm_action(permission)),
        )
    } else {
        let action = if matches!(permission, "get" | "list") {
            "read".to_owned()
        } else {
            format!("{permission}/action")
        };
        ("Key Vault Crypto User", format!("Microsoft.KeyVault/vaults/keys/{action}"))
    };
    format!(
        "allow {action}, as the role \"{role}\" does, or in a vault's access policy the key permission {permission}"
    )
}

fn hsm_action(permission: &str) -> &str {
    match permission {
        "get" | "list" => "read",
        other => other,
    }
}

/// What Microsoft Entra ID answers in place of a token.
fn login_refused(
    what: &str,
    status: u16,
    code: &str,
    message: &str,
    after: Option<Duration>,
    asked: Asked<'_>,
) -> Error {
    let told = match message {
        "" => format!("the login by {} is answered with status {status} {code}", asked.credentials),
        message => format!("the login by {} is refused: {message}", asked.credentials),
    };
    let error = |kind| Error::new(kind, what).why(told.clone());
    match status {
        429 => error(ErrorKind::Throttled { after }).hint("try again later"),
        500..=599 => error(ErrorKind::Unavailable).hint("look at the Azure status page, and try again"),
        _ => {
            // Microsoft Entra authentication and authorization error codes.
            let hint = if message.contains("AADSTS7000222") {
                "the secret has expired: make a new one with: az ad app credential reset --id CLIENT-ID"
            } else if message.contains("AADSTS7000215") {
                "AZURE_CLIENT_SECRET is the secret's value, not its id"
            } else if message.contains("AADSTS700016") || message.contains("AADSTS90002") {
                "see that AZURE_CLIENT_ID and AZURE_TENANT_ID belong together, and to this cloud"
            } else {
                "see that AZURE_TENANT_ID, AZURE_CLIENT_ID and what belongs to them are right"
            };
            error(ErrorKind::Unauthenticated).hint(hint)
        }
    }
}

/// The innermost code and the text for people: of the vault's form, or of a login's (RFC 6749 5.2).
fn said(answer: &RawResponse) -> (String, String) {
    let Ok(body) = answer.body().json::<azure_core::Value>() else { return (String::new(), String::new()) };
    let text = |value: &azure_core::Value| words(value.as_str().unwrap_or_default());
    if body["error"].is_string() {
        return (text(&body["error"]), text(&body["error_description"]));
    }
    let detail = &body["error"];
    let inner = text(&detail["innererror"]["code"]);
    let code = if inner.is_empty() { text(&detail["code"]) } else { inner };
    (code, text(&detail["message"]))
}

/// What a source said, short.
fn told(error: &SdkError) -> String {
    match Failure::read(error, Who::Login) {
        Failure::Answer { status, message, .. } if message.is_empty() => format!("status {status}"),
        Failure::Answer { message, .. } => message,
        Failure::Ours { why, .. } | Failure::NoCredentials(why) => why,
    }
}

/// A service's own words, without line breaks and control characters, and no longer than fits a line or two.
pub(crate) fn words(text: &str) -> String {
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
