//! What a registry's refusals mean (distribution specification 1.1, "Error Codes").

use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::Answer;

/// The registry's own words, and its code.
pub(super) fn said(answer: &Answer) -> (String, String) {
    let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |field: &str| {
        let text =
            value.pointer(&format!("/errors/0/{field}")).and_then(|text| text.as_str()).unwrap_or_default();
        text.chars().filter(|letter| !letter.is_control()).take(200).collect::<String>()
    };
    (text("code"), text("message"))
}

/// An answer that does not do what was asked.
pub(super) fn refused(host: &str, act: &str, answer: &Answer) -> Error {
    let (code, message) = said(answer);
    let words =
        [code.as_str(), message.as_str()].iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>();
    let words = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    let error = |kind| {
        Error::new(kind, format!("cannot {act}"))
            .why(format!("{host} answers with status {}{words}", answer.status))
    };
    match answer.status {
        401 => error(ErrorKind::Unauthenticated)
            .hint("log in with countersign login or docker login, or pass --registry-username and --registry-password"),
        403 => error(ErrorKind::Denied).hint("the account may not do that there: ask who runs the repository"),
        404 => error(ErrorKind::NotFound),
        405 | 501 => error(ErrorKind::Unsupported).hint("this registry does not offer it"),
        413 => error(ErrorKind::Unsupported).hint("it is larger than this registry takes"),
        429 => error(ErrorKind::Throttled { after: answer.retry_after })
            .hint("wait a moment and try again; who logs in may ask more often in many registries"),
        300..=399 => error(ErrorKind::Unsupported).hint("name the registry by the address that it leads to"),
        500.. => error(ErrorKind::Unavailable).hint("try again later"),
        _ => error(ErrorKind::Unsupported),
    }
}
