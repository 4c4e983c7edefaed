//! `azurekms://HOST/KEY[/VERSION]`, parsed strictly: Cosign's grammar. A vault's or managed HSM's host is reached by https.

use std::fmt;

use countersign_core::KeyUri;
use countersign_core::error::{Error, ErrorKind, Result};

const WHAT: &str = "cannot read the key URI";

const GRAMMAR: &str = "write azurekms://HOST/KEY[/VERSION], as in azurekms://team.vault.azure.net/release";

/// The longest name of a key ("Objects, identifiers, and versioning" in the Key Vault reference).
const MAX_NAME: usize = 127;

/// The longest version taken: Key Vault's have 32 digits.
const MAX_VERSION: usize = 64;

/// Names a key in a vault, or with no key all keys of the vault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AzureUri {
    /// Host in lower case, and port where there is one.
    pub host: String,
    /// The key's name; empty names all.
    pub key: String,
    /// The version; the newest when `None`.
    pub version: Option<String>,
}

impl AzureUri {
    /// Reads what follows the scheme.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] with the byte, counted from the scheme on, where it goes wrong: no host, a name or version with
    /// other characters than Key Vault's, a part too many, an attribute (there are none).
    pub fn parse(uri: &KeyUri) -> Result<Self> {
        let start = uri.scheme().len() + "://".len();
        let rest = uri.rest();
        if let Some(at) = rest.find(['?', '#']) {
            return Err(bad(start + at, "there are no attributes").hint(GRAMMAR));
        }
        let mut parts = rest.splitn(3, '/');
        let host = parts.next().unwrap_or_default();
        let key = parts.next().unwrap_or_default();
        let version = parts.next();
        if !is_host(host) {
            return Err(bad(start, "no host name with or without port stands there").hint(GRAMMAR));
        }
        let at = start + host.len() + 1;
        if key.is_empty() && version.is_some() {
            return Err(bad(at, "a version stands there without a key").hint(GRAMMAR));
        }
        if !key.is_empty() && !is_name(key) {
            return Err(bad(at, "a key's name is of letters, digits and -, at most 127").hint(GRAMMAR));
        }
        // Cosign v3.1.3 takes an empty version for the newest; a slash at the end is all the same.
        let version = version.filter(|version| !version.is_empty());
        if version.is_some_and(|version| !is_version(version)) {
            let error = bad(at + key.len() + 1, "a version is of lower-case letters and digits");
            return Err(error.hint(GRAMMAR));
        }
        Ok(Self { host: host.to_ascii_lowercase(), key: key.to_owned(), version: version.map(str::to_owned) })
    }

    /// The same key in one version.
    pub(crate) fn pinned(&self, key: &str, version: &str) -> Self {
        Self { host: self.host.clone(), key: key.to_owned(), version: Some(version.to_owned()) }
    }

    /// The host without its port.
    pub(crate) fn host_name(&self) -> &str {
        match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &self.host,
        }
    }
}

/// The canonical form.
impl fmt::Display for AzureUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "azurekms://{}/{}", self.host, self.key)?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "/{version}"))
    }
}

fn bad(at: usize, why: &str) -> Error {
    Error::new(ErrorKind::BadUri, WHAT).why(format!("at byte {at}: {why}"))
}

fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_version(text: &str) -> bool {
    text.len() <= MAX_VERSION && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// `HOST[:PORT]`: a name or an IPv4 address.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    host.len() <= 253
        && host.split('.').all(label)
        && port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests;
