//! The grammar: `k8s://NAMESPACE/SECRET`, as Cosign's, and nothing after it.

use std::fmt;

use countersign_core::KeyUri;
use countersign_core::error::{Error, ErrorKind, Result};

/// The longest name of a secret, in characters (RFC 1123 2.1); a namespace's is a label of 63.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// The secret that holds the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUri {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl SecretUri {
    /// Parses a URI of the scheme `k8s`.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] for a name that no object can have (Kubernetes, "Object Names and IDs").
    pub fn parse(uri: &KeyUri) -> Result<Self> {
        let bad = |why: &str| {
            Err(Error::new(ErrorKind::BadUri, format!("cannot read the key URI {uri}"))
                .why(why)
                .hint("write k8s://NAMESPACE/SECRET"))
        };
        let Some((namespace, name)) = uri.rest().split_once('/') else {
            return bad("it names no secret");
        };
        if !is_label(namespace) || namespace.len() > MAX_LABEL {
            return bad("the namespace is no name in Kubernetes: a-z, 0-9 and -, at most 63 characters");
        }
        if name.len() > MAX_NAME || !name.split('.').all(is_label) {
            return bad("the secret is no name in Kubernetes: a-z, 0-9, - and ., at most 253 characters");
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

fn is_label(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inside) && !text.starts_with('-') && !text.ends_with('-')
}

impl fmt::Display for SecretUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k8s://{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_refuses_what_is_none() {
        let parse = |text: &str| SecretUri::parse(&KeyUri::parse(text).unwrap());
        for text in ["k8s://default/key", "k8s://ci-1/release.key.v2", "k8s://a/0"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        for text in [
            "k8s://",
            "k8s://key",
            "k8s:///key",
            "k8s://ns/",
            "k8s://ns/a/b",
            "k8s://ns/../x",
            "k8s://ns/..",
            "k8s://NS/key",
            "k8s://ns/Key",
            "k8s://ns/-a",
            "k8s://n.s/a",
            "k8s://ns/a?b",
            "k8s://ns/a%2Fb",
        ] {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::BadUri, "{text}");
        }
        assert!(parse(&format!("k8s://{}/a", "n".repeat(64))).is_err());
        assert!(parse(&format!("k8s://n/{}", "a".repeat(254))).is_err());
    }
}
