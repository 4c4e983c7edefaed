//! Key URIs: which backend a key belongs to, and how a URI is shown.
//!
//! This file splits the scheme and redacts; what follows the scheme is the backend's own grammar. A URI prints
//! redacted, always: there is no way to print the other form. The raw text goes to the backend only.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// The longest URI taken, in bytes: RFC 7512 sets none, real ones stay under one kilobyte.
const MAX_URI_BYTES: usize = 8 * 1024;

/// Schemes written without `//`. Any other text before a colon belongs to a file name (`C:\key`, `a:b`).
const OPAQUE_SCHEMES: [&str; 4] = ["file", "pkcs11", "piv", "yubikey"];

/// Attributes whose value is a secret, in whatever scheme they stand.
const SECRET_ATTRIBUTES: [&str; 5] = ["pin-value", "pin", "password", "secret", "token-value"];

/// Attributes that are shown after a secret; anything else there may be the rest of it, since a mark in a secret ends it.
const SHOWN_AFTER_SECRETS: [&str; 4] = ["module-path", "module-name", "pin-source", "version"];

/// Names a key: a scheme and the rest, which only the scheme's backend reads.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyUri {
    scheme: String,
    text: String,
    rest: usize,
}

impl KeyUri {
    /// Splits the scheme off. `x://…` and the opaque schemes (`pkcs11:`, `piv:`, `yubikey:`, `file:`) name a
    /// backend; everything else is the path of a file and gets the scheme `file`.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] for empty text, control characters, a scheme that is not a scheme, or more than
    /// 8 KiB.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| Err(Error::new(ErrorKind::BadUri, "cannot read the key URI").why(why));
        if text.is_empty() {
            return bad("it is empty");
        }
        if text.len() > MAX_URI_BYTES {
            return bad("it is longer than 8 KiB");
        }
        if let Some(at) = text.find(|c: char| c.is_control()) {
            return bad(&format!("it has a control character at byte {at}"));
        }
        // First, since values of such a URI may hold `://` themselves.
        for scheme in OPAQUE_SCHEMES {
            if text.strip_prefix(scheme).is_some_and(|rest| rest.starts_with(':') && !rest.starts_with("://"))
            {
                return Ok(Self { scheme: scheme.to_owned(), text: text.to_owned(), rest: scheme.len() + 1 });
            }
        }
        if let Some(at) = text.find("://") {
            let scheme = &text[..at];
            // RFC 3986 3.1, lower case: schemes are compared exactly.
            if !is_scheme(scheme) {
                // A path such as `dir/x://y` is not a URI; neither is it a name that anybody gives a key file.
                return bad(&format!("\"{scheme}\" is not a URI scheme"));
            }
            return Ok(Self { scheme: scheme.to_owned(), text: text.to_owned(), rest: at + 3 });
        }
        Ok(Self { scheme: "file".to_owned(), text: text.to_owned(), rest: 0 })
    }

    /// The scheme, which picks the backend.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What follows the scheme (after `://` or `:`), with its secrets: for the backend's parser only.
    pub fn rest(&self) -> &str {
        &self.text[self.rest..]
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == "file" {
            return f.write_str(&self.text);
        }
        let (head, rest) = self.text.split_at(self.rest);
        f.write_str(head)?;
        // A user name and password before the host are a secret as a whole.
        let rest = match rest.find('/').map_or(rest, |slash| &rest[..slash]).rfind('@') {
            Some(at) if self.text[..self.rest].ends_with("//") => {
                f.write_str("***@")?;
                &rest[at + 1..]
            }
            _ => rest,
        };
        let query = rest.find('?').map_or(rest.len(), |at| at + 1);
        let ends = |from: usize, marks: &[char]| rest[from..].find(marks).map_or(rest.len(), |at| from + at);
        let (mut start, mut hidden) = (0, false);
        loop {
            let mut end = ends(start, &[';', '&', '?']);
            let part = &rest[start..end];
            match part.split_once('=') {
                Some((name, _)) if SECRET_ATTRIBUTES.contains(&name.to_ascii_lowercase().as_str()) => {
                    write!(f, "{name}=***")?;
                    // A secret goes on over marks that may stand raw in it.
                    end = ends(start, if start < query { &[';', '?'] } else { &['&'] });
                    hidden = true;
                }
                Some((name, _)) if hidden && !SHOWN_AFTER_SECRETS.contains(&name) => f.write_str("***")?,
                None if hidden && !part.is_empty() => f.write_str("***")?,
                _ => f.write_str(part)?,
            }
            let Some(mark) = rest.get(end..end + 1) else { break };
            f.write_str(mark)?;
            start = end + 1;
        }
        Ok(())
    }
}

