//! The network seam: one HTTP client for every service, blocking outside, async inside.
//!
//! A [`Client`] speaks with one [`Endpoint`]. It sends credentials there and nowhere else, keeps the deadline of its context
//! inside each call, tries again within bounds what may succeed later, and takes no answer larger than it was told. Begin
//! with [`Client::send`]; `runtime.rs` is the only place where async begins, `retry.rs` says what is tried again,
//! `trust.rs` whom TLS trusts and which proxy is asked. SDKs of services, which make and sign their requests themselves,
//! send through a [`Wire`], and a [`Caller`] repeats their calls by the same rules.

mod caller;
mod endpoint;
mod failure;
mod pace;
mod request;
mod retry;
mod runtime;
mod server_name;
mod trust;
mod wire;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::context::{OpenContext, Variable};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use request::Attempt;

pub use caller::{Again, Caller};
pub use endpoint::{Endpoint, encode_segment};
pub use request::{Answer, Method, Request};
pub use retry::{default_is_transient, parse_retry_after};
pub use runtime::wait;
pub use trust::load as load_certificates;
pub use wire::{RawAnswer, Wire};

/// How long a connection may take, TLS included, when the deadline leaves more.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Redirects followed on the same host. Real services need one.
const MAX_REDIRECTS: usize = 3;

/// Hosts that plain http is allowed to.
pub const PLAIN_HTTP: &str = "COUNTERSIGN_PLAIN_HTTP";

/// The environment variables that every client reads.
pub const VARIABLES: &[Variable] = &[
    Variable::new(
        PLAIN_HTTP,
        "allows plain http to these hosts, beside this machine: what is sent can be read on the way",
        "host names, separated by commas",
    ),
    Variable::secret("HTTPS_PROXY", "is the proxy for https", "a URL, as in http://proxy:3128"),
    Variable::secret("HTTP_PROXY", "is the proxy for plain http", "a URL, as in http://proxy:3128"),
    Variable::new(
        "NO_PROXY",
        "names hosts that are reached without a proxy",
        "host names and networks, separated by commas",
    ),
    Variable::new(
        trust::CERTIFICATES,
        "names the certificates that TLS trusts in place of the system's",
        "a file of certificates in PEM",
    ),
];

/// What a backend decides about its client.
#[derive(Clone)]
pub struct Options {
    /// Certificates (PEM, one or more) that alone are trusted; `None`: `SSL_CERT_FILE`, else the system's.
    pub certificates: Option<Vec<u8>>,
    /// The variable that names those, for hints.
    pub certificates_variable: &'static str,
    /// What we show where the service asks for a certificate: certificate and key in PEM, one after the other.
    pub identity: Option<Arc<Secret>>,
    /// What names that certificate, for hints; `None` where the service asks for none.
    pub identity_named_by: Option<&'static str>,
    /// The name that the server's certificate must bear, where it is not the address's.
    pub server_name: Option<String>,
    /// The most requests in a second when the context names no number; `None` where the service has no quota.
    pub max_rate: Option<NonZeroU32>,
    /// The largest body taken, in bytes.
    pub max_answer_bytes: usize,
    /// Whether an answer is the service's trouble of the moment and the request may be sent again.
    pub is_transient: fn(&Answer) -> bool,
    /// Whether a request that may have arrived is not sent again: for services that would do it twice.
    pub at_most_once: bool,
    /// Whether redirects are answers: for services that hand out what they have from elsewhere. Else they are followed on the
    /// same host and refused beyond it.
    pub returns_redirects: bool,
    /// Whether TLS takes every certificate: for what the user asked for by a flag that is called insecure.
    pub accepts_any_certificate: bool,
    /// Whether plain http is used with any host, since the user asked for it by a flag.
    pub allows_plain_http: bool,
}

impl Default for Options {
    /// The system's certificates, no quota, answers of 4 MiB, [`default_is_transient`].
    fn default() -> Self {
        Self {
            certificates: None,
            certificates_variable: "SSL_CERT_FILE",
            identity: None,
            identity_named_by: None,
            server_name: None,
            max_rate: None,
            max_answer_bytes: 4 * 1024 * 1024,
            is_transient: default_is_transient,
            at_most_once: false,
            returns_redirects: false,
            accepts_any_certificate: false,
            allows_plain_http: false,
        }
    }
}

/// Speaks with one endpoint. Shared freely between threads; connections are kept and used again.
pub struct Client<'a> {
    caller: Caller<'a>,
    endpoint: Endpoint,
    /// The endpoint, under the name that its certificate bears.
    sending: Endpoint,
    options: Options,
    client: reqwest::Client,
    sent: AtomicUsize,
}

