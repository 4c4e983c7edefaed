//! What the layers below say when there is no answer, in our words.

use std::error::Error as StdError;

use rustls::AlertDescription;

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
    let error = error.hint("see that the address is right and the service runs");
    Ok(Attempt::NoAnswer { error, may_have_arrived: !cause.is_connect() })
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
        rustls::Error::AlertReceived(alert) => {
            match options.identity_named_by.filter(|_| is_of_identity(*alert)) {
                Some(name) if options.identity.is_none() => {
                    format!("the server asks for a certificate: name one with {name}")
                }
                Some(name) => format!("the server does not take the certificate that {name} name"),
                None => OLD_TLS.to_owned(),
            }
        }
        _ => OLD_TLS.to_owned(),
    }
}

const OLD_TLS: &str = "see that both sides speak TLS 1.2 or 1.3";

/// What servers say of the certificate that they were shown, or of none. RFC 8446 6.2 has a word of its own for none; in TLS
/// 1.2 it was one of the first two.
fn is_of_identity(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateRequired
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

/// A client that cannot be made.
pub(super) fn of_setup(endpoint: &Endpoint, options: &Options, cause: &reqwest::Error) -> Error {
    // What cannot be read at all is refused before; here two halves were read that do not belong together.
    if let Some(rustls::Error::InconsistentKeys(_)) = find(cause) {
        return no_pair(endpoint, options);
    }
    of_client(cause).within(format!("cannot prepare the connection to {endpoint}"))
}

/// The certificate that we show and the key beside it.
pub(super) fn no_pair(endpoint: &Endpoint, options: &Options) -> Error {
    let error = Error::new(ErrorKind::Unauthenticated, format!("cannot show a certificate to {endpoint}"))
        .why("certificate and key are not a pair in PEM");
    match options.identity_named_by {
        Some(name) => error.hint(format!("{name} name a certificate and its own key, without a password")),
        None => error,
    }
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