impl fmt::Debug for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyUri({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits_schemes_and_leaves_paths_alone() {
        for (text, scheme, rest) in [
            ("cosign.key", "file", "cosign.key"),
            ("file:a/b", "file", "a/b"),
            ("file:///etc/k", "file", "/etc/k"),
            ("gitlab-release.key", "file", "gitlab-release.key"),
            (r"C:\keys\a", "file", r"C:\keys\a"),
            ("env://KEY", "env", "KEY"),
            ("pkcs11:token=ci", "pkcs11", "token=ci"),
            ("pkcs11:?pin-source=file:///pin", "pkcs11", "?pin-source=file:///pin"),
            ("awskms:///alias/x", "awskms", "/alias/x"),
            ("pkcs11", "file", "pkcs11"),
        ] {
            let uri = KeyUri::parse(text).unwrap();
            assert_eq!((uri.scheme(), uri.rest()), (scheme, rest), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_uri() {
        for text in ["", "A://b", "://b", "1x://y", "a\nb", "x y://z"] {
            assert_eq!(KeyUri::parse(text).unwrap_err().kind(), ErrorKind::BadUri, "{text:?}");
        }
        assert!(KeyUri::parse(&"a".repeat(MAX_URI_BYTES + 1)).is_err());
    }

    #[test]
    fn prints_no_secret() {
        for (text, shown) in [
            (
                "pkcs11:token=ci;pin-value=12=34?pin-value=99&module-path=/m.so",
                "pkcs11:token=ci;pin-value=***?pin-value=***&module-path=/m.so",
            ),
            ("https://me:pw@host/k?a=1", "https://***@host/k?a=1"),
            ("pkcs11:PIN-VALUE=1", "pkcs11:PIN-VALUE=***"),
            ("pkcs11:?pin-value=1?2;3&a=b", "pkcs11:?pin-value=***&***"),
            ("pkcs11:pin-value=1&2?3;a=b", "pkcs11:pin-value=***?***;***"),
            ("pkcs11:a&pin-value=1", "pkcs11:a&pin-value=***"),
        ] {
            let uri = KeyUri::parse(text).unwrap();
            assert_eq!(uri.to_string(), shown);
            assert!(!format!("{uri:?}").contains("pw@") && !format!("{uri:?}").contains("12=34"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn any_text_parses_or_is_refused_and_prints(text in "\\PC{0,60}|[a-z0-9]{1,6}(://|:)[-a-z=;&?@/%.]{0,40}") {
            if let Ok(uri) = KeyUri::parse(&text) {
                prop_assert!(text.ends_with(uri.rest()));
                let shown = uri.to_string();
                if !text.contains('=') && !text.contains('@') {
                    prop_assert_eq!(shown, text);
                }
            }
        }

        #[test]
        fn a_pin_never_shows(pin in "[a-zA-Z0-9!$%^*+]{6,20}") {
            let uri = KeyUri::parse(&format!("pkcs11:object=x?pin-value={pin}&module-name=m")).unwrap();
            prop_assert!(!uri.to_string().contains(&pin));
        }
    }
}
