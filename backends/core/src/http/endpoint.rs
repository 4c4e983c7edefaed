//! Where a client sends: scheme, host, port and an optional base path. Nothing that bears a credential leaves it.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::PLAIN_HTTP;
use crate::context::OpenContext;
use crate::error::{Error, ErrorKind, Result};

/// A service's address.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads `https://HOST[:PORT][/PATH]`; `name` is what it is called in errors, as in `VAULT_ADDR`.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] for another scheme, a user name or password in it, a query or a fragment. The text is not
    /// shown, since it may hold a password.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let bad = |why: &str| {
            Err(Error::new(ErrorKind::BadUri, format!("cannot use {name}"))
                .why(why)
                .hint(format!("set {name} to an address such as https://vault.example.com:8200")))
        };
        let Ok(url) = Url::parse(text.trim_end_matches('/')) else {
            return bad("it is no URL");
        };
        if !matches!(url.scheme(), "http" | "https") {
            return bad("it begins neither with https:// nor with http://");
        }
        if url.host_str().is_none_or(str::is_empty) {
            return bad("it names no host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return bad("it holds a user name or password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return bad("it has a query or a fragment");
        }
        Ok(Self(url))
    }

    /// The host, without brackets where it is an IPv6 address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, the scheme's own where none is named.
    pub(super) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// The header that names this host, where requests go out under another name.
    pub(super) fn host_unlike(&self, other: &Self) -> Option<HeaderValue> {
        if self == other {
            return None;
        }
        let host = self.0.host_str().unwrap_or_default();
        let named = self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        HeaderValue::from_str(&named).ok()
    }

    /// The same under another host name; `None` where that is none.
    pub(super) fn under(&self, host: &str) -> Option<Self> {
        let mut url = self.0.clone();
        url.set_host(Some(host)).ok()?;
        // A name with a port or path in it is cut by the URL's rules.
        (url.host_str() == Some(host)).then_some(Self(url))
    }

    /// Whether what is sent can be read on the way.
    pub fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Credentials in the clear are for this machine only, or where the user said so by name.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for plain http to another host.
    pub fn refuse_unasked_plain_http(&self, context: &OpenContext<'_>) -> Result<()> {
        if !self.is_plain() || self.is_loopback() {
            return Ok(());
        }
        let allowed = context.environment.variable(PLAIN_HTTP);
        let allowed = allowed.as_ref().and_then(|hosts| hosts.to_str()).unwrap_or_default();
        if allowed.split(',').any(|host| host.trim() == self.host()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Denied, format!("cannot send credentials to {self}"))
            .why("plain http lets everybody on the way read them")
            .hint(format!("use https; or set {PLAIN_HTTP}={} if the way is safe", self.host())))
    }

    /// The URL of a path below the endpoint. `path` is empty or begins with a slash, and is encoded already ([`encode_segment`]).
    pub(super) fn join(&self, path: &str) -> Result<Url> {
        let mut url = self.0.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let base = url.path().trim_end_matches('/').to_owned();
        // A service that is its address, path and all, is asked with none.
        let whole = if base.is_empty() && path.is_empty() { "/".to_owned() } else { format!("{base}{path}") };
        url.set_path(&whole);
        url.set_query(query);
        // URLs resolve `..` by themselves; a path that changes was built from something unchecked.
        if url.path() != whole {
            return Err(Error::internal("a path for a service changes when it becomes a URL"));
        }
        Ok(url)
    }

    /// Where a `Location` leads that answered a request for `path`: the endpoint there, and the path with its query below it.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] where it is no address, or one with a password in it.
    pub fn resolve(&self, path: &str, location: &str) -> Result<(Self, String)> {
        let wrong = || {
            Error::new(ErrorKind::Integrity, format!("cannot follow {self}"))
                .why("it sends us to something that is no address")
        };
        let mut url = self.join(path)?.join(location).map_err(|_| wrong())?;
        url.set_fragment(None);
        let mut below = url.path().to_owned();
        if let Some(query) = url.query() {
            below = format!("{below}?{query}");
        }
        let endpoint = Self::parse(&url.origin().ascii_serialization(), "an address").map_err(|_| wrong())?;
        if url.username().is_empty() && url.password().is_none() {
            Ok((endpoint, below))
        } else {
            Err(wrong())
        }
    }

    /// Whether a credential for the one may go to the other: scheme, host and port are the same.
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// The target of a redirect from `from`, if it stays with the same scheme, host and port.
    pub(super) fn same_origin(&self, from: &Url, target: &str, act: &str) -> Result<Url> {
        let refused = |why: String| Error::new(ErrorKind::Unsupported, format!("cannot {act}")).why(why);
        let Ok(target) = from.join(target) else {
            return Err(refused(format!("{self} redirects to something that is no address")));
        };
        if target.origin() != self.0.origin() {
            let to = target.origin().ascii_serialization();
            return Err(refused(format!("{self} redirects to {to}, and credentials do not go along"))
                .hint(format!("if {to} is yours, name it as the address")));
        }
        Ok(target)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// One segment of a path, percent-encoded: everything but the unreserved characters of RFC 3986 2.3.
///
/// # Errors
/// [`ErrorKind::BadUri`] for an empty segment, `.`, `..` and control characters: no such name may become part of a URL.
pub fn encode_segment(segment: &str) -> Result<String> {
    if segment.is_empty() || segment == "." || segment == ".." || segment.contains(|c: char| c.is_control()) {
        return Err(Error::new(ErrorKind::BadUri, "cannot make a path of a name")
            .why("a part of it is empty, \".\", \"..\" or has control characters"));
    }
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_shows_no_password() {
        for text in ["https://vault:8200", "https://vault:8200/", "http://[::1]:1", "https://h/base"] {
            assert_eq!(Endpoint::parse(text, "X").unwrap().to_string(), text.trim_end_matches('/'));
        }
        for text in
            ["", "vault:8200", "unix:///x", "https://", "https://u:sesame@h", "https://h?a", "https://h#a"]
        {
            let error = Endpoint::parse(text, "X").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadUri, "{text}");
            assert!(!format!("{error:?}").contains("sesame"));
        }
    }

    #[test]
    fn knows_this_machine() {
        for (text, ours) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]", true),
            ("http://localhost", true),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(Endpoint::parse(text, "X").unwrap().is_loopback(), ours, "{text}");
        }
    }

    #[test]
    fn follows_redirects_on_the_same_origin_only() {
        let endpoint = Endpoint::parse("https://vault:8200", "X").unwrap();
        let from = endpoint.join("/v1/a").unwrap();
        assert_eq!(endpoint.same_origin(&from, "/v1/b", "x").unwrap().path(), "/v1/b");
        for target in
            ["https://other:8200/v1/a", "http://vault:8200/v1/a", "https://vault/v1/a", "//other/v1/a"]
        {
            let error = endpoint.same_origin(&from, target, "x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{target}");
        }
    }

    #[test]
    fn resolves_locations_wherever_they_lead() {
        let endpoint = Endpoint::parse("https://registry:5000", "X").unwrap();
        for (location, host, path) in [
            ("/v2/a/uploads/1?state=x%2Fy", "https://registry:5000", "/v2/a/uploads/1?state=x%2Fy"),
            ("https://store.example.com/b?sig=1#end", "https://store.example.com", "/b?sig=1"),
            ("uploads/2", "https://registry:5000", "/v2/a/uploads/2"),
        ] {
            let (there, below) = endpoint.resolve("/v2/a/blobs", location).unwrap();
            assert_eq!((there.to_string().as_str(), below.as_str()), (host, path));
            assert_eq!(there.is_same_origin(&endpoint), host.ends_with("registry:5000"));
        }
        for location in ["https://u:sesame@h/x", "ftp://h/x", "https://"] {
            let error = endpoint.resolve("/", location).unwrap_err();
            assert!(
                error.kind() == ErrorKind::Integrity && !format!("{error:?}").contains("sesame"),
                "{location}"
            );
        }
    }

    #[test]
    fn a_segment_stays_one_segment() {
        assert_eq!(encode_segment("a/b?c#d é").unwrap(), "a%2Fb%3Fc%23d%20%C3%A9");
        for segment in ["", ".", "..", "a\n"] {
            assert!(encode_segment(segment).is_err());
        }
        let endpoint = Endpoint::parse("https://h/base", "X").unwrap();
        assert_eq!(endpoint.join("/v1/x?list=true").unwrap().as_str(), "https://h/base/v1/x?list=true");
        assert!(endpoint.join("/v1/../x").is_err());
    }
}