impl<'a> Client<'a> {
    /// A client that has not connected yet.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for plain http to a host for which nobody said so; [`ErrorKind::Integrity`] for
    /// certificates or a proxy that cannot be read.
    pub fn new(endpoint: Endpoint, options: Options, context: &OpenContext<'a>) -> Result<Self> {
        if !options.allows_plain_http {
            endpoint.refuse_unasked_plain_http(context)?;
        }
        let builder = new_builder().tls_danger_accept_invalid_certs(options.accepts_any_certificate);
        let builder = trust::certificates(builder, endpoint.is_plain(), &options, context)?;
        let builder = trust::identity(builder, &endpoint, &options)?;
        let (builder, has_proxy) = trust::proxy(builder, &endpoint, context)?;
        let (builder, sending) = server_name::apply(builder, &endpoint, &options, has_proxy, context)?;
        let client = builder.build().map_err(|cause| failure::of_setup(&endpoint, &options, &cause))?;
        let caller = Caller::new(context, options.max_rate);
        Ok(Self { caller, endpoint, sending, options, client, sent: AtomicUsize::new(0) })
    }

    /// Where it sends.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The context that it was made with.
    pub fn context(&self) -> &OpenContext<'a> {
        self.caller.context()
    }

    /// How many requests went out so far, repeated ones included.
    pub fn requests(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends a request and returns the answer, whatever its status: the backend's `errors.rs` judges it. `act` completes
    /// "cannot …". It may take as long as the context's deadline left when the client was made; a wait for `max_rate` is not
    /// counted. Costs one round trip, and up to three more where the service has trouble; each is an
    /// [`Event::Retrying`](crate::context::Event::Retrying).
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] at that limit or when cancelled; [`ErrorKind::Unavailable`] when there is no
    /// connection; [`ErrorKind::Unauthenticated`] when TLS does not trust the host; [`ErrorKind::Integrity`] for an answer
    /// beyond the limit; [`ErrorKind::Unsupported`] for a redirect to another host.
    pub fn send(&self, act: &str, request: &Request<'_>) -> Result<Answer> {
        self.send_up_to(self.options.max_answer_bytes, act, request)
    }

    /// The same with another limit to the answer's body, in bytes.
    ///
    /// # Errors
    /// As those of [`Client::send`].
    pub fn send_up_to(&self, max_answer_bytes: usize, act: &str, request: &Request<'_>) -> Result<Answer> {
        let once = |context: &OpenContext<'_>| self.send_once(max_answer_bytes, act, request, context);
        let outcome = self.caller.repeat(act, once, |outcome| match outcome {
            Ok(Attempt::Answer(answer)) if (self.options.is_transient)(answer) => {
                Again::After(answer.retry_after)
            }
            Ok(Attempt::NoAnswer { may_have_arrived: true, .. }) if self.options.at_most_once => Again::Never,
            Ok(Attempt::NoAnswer { .. }) => Again::After(None),
            Ok(Attempt::Answer(_)) | Err(_) => Again::Never,
        })?;
        match outcome? {
            Attempt::Answer(answer) => Ok(answer),
            Attempt::NoAnswer { error, .. } => Err(error),
        }
    }

    /// One request and the redirects that stay on the host.
    fn send_once(
        &self,
        max_answer_bytes: usize,
        act: &str,
        request: &Request<'_>,
        context: &OpenContext<'_>,
    ) -> Result<Attempt> {
        let mut url = self.sending.join(request.path)?;
        for _ in 0..=MAX_REDIRECTS {
            self.sent.fetch_add(1, Ordering::Relaxed);
            let attempt = wait(context, act, async || {
                let mut built = request.build(url.clone())?;
                if let Some(host) = self.endpoint.host_unlike(&self.sending) {
                    // Only TLS goes by the other name; what the server builds addresses from is where it is.
                    built.headers_mut().insert(reqwest::header::HOST, host);
                }
                let sending = self.client.execute(built);
                request::read(sending.await, max_answer_bytes, &self.options, &self.endpoint, act).await
            })??;
            let Attempt::Answer(answer) = &attempt else { return Ok(attempt) };
            if self.options.returns_redirects {
                return Ok(attempt);
            }
            let Some(target) = answer.redirect(request.method)? else { return Ok(attempt) };
            url = self.sending.same_origin(&url, target, act)?;
        }
        Err(Error::new(ErrorKind::Unsupported, format!("cannot {act}"))
            .why(format!("{} redirects in a circle", self.endpoint)))
    }
}

/// What every client of ours is: it follows no redirect and repeats nothing by itself, since credentials stay with their
/// host and retries are counted here.
fn new_builder() -> reqwest::ClientBuilder {
    runtime::install_crypto_provider();
    reqwest::Client::builder()
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_LIMIT)
}

/// A body that holds a secret, wiped once it is sent.
pub type SecretBody = Zeroizing<Vec<u8>>;

#[cfg(test)]
mod tests;
