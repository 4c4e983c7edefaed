//! A server whose certificate bears another name than its address has: behind a tunnel, say, or reached by number.

use std::net::ToSocketAddrs;

use reqwest::ClientBuilder;

use super::{Endpoint, Options};
use crate::bounded;
use crate::context::OpenContext;
use crate::error::{Error, ErrorKind, Result};

/// What is asked in the place of `endpoint`: the same under the name that the certificate must bear, which leads to the
/// endpoint's own addresses. The server is asked for by that name in TLS; HTTP goes on naming the
/// endpoint.
///
/// # Errors
/// [`ErrorKind::BadUri`] for a name that is none; [`ErrorKind::Unsupported`] where a proxy would look the name up;
/// [`ErrorKind::Unavailable`] where the endpoint's host has no address.
pub(super) fn apply(
    builder: ClientBuilder,
    endpoint: &Endpoint,
    options: &Options,
    has_proxy: bool,
    context: &OpenContext<'_>,
) -> Result<(ClientBuilder, Endpoint)> {
    let Some(name) = options.server_name.as_ref().filter(|_| !endpoint.is_plain()) else {
        return Ok((builder, endpoint.clone()));
    };
    let what = || format!("cannot ask {endpoint} as {name}");
    let Some(named) = endpoint.under(name) else {
        return Err(Error::new(ErrorKind::BadUri, what()).why("that is no host name"));
    };
    if has_proxy {
        return Err(Error::new(ErrorKind::Unsupported, what())
            .why("a proxy stands between, and would look that name up by itself")
            .hint(format!("put {} into NO_PROXY, or leave the name out", endpoint.host())));
    }
    let (host, port) = (endpoint.host().to_owned(), endpoint.port());
    // Nothing limits how long the system looks for a name.
    let found = bounded::before(context.deadline, move || {
        (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>)
    });
    let addresses = found.unwrap_or_else(|| Err(bounded::late())).map_err(|cause| {
        Error::new(ErrorKind::Unavailable, format!("cannot find {}", endpoint.host())).why(cause.to_string())
    })?;
    Ok((builder.resolve_to_addrs(name, &addresses), named))
}
