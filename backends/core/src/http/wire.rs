//! What a service's SDK sends through: it makes and signs requests, and here are TLS, trust, proxies and bounds.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::request::{self, Attempt};
use super::{Endpoint, Options, failure, new_builder, trust};
use crate::context::OpenContext;
use crate::error::{Error, ErrorKind, Result};

/// Sends requests of an SDK to the hosts that it chooses. Clones share their connections.
#[derive(Clone)]
pub struct Wire {
    client: reqwest::Client,
    options: Options,
}

/// An answer with all its headers.
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that are text.
    pub headers: Vec<(String, String)>,
    /// The body, at most as large as the client takes.
    pub body: Vec<u8>,
}

impl Wire {
    /// Nothing is connected yet. With `is_plain` no host is reached by TLS, which spares reading the system's certificates.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] for certificates that cannot be read, [`ErrorKind::BadUri`] for such a proxy.
    pub fn new(options: Options, is_plain: bool, context: &OpenContext<'_>) -> Result<Self> {
        let builder = trust::certificates(new_builder(), is_plain, &options, context)?;
        let client = trust::proxies(builder, context)?.build().map_err(|cause| failure::of_client(&cause))?;
        Ok(Self { client, options })
    }

    /// One request, sent once; a redirect is an answer. `limit` is the time until the answer is there.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where trying again may help; those of [`super::Client::send`] otherwise.
    pub async fn exchange<'h>(
        &self,
        method: &str,
        url: &str,
        headers: impl Iterator<Item = (&'h str, &'h str)>,
        body: Vec<u8>,
        limit: Option<Duration>,
    ) -> Result<RawAnswer> {
        let act = "send a request";
        let bad = |why: &str| Error::new(ErrorKind::BadUri, format!("cannot {act}")).why(why);
        let url = reqwest::Url::parse(url).map_err(|_| bad("its address is no URL"))?;
        let endpoint = Endpoint::parse(&url.origin().ascii_serialization(), "the address of a service")?;
        let method = method.parse().map_err(|_| bad("its method is not known"))?;
        let mut sent = reqwest::Request::new(method, url);
        let map: &mut HeaderMap = sent.headers_mut();
        for (name, value) in headers {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("a header has no good name"))?;
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| bad("a header's value has characters that no header may have"))?;
            // Which of them bear credentials, the SDK alone knows.
            value.set_sensitive(true);
            map.append(name, value);
        }
        *sent.body_mut() = Some(Bytes::from(body).into());
        *sent.timeout_mut() = limit;
        let answer = self.client.execute(sent).await;
        let headers = answer.as_ref().map_or_else(|_| Vec::new(), |answer| text_headers(answer.headers()));
        match request::read(answer, self.options.max_answer_bytes, &self.options, &endpoint, act).await? {
            Attempt::Answer(mut answer) => {
                Ok(RawAnswer { status: answer.status, headers, body: std::mem::take(&mut *answer.body) })
            }
            Attempt::NoAnswer { error, .. } => Err(error),
        }
    }
}

fn text_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}
