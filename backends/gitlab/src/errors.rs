//! What GitLab answers when it does not do what was asked, as the core's kinds (GitLab, "REST API", status codes).

use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::Answer;

/// The failure of one call; `what` names the act and its object, `writes` whether it would have changed something.
pub(crate) fn refused(what: String, answer: &Answer, writes: bool) -> Error {
    let error = |kind, why: &str| Error::new(kind, what.clone()).why(why);
    match answer.status {
        401 => error(ErrorKind::Unauthenticated, "GitLab does not know the token: it is wrong, expired or revoked")
            .hint("make a new token and set GITLAB_TOKEN"),
        403 => error(ErrorKind::Denied, "the token may not see or change CI/CD variables there").hint(if writes {
            "its owner needs the role Maintainer (of a group: Owner) and the token the scope api"
        } else {
            "its owner needs the role Maintainer (of a group: Owner) and the token the scope api or read_api"
        }),
        409 => error(ErrorKind::Ambiguous, "the variable is there for several environments")
            .hint("keep one, for the environment *"),
        429 => error(ErrorKind::Throttled { after: answer.retry_after }, "GitLab limits how much is asked")
            .hint("ask less often with --max-rate, or later"),
        500.. => error(ErrorKind::Unavailable, &format!("GitLab answers with status {}", answer.status))
            .hint("try again later"),
        status => error(ErrorKind::Unsupported, &format!("GitLab answers with status {status}"))
            .hint("see that GITLAB_HOST is the address of a GitLab server"),
    }
}

/// The answer is not what GitLab sends. Its text is not shown: it may be part of a secret.
pub(crate) fn unreadable(what: String) -> Error {
    Error::new(ErrorKind::Integrity, what)
        .why("the answer is not that of a GitLab server")
        .hint("see that GITLAB_HOST is the address of a GitLab server and nothing in between answers for it")
}
