//! What the API server answers when it does not do what was asked (Kubernetes, "API Conventions", HTTP status codes).

use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::Answer;
use serde::Deserialize;

/// The longest text of a server that is shown, in characters.
const MAX_SHOWN: usize = 300;

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    message: String,
}

/// The server's own words, on one line.
fn words(answer: &Answer) -> String {
    let status = serde_json::from_slice::<Status>(&answer.body).map(|status| status.message);
    let text = status.unwrap_or_default();
    let words: Vec<_> =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty()).collect();
    let shown: String = words.join(" ").chars().take(MAX_SHOWN).collect();
    if shown.is_empty() {
        format!("the API server answers with status {}", answer.status)
    } else {
        format!("the API server says: {shown}")
    }
}

/// The failure of one call; `verb` is what a role must allow on secrets.
pub(crate) fn refused(what: String, answer: &Answer, verb: &str, namespace: &str) -> Error {
    let error = |kind| Error::new(kind, what.clone()).why(words(answer));
    match answer.status {
        401 => error(ErrorKind::Unauthenticated)
            .hint("the token or certificate of the kubeconfig is wrong or expired: log in again"),
        403 => error(ErrorKind::Denied).hint(format!(
            "a role in the namespace {namespace} must allow {verb} on secrets: kubectl create role NAME --verb={verb} --resource=secrets -n {namespace}"
        )),
        404 => error(ErrorKind::NotFound).hint(format!("see kubectl get secrets -n {namespace}")),
        409 => error(ErrorKind::Busy).hint("somebody else changed the secret in this moment: look at it and try again"),
        422 => error(ErrorKind::Unsupported).hint("see what is said of the secret"),
        429 => Error::new(ErrorKind::Throttled { after: answer.retry_after }, what.clone())
            .why(words(answer))
            .hint("ask less often with --max-rate, or later"),
        500.. => error(ErrorKind::Unavailable).hint("look at the cluster, or try again later"),
        _ => error(ErrorKind::Unsupported).hint("see that the cluster's server in the kubeconfig is right"),
    }
}

/// The answer is not what the API server sends. Its text is not shown: it may be part of a secret.
pub(crate) fn unreadable(what: String) -> Error {
    Error::new(ErrorKind::Integrity, what)
        .why("the answer is not a secret of a Kubernetes API server")
        .hint("see that the cluster's server in the kubeconfig is right")
}
