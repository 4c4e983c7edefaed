//! `hashivault://KEY?mount=M&namespace=N&version=V`, parsed strictly.
//!
//! The part before the `?` is Cosign's grammar. The rest is ours: what Cosign takes from the environment alone.

use std::fmt;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyUri, hexadecimal};

const WHAT: &str = "cannot read the key URI";

/// Names a key of a transit engine, one of its versions, or with no key the engine itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaultUri {
    /// `hashivault` or `openbao`.
    pub scheme: String,
    /// The key's name; empty names the engine.
    pub key: String,
    /// Where the engine is mounted; `None`: `TRANSIT_SECRET_ENGINE_PATH`, else `transit`.
    pub mount: Option<String>,
    /// The namespace; `None`: that of the environment, else none.
    pub namespace: Option<String>,
    /// The key's version; `None`: the latest at the time of opening.
    pub version: Option<u32>,
}

impl VaultUri {
    /// Reads what follows the scheme.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] with the byte, counted from the scheme on, where it goes wrong: an unknown or repeated
    /// attribute, a name with other characters than letters, digits, `_`, `.` and `-`.
    pub fn parse(uri: &KeyUri) -> Result<Self> {
        let start = uri.scheme().len() + "://".len();
        let (key, query) = uri.rest().split_once('?').unwrap_or((uri.rest(), ""));
        if !key.is_empty() {
            check_key(key).map_err(|why| bad(start, &why))?;
        }
        let mut parsed = Self { scheme: uri.scheme().to_owned(), key: key.to_owned(), ..Self::default() };
        let mut at = start + key.len() + 1;
        for piece in query.split('&').filter(|_| uri.rest().contains('?')) {
            parsed.take(piece, at)?;
            at += piece.len() + 1;
        }
        Ok(parsed)
    }

    fn take(&mut self, piece: &str, at: usize) -> Result<()> {
        let Some((name, value)) = piece.split_once('=') else {
            return Err(bad(at, "an attribute has no \"=\"").hint("write ?version=3, or leave the ? out"));
        };
        let value = decode(value).ok_or_else(|| bad(at, "a % is not followed by two hexadecimal digits"))?;
        let repeated = match name {
            "mount" => self.mount.replace(check_path(&value).map_err(|why| bad(at, &why))?).is_some(),
            "namespace" => self.namespace.replace(check_path(&value).map_err(|why| bad(at, &why))?).is_some(),
            "version" => self
                .version
                .replace(parse_version(&value).ok_or_else(|| {
                    bad(at, "a version is a number from 1 on").hint("leave version out for the latest")
                })?)
                .is_some(),
            _ => {
                return Err(
                    bad(at, "the attribute is not known").hint("there are: mount, namespace, version")
                );
            }
        };
        if repeated {
            return Err(bad(at, "the attribute stands there twice"));
        }
        Ok(())
    }
}

/// The canonical form.
impl fmt::Display for VaultUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.key)?;
        let version = self.version.map(|version| version.to_string());
        let mut mark = '?';
        for (name, value) in [("mount", &self.mount), ("namespace", &self.namespace), ("version", &version)] {
            if let Some(value) = value {
                write!(f, "{mark}{name}={value}")?;
                mark = '&';
            }
        }
        Ok(())
    }
}

fn bad(at: usize, why: &str) -> Error {
    Error::new(ErrorKind::BadUri, WHAT).why(format!("at byte {at}: {why}"))
}

/// Vault's own rule for names, which is Cosign's too: letters, digits and `_`, inside also `.` and `-`.
fn check_key(key: &str) -> Result<(), String> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let inside = key.bytes().all(|byte| word(byte) || b".-".contains(&byte));
    let ends = key.bytes().next().is_some_and(word) && key.bytes().last().is_some_and(word);
    if inside && ends {
        return Ok(());
    }
    Err("a key's name is of letters, digits and _, inside it also . and -".to_owned())
}

/// A mount or namespace: segments that stay what they are in a URL. Slashes at both ends are Vault's own spelling.
pub(crate) fn check_path(path: &str) -> Result<String, String> {
    let path = path.trim_end_matches('/');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte);
    let segment = |text: &str| !text.is_empty() && text != "." && text != ".." && text.bytes().all(allowed);
    if path.split('/').all(segment) {
        return Ok(path.to_owned());
    }
    Err("a mount or namespace is of names between slashes, of letters, digits and _ . - ~".to_owned())
}

fn parse_version(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| digits)
}

/// RFC 3986 2.1; `None` for a broken escape or what is no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.extend(hexadecimal::from_hex(part.get(..2)?)?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<VaultUri> {
        VaultUri::parse(&KeyUri::parse(text)?)
    }

    #[test]
    fn reads_cosigns_form_and_ours() {
        let plain = parse("hashivault://release-key_1.x").unwrap();
        assert_eq!((plain.key.as_str(), plain.mount, plain.version), ("release-key_1.x", None, None));
        let full = parse("openbao://k?mount=team%2Ftransit/&namespace=a/b&version=12").unwrap();
        assert_eq!(full.mount.as_deref(), Some("team/transit"));
        assert_eq!((full.namespace.as_deref(), full.version), (Some("a/b"), Some(12)));
        assert_eq!(full.to_string(), "openbao://k?mount=team/transit&namespace=a/b&version=12");
        assert_eq!(parse("hashivault://").unwrap().key, "");
    }

    #[test]
    fn refuses_what_is_unclear_or_walks_through_paths() {
        for text in [
            "hashivault://a/b",
            "hashivault://-a",
            "hashivault://a.",
            "hashivault://a%2Fb",
            "hashivault://../sys",
            "hashivault://k?",
            "hashivault://k?version",
            "hashivault://k?version=0",
            "hashivault://k?version=01",
            "hashivault://k?version=+1",
            "hashivault://k?version=4294967296",
            "hashivault://k?version=1&version=1",
            "hashivault://k?mount=",
            "hashivault://k?mount=/transit",
            "hashivault://k?mount=a//b",
            "hashivault://k?mount=a/../sys",
            "hashivault://k?mount=a%2F..%2Fsys",
            "hashivault://k?mount=a%0Ab",
            "hashivault://k?mount=a%3Fb",
            "hashivault://k?mount=%",
            "hashivault://k?mount=%2",
            "hashivault://k?mount=%é",
            "hashivault://k?namespace=..",
            "hashivault://k?region=x",
            "hashivault://k?mount=a&",
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::BadUri, "{text}");
        }
        let error = parse("hashivault://k?mount=a&regoin=x").unwrap_err();
        assert!(error.to_string().contains("at byte 23"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]
        #[test]
        fn what_parses_prints_and_parses_back(rest in "\\PC{0,30}|[a-z]{1,3}\\?(mount|namespace|version)=[-a-z0-9/%.&=]{0,12}") {
            if let Ok(uri) = KeyUri::parse(&format!("hashivault://{rest}"))
                && let Ok(parsed) = VaultUri::parse(&uri)
            {
                prop_assert_eq!(parse(&parsed.to_string()).unwrap(), parsed);
            }
        }
    }
}
