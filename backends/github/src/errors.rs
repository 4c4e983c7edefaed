//! What GitHub answers when it does not do what was asked, as the core's kinds (GitHub, "Troubleshooting the REST API").

use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::Answer;

/// The failure of one call; `what` names the act and its object.
pub(crate) fn refused(what: String, answer: &Answer) -> Error {
    let error = |kind, why: &str| Error::new(kind, what.clone()).why(why);
    let needs = "it needs, for a repository, the permission \"Secrets\" (write) or the scope repo; for an organization the permission \
                 \"Organization secrets\" (write) or the scope admin:org";
    match answer.status {
        401 => error(
            ErrorKind::Unauthenticated,
            "GitHub does not know the token: it is wrong, expired or revoked",
        )
        .hint("make a new token and set GITHUB_TOKEN"),
        403 if answer.retry_after.is_some() => throttled(&what, answer),
        403 => error(
            ErrorKind::Denied,
            "the token may not see or change secrets there, or a rate limit is reached",
        )
        .hint(needs),
        404 => error(
            ErrorKind::NotFound,
            "GitHub shows the token no such repository or organization, or no secrets of it",
        )
        .hint(needs),
        429 => throttled(&what, answer),
        500.. => error(ErrorKind::Unavailable, &format!("GitHub answers with status {}", answer.status))
            .hint("try again later"),
        status => error(ErrorKind::Unsupported, &format!("GitHub answers with status {status}"))
            .hint("see that GITHUB_HOST is the address of a GitHub server"),
    }
}

fn throttled(what: &str, answer: &Answer) -> Error {
    Error::new(ErrorKind::Throttled { after: answer.retry_after }, what)
        .why("GitHub limits how much is asked")
        .hint("ask less often with --max-rate, or later")
}

/// The answer is not what GitHub sends.
pub(crate) fn unreadable(what: String) -> Error {
    Error::new(ErrorKind::Integrity, what)
        .why("the answer is not that of a GitHub server")
        .hint("see that GITHUB_HOST is the address of a GitHub server and nothing in between answers for it")
}
