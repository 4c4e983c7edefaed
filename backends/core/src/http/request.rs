//! What is sent and what comes back, bounded.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use zeroize::Zeroizing;

use super::{Endpoint, Options, SecretBody, failure, parse_retry_after};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// The verbs that services here use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Asks whether there is something to read.
    Head,
    /// Acts or makes.
    Post,
    /// Puts something in the place of what is there.
    Put,
    /// Takes away.
    Delete,
}

/// One request to the client's endpoint. It may be sent more than once.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The verb.
    pub method: Method,
    /// The path below the endpoint with its query, beginning with a slash, percent-encoded.
    pub path: &'a str,
    /// Headers that anybody may see.
    pub headers: &'a [(&'static str, &'a str)],
    /// Headers that bear a credential: marked as sensitive, never logged.
    pub credentials: &'a [(&'static str, &'a Secret)],
    /// The body: JSON, unless a header says otherwise.
    pub body: Option<&'a SecretBody>,
}

impl Request<'_> {
    pub(super) fn build(&self, url: reqwest::Url) -> Result<reqwest::Request> {
        let method = match self.method {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut request = reqwest::Request::new(method, url);
        for (name, value) in self.headers {
            let value = HeaderValue::from_str(value).map_err(|_| bad_header(name))?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        for (name, secret) in self.credentials {
            let mut value = HeaderValue::from_bytes(secret.expose()).map_err(|_| bad_header(name))?;
            value.set_sensitive(true);
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        if let Some(body) = self.body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().entry(CONTENT_TYPE).or_insert(json);
            // The copy is wiped too when the last holder lets it go.
            *request.body_mut() = Some(Bytes::from_owner(Zeroizing::new(body.to_vec())).into());
        }
        Ok(request)
    }
}

fn bad_header(name: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, format!("cannot send the header {name}"))
        .why("its value has characters that no header may have, such as a line break")
        .hint("look for a line break or blank in the token or namespace")
}

/// An answer of whatever status.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What `Retry-After` asks for ([`parse_retry_after`]).
    pub retry_after: Option<Duration>,
    /// The body, at most as large as the client takes. It may hold a token, so it is wiped.
    pub body: Zeroizing<Vec<u8>>,
    pub(super) headers: HeaderMap,
}

impl Answer {
    /// Whether the service did what was asked.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Where the answer says that what was asked for is (`Location`).
    pub fn location(&self) -> Option<&str> {
        self.header(LOCATION.as_str())
    }

    /// The first header of this name, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All headers of this name that are text.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// Where the service wants the request to go instead.
    pub(super) fn redirect(&self, method: Method) -> Result<Option<&str>> {
        match (self.status, self.location()) {
            (307 | 308, Some(to)) => Ok(Some(to)),
            (301..=303, Some(to)) if matches!(method, Method::Get | Method::Head) => Ok(Some(to)),
            // RFC 9110 15.4: these would turn a POST into a GET, which signs nothing.
            (301..=303, Some(_)) => Err(Error::new(ErrorKind::Unsupported, "cannot follow a redirect")
                .why(format!("status {} drops what was sent", self.status))
                .hint("name the address that the service redirects to")),
            _ => Ok(None),
        }
    }
}

/// What came of one try.
pub(super) enum Attempt {
    Answer(Answer),
    /// None came: trying again may help.
    NoAnswer {
        error: Error,
        /// False where there was no connection at all.
        may_have_arrived: bool,
    },
}

/// Reads an answer to its end or to the limit.
pub(super) async fn read(
    sent: Result<reqwest::Response, reqwest::Error>,
    max_answer_bytes: usize,
    options: &Options,
    endpoint: &Endpoint,
    act: &str,
) -> Result<Attempt> {
    let mut response = match sent {
        Ok(response) => response,
        Err(cause) => return failure::of_exchange(act, endpoint, options, &cause),
    };
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = parse_retry_after(header("retry-after"), header("date"));
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = Zeroizing::new(Vec::new());
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > max_answer_bytes => {
                return Err(Error::new(ErrorKind::Integrity, format!("cannot {act}"))
                    .why(format!("the answer of {endpoint} is larger than {max_answer_bytes} bytes")));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(Attempt::Answer(Answer { status, retry_after, body, headers })),
            Err(cause) => return failure::of_exchange(act, endpoint, options, &cause),
        }
    }
}
