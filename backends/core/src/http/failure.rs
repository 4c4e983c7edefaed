//! What the layers below say when there is no answer, in our words.

use std::error::Error as StdError;

use super::request::Attempt;
use super::{Endpoint, Options};
use crate::error::{Error, ErrorKind, Result};

/// No answer to one request: TLS that does not trust the host is final, all else may pass.
pub(super) fn of_exchange(
    act: &str,
    endpoint: &Endpoint,
    options: &Options,
    cause: &reqwest::Error,
) -> Result<Attempt> {
    let what = format!("cannot {act}");
    if let Some(tls) = find::<rustls::Error>(cause) {
        return Err(Error::new(ErrorKind::Unauthenticated, what)
            .why(format!("TLS with {endpoint}: {}", words(tls)))
            .hint(tls_hint(tls, options)));
    }
    let why = if cause.is_connect() && cause.is_timeout() {
        "no connection in time".to_owned()
    } else {
        words(innermost(cause))
    };
    let error = Error::new(ErrorKind::Unavailable, what).why(format!("{endpoint}: {why}"));
    Ok(Attempt::NoConnection(error.hint("see that the address is right and the service runs")))
}

fn tls_hint(cause: &rustls::Error, options: &Options) -> String {
    match cause {
        rustls::Error::InvalidCertificate(_) => {
            let own = match options.certificates_variable {
                "SSL_CERT_FILE" => String::new(),
                variable => format!("{variable}, or "),
            };
            format!("if the server is yours, name its certificate authority with {own}SSL_CERT_FILE")
        }
        rustls::Error::InvalidMessage(_) => "the port may speak plain http".to_owned(),
        _ => "see that both sides speak TLS 1.2 or 1.3".to_owned(),
    }
}

/// A client that cannot be made.
pub(super) fn of_setup(endpoint: &Endpoint, cause: &reqwest::Error) -> Error {
    of_client(cause).within(format!("cannot prepare the connection to {endpoint}"))
}

/// The same where no host is known yet.
pub(super) fn of_client(cause: &reqwest::Error) -> Error {
    Error::new(ErrorKind::Integrity, "cannot prepare TLS")
        .why(words(innermost(cause)))
        .hint("look at SSL_CERT_FILE and at the system's certificates (package ca-certificates)")
}

/// The first cause of this type. Errors that an `io::Error` holds are not its sources, so they are looked for inside.
fn find<'a, T: StdError + 'static>(cause: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(cause);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        let inside = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inside.and_then(|inside| find::<T>(inside as &(dyn StdError + 'static))) {
            return Some(found);
        }
        next = current.source();
    }
    None
}

fn innermost<'a>(cause: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut current = cause;
    while let Some(next) = current.source() {
        current = next;
    }
    current
}

/// The system's own words without Rust's "(os error N)" and rustls's pointer to its manual, beginning small.
fn words(cause: &(dyn StdError + 'static)) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let text = text.split(": https://docs.rs/").next().unwrap_or(text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
