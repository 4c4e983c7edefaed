//! Whom TLS trusts, and which proxy stands between.

use std::path::Path;

use reqwest::{Certificate, ClientBuilder, Identity, NoProxy, Proxy};

use super::{Endpoint, Options, failure};
use crate::context::OpenContext;
use crate::error::{Error, ErrorKind, Result};

/// Replaces the system's certificates, as in OpenSSL and Go.
pub(super) const CERTIFICATES: &str = "SSL_CERT_FILE";

/// A whole bundle of certificate authorities: the usual one has 220 kilobytes.
const MAX_CERTIFICATES_BYTES: u64 = 4 * 1024 * 1024;

/// Sets the trusted certificates: the backend's, else those of `SSL_CERT_FILE`, else the system's.
pub(super) fn certificates(
    builder: ClientBuilder,
    is_plain: bool,
    options: &Options,
    context: &OpenContext<'_>,
) -> Result<ClientBuilder> {
    if is_plain {
        // Reading the system's takes milliseconds, for nothing: no redirect leads to https.
        return Ok(builder.tls_certs_only([]));
    }
    let pem = match &options.certificates {
        Some(pem) => pem.clone(),
        None => match context.environment.variable(CERTIFICATES).filter(|path| !path.is_empty()) {
            None => return Ok(builder),
            Some(path) => load(Path::new(&path), CERTIFICATES, context)?,
        },
    };
    let trusted = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if trusted.is_empty() {
        return Err(Error::new(ErrorKind::Integrity, "cannot trust the certificates for TLS")
            .why("the file of trusted certificates holds none in PEM"));
    }
    Ok(builder.tls_certs_only(trusted))
}

/// Sets the certificate that we show.
pub(super) fn identity(
    builder: ClientBuilder,
    endpoint: &Endpoint,
    options: &Options,
) -> Result<ClientBuilder> {
    let Some(pem) = &options.identity else { return Ok(builder) };
    // Its cause may quote what it could not read.
    let identity = Identity::from_pem(pem.expose()).map_err(|_| failure::no_pair(endpoint, options))?;
    Ok(builder.identity(identity))
}

/// The content of a file of certificates that the variable `name` names.
pub fn load(path: &Path, name: &str, context: &OpenContext<'_>) -> Result<Vec<u8>> {
    crate::bounded::read(path, MAX_CERTIFICATES_BYTES, context.deadline)
        .map_err(|cause| Error::io("read the certificates in", path.display(), cause))
        .map_err(|error| error.hint(format!("{name} names this file")))
}

/// Sets the proxy of the environment, or none: never one for this machine, as in Go. Says whether one may be asked.
pub(super) fn proxy(
    builder: ClientBuilder,
    endpoint: &Endpoint,
    context: &OpenContext<'_>,
) -> Result<(ClientBuilder, bool)> {
    // Without this reqwest would look by itself.
    let builder = builder.no_proxy();
    if endpoint.is_loopback() {
        return Ok((builder, false));
    }
    let names = if endpoint.is_plain() { PLAIN } else { TLS };
    let listed = first(EXCEPT, context).map_or_else(String::new, |(_, hosts)| hosts);
    let is_excepted = listed.split(',').any(|host| host.trim() == endpoint.host());
    let has_proxy = first(names, context).is_some() && !is_excepted;
    let builder = with_proxy(builder, names, Proxy::all, NoProxy::from_string(&listed), context)?;
    Ok((builder, has_proxy))
}

/// Sets the proxies of the environment for a client of many hosts: never for this machine, nor for the addresses at which a
/// cloud's machines ask about themselves (RFC 3927).
pub(super) fn proxies(builder: ClientBuilder, context: &OpenContext<'_>) -> Result<ClientBuilder> {
    let more = first(EXCEPT, context).map_or_else(String::new, |(_, hosts)| format!(",{hosts}"));
    let except =
        NoProxy::from_string(&format!("localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::/32{more}"));
    let builder = with_proxy(builder.no_proxy(), PLAIN, Proxy::http, except.clone(), context)?;
    with_proxy(builder, TLS, Proxy::https, except, context)
}

const PLAIN: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const TLS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const EXCEPT: [&str; 2] = ["NO_PROXY", "no_proxy"];

fn with_proxy(
    builder: ClientBuilder,
    names: [&'static str; 2],
    kind: fn(String) -> reqwest::Result<Proxy>,
    except: Option<NoProxy>,
    context: &OpenContext<'_>,
) -> Result<ClientBuilder> {
    let Some((name, url)) = first(names, context) else { return Ok(builder) };
    let proxy = kind(url).map_err(|_| {
        // Its value may hold a password.
        Error::new(ErrorKind::BadUri, format!("cannot use the proxy in {name}"))
            .why("it is no address such as http://proxy:3128")
    })?;
    Ok(builder.proxy(proxy.no_proxy(except)))
}

/// The first of the variables that is set and not empty.
fn first(names: [&'static str; 2], context: &OpenContext<'_>) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| {
        let value = context.environment.variable(name)?.into_string().ok()?;
        (!value.is_empty()).then_some((name, value))
    })
}
