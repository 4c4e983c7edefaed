//! `NAME://RESOURCE`: the plugin's name, and what only the plugin understands.

use std::fmt;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyUri, OpenContext, TrustLevel};

use crate::Host;

/// Names a plugin and a key of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginUri {
    /// `[a-z][a-z0-9-]*`: what follows `sigstore-kms-`.
    pub name: String,
    /// The key, in the plugin's own grammar. It is shown to every user of the machine while the plugin runs.
    pub resource: String,
}

impl PluginUri {
    /// Reads the URI and asks whether its author may start programs.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for a URI out of data, [`ErrorKind::BadUri`] for one that holds a secret,
    /// [`ErrorKind::UnknownScheme`] for a name that no plugin has.
    pub fn parse(host: Host, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Self> {
        let parsed = Self::split(host, uri)?;
        if context.trust == TrustLevel::Data {
            return Err(Error::new(ErrorKind::Denied, format!("cannot open {uri}"))
                .why("a URI from a file starts no plugin")
                .hint("name the key on the command line"));
        }
        Ok(parsed)
    }

    fn split(host: Host, uri: &KeyUri) -> Result<Self> {
        let (name, resource) = (uri.scheme().to_owned(), uri.rest().to_owned());
        let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(inside) {
            return Err(Error::new(ErrorKind::UnknownScheme, format!("cannot open {uri}"))
                .why(format!(
                    "no backend serves the scheme {name}, and a plugin's name is of letters, digits and -"
                ))
                .hint(format!("this version serves: {}", (host.served)())));
        }
        let parsed = Self { name, resource };
        // What prints otherwise than it is written holds a secret.
        if parsed.to_string() != uri.to_string() {
            return Err(Error::new(ErrorKind::BadUri, format!("cannot open {uri}"))
                .why("it holds a secret, and every user of this machine sees a plugin's arguments")
                .hint("give it to the plugin by a variable of the plugin's own"));
        }
        Ok(parsed)
    }

    /// The program's file name.
    pub(crate) fn program(&self) -> String {
        format!("sigstore-kms-{}", self.name)
    }
}

impl fmt::Display for PluginUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.name, self.resource)
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::conformance::World;
    use proptest::prelude::*;

    use super::*;

    const HOST: Host = Host { secrets: Vec::new, served: || "file".to_owned() };

    fn parse(text: &str) -> Result<PluginUri> {
        PluginUri::parse(HOST, &KeyUri::parse(text)?, &World::default().context())
    }

    #[test]
    fn takes_the_rest_as_it_is() {
        for (text, program, resource) in [
            ("acme://a/b?c=%2F&d#e", "sigstore-kms-acme", "a/b?c=%2F&d#e"),
            ("my-hsm2://", "sigstore-kms-my-hsm2", ""),
            ("a:///-x", "sigstore-kms-a", "/-x"),
        ] {
            let parsed = parse(text).unwrap();
            assert_eq!((parsed.program().as_str(), parsed.resource.as_str()), (program, resource));
        }
    }

    #[test]
    fn refuses_secrets_and_names_that_walk() {
        for text in ["acme://me:pw@host/k", "acme://k?password=x", "acme://k;pin=1", "a/b://k", "../a://k"] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::BadUri, "{text}");
            assert!(!format!("{error:?}").contains("pw@"), "{error}");
        }
        for text in ["a.b://k", "a+b://k"] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::UnknownScheme, "{text}");
            assert!(error.next_step().unwrap().contains("serves: file"), "{text}");
        }
    }

    #[test]
    fn a_uri_out_of_data_starts_nothing() {
        let world = World::default();
        let data = OpenContext { trust: TrustLevel::Data, ..world.context() };
        let error = PluginUri::parse(HOST, &KeyUri::parse("acme://k").unwrap(), &data).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
    }

    proptest! {
        #[test]
        fn what_parses_prints_as_it_was(text in "[a-z0-9.+-]{1,6}://[-a-z=;&?@/%.:]{0,30}") {
            if let Ok(parsed) = parse(&text) {
                prop_assert_eq!(parsed.to_string(), text);
            }
        }
    }
}
