//! The SDK's way out: its requests go through the core's [`Wire`], so that TLS, trust and proxies are those of every service.

use async_trait::async_trait;
use azure_core::error::{Error as SdkError, ErrorKind as SdkErrorKind};
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::request::Body;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode};
use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::Wire;

/// Sends what the SDK has made, once.
#[derive(Clone)]
pub(crate) struct Transport {
    wire: Wire,
    /// The one origin that requests go to; `None`: any, for logins, whose address is settled before.
    only: Option<String>,
}

impl Transport {
    /// For logins.
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire, only: None }
    }

    /// For the vault, whose lists name the address of their next page: it stays on the host.
    pub(crate) fn only_to(&self, origin: &str) -> Self {
        Self { wire: self.wire.clone(), only: Some(origin.to_owned()) }
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transport")
    }
}

#[async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let origin = request.url().origin().ascii_serialization();
        if self.only.as_ref().is_some_and(|only| *only != origin) {
            return Err(carried(
                Error::new(ErrorKind::Unsupported, "cannot send a request").why(format!(
                    "the service names an address on {origin}, and credentials do not go there"
                )),
            ));
        }
        let Body::Bytes(body) = request.body() else {
            return Err(carried(Error::internal("the SDK sends a body that streams")));
        };
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let url = request.url().as_str();
        let sent = self.wire.exchange(request.method().as_str(), url, headers, body.to_vec(), None).await;
        let answer = sent.map_err(carried)?;
        let mut headers = Headers::new();
        for (name, value) in answer.headers {
            let name = HeaderName::from(name);
            // RFC 9110 5.2: a repeated field is one list.
            let whole = match headers.get_optional_str(&name) {
                Some(before) => format!("{before}, {value}"),
                None => value,
            };
            headers.insert(name, whole);
        }
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(answer.status), headers, answer.body))
    }
}

/// Ours is carried inside and found again in `errors.rs`.
pub(crate) fn carried(error: Error) -> SdkError {
    SdkError::new(SdkErrorKind::Io, error)
}
