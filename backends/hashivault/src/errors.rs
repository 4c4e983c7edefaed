//! What the server answers when it does not do what was asked, as the core's kinds: one table on (status, words, call).

use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::Answer;
use serde::Deserialize;

/// The longest text of a server that is shown, in characters.
const MAX_SHOWN: usize = 300;

/// What a call does, as policies call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    Read,
    List,
    Update,
}

impl Capability {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Update => "update",
        }
    }
}

/// Where a call goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The path below `/v1/`, as policies name it.
    pub(crate) path: &'a str,
    pub(crate) capability: Capability,
    /// The mount it begins with.
    pub(crate) mount: &'a str,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<String>,
}

/// The server's own words, without line breaks and control characters, and no longer than fits a line or two.
fn words(answer: &Answer) -> String {
    let errors = serde_json::from_slice::<Refusal>(&answer.body).map(|refusal| refusal.errors);
    let text = errors.unwrap_or_default().join("; ");
    let words: Vec<_> =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(MAX_SHOWN).collect()
}

/// Whether the same request may succeed in a moment. A sealed server stays sealed, and 500 is also how the server answers
/// requests that it cannot carry out.
pub(crate) fn is_transient(answer: &Answer) -> bool {
    match answer.status {
        // 412: a standby that has not seen yet what the active server wrote.
        412 | 429 | 502 | 504 => true,
        503 => !words(answer).contains("sealed"),
        500 => !words(answer).contains("requested version"),
        _ => false,
    }
}

/// The failure of one call; `what` names the act and its object.
pub(crate) fn refused(what: &str, answer: &Answer, place: Place<'_>) -> Error {
    let words = words(answer);
    let says = |word: &str| words.contains(word);
    let told = if words.is_empty() {
        format!("the server answers with status {}", answer.status)
    } else {
        format!("the server says: {words}")
    };
    let error = |kind, why: String| Error::new(kind, what).why(why);
    let mount = place.mount;
    match answer.status {
        400 if String::from_utf8_lossy(&answer.body).contains("HTTP request to an HTTPS server") => {
            error(ErrorKind::Unsupported, "the server speaks TLS there".to_owned())
                .hint("write https:// in its address")
        }
        400 if says("missing client token") => {
            error(ErrorKind::Unauthenticated, told).hint("set VAULT_TOKEN")
        }
        400 if says("key not found") => missing_key(what, place),
        400 | 500 if says("requested version") => error(ErrorKind::KeyState, told).hint(
            "the version may sign no more: see min_encryption_version with: countersign keys doctor URI",
        ),
        400 => error(ErrorKind::Unsupported, told),
        403 if says("invalid token") || says("bad token") => not_known(what),
        403 => denied(what, place),
        404 if says("no handler for route") => {
            error(ErrorKind::NotFound, format!("nothing is mounted at {mount}"))
                .hint("name the transit engine's mount with ?mount= or TRANSIT_SECRET_ENGINE_PATH")
        }
        404 if place.path.starts_with("auth/") => error(ErrorKind::NotFound, told),
        404 if is_other_engine(answer) => {
            error(ErrorKind::NotFound, format!("what is mounted at {mount} is no transit engine"))
                .hint("name the transit engine's mount with ?mount= or TRANSIT_SECRET_ENGINE_PATH")
        }
        404 => missing_key(what, place),
        405 => error(ErrorKind::Unsupported, told).hint(format!("see that {mount} is a transit engine")),
        429 => {
            error(ErrorKind::Throttled { after: answer.retry_after }, told).hint(match answer.retry_after {
                Some(after) => {
                    format!("the server limits how much is asked: come back in {} s", after.as_secs())
                }
                None => {
                    "the server limits how much is asked: ask less often with --max-rate, or later".to_owned()
                }
            })
        }
        503 if says("sealed") => error(ErrorKind::Unavailable, "the server is sealed".to_owned()).hint(
            "somebody who holds its keys must unseal it: bao operator unseal, or vault operator unseal",
        ),
        500..=599 | 412 => {
            error(ErrorKind::Unavailable, told).hint("look at the server's log, and try again")
        }
        _ => error(ErrorKind::Unavailable, told),
    }
}

/// Other engines answer 404 with a warning; the transit engine says nothing at all.
fn is_other_engine(answer: &Answer) -> bool {
    String::from_utf8_lossy(&answer.body).contains("\"warnings\":[")
}

/// What is said of a key that is missing while its engine is there.
pub(crate) fn no_such_key(mount: &str) -> String {
    format!("the transit engine at {mount} has no such key")
}

fn missing_key(what: &str, place: Place<'_>) -> Error {
    Error::new(ErrorKind::NotFound, what)
        .why(no_such_key(place.mount))
        .hint(format!("list what it has with: countersign keys list 'hashivault://?mount={}'", place.mount))
}

/// The token is good, and a policy is missing.
pub(crate) fn denied(what: &str, place: Place<'_>) -> Error {
    let capability = place.capability.name();
    Error::new(ErrorKind::Denied, what)
        .why(format!("the token's policies do not allow \"{capability}\" on {}", place.path))
        .hint(format!(
            "a policy allows it with: path \"{}\" {{ capabilities = [\"{capability}\"] }}",
            place.path
        ))
}

/// The server does not know the token, or does not tell.
pub(crate) fn not_known(what: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, what)
        .why("the server does not know the token: it is wrong, expired, revoked, or of another server or namespace")
        .hint("get a new one, as with: bao login, or vault login")
}

/// An answer that is not what this call returns.
pub(crate) fn unreadable(what: &str, cause: &serde_json::Error) -> Error {
    // Its own text may quote a value, which may be a token.
    let at = format!("line {} column {}", cause.line(), cause.column());
    Error::new(ErrorKind::Integrity, what)
        .why(format!("the answer is not that of a Vault or OpenBao server, at {at}"))
        .hint("see that the address is that of the server, and what stands between")
}
