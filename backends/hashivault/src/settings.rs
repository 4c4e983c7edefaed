//! Environment variables: where the server is, and which of two families of names is meant.
//!
//! `hashivault://` reads `VAULT_…` before `BAO_…`, `openbao://` the other way round. A token is a secret of one server, so a
//! family's credentials go to the other family's address only where both name the same one.

use std::ffi::OsString;
use std::path::PathBuf;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::Endpoint;
use countersign_core::{OpenContext, Secret, Variable};

use crate::uri::{VaultUri, check_path};

/// Where the engine is mounted when nobody says so.
const DEFAULT_MOUNT: &str = "transit";

/// Cosign's variable for the mount, of both families.
const MOUNT: &str = "TRANSIT_SECRET_ENGINE_PATH";

/// Every variable with `VAULT_` has a twin with `BAO_`.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new(MOUNT, "is where the transit engine is mounted", "a path, as in transit"),
    Variable::new(
        "VAULT_ADDR",
        "is the Vault server; BAO_ADDR the same for OpenBao, and so for all below",
        "a URL",
    ),
    Variable::secret("VAULT_TOKEN", "is the token to sign with", "a token"),
    Variable::new("VAULT_NAMESPACE", "is the namespace for URIs that name none", "a path"),
    Variable::new("VAULT_CACERT", "names the certificates that TLS with Vault trusts", "a file in PEM"),
    Variable::new(
        "VAULT_CAPATH",
        "is where such certificates are, without VAULT_CACERT",
        "a directory of files in PEM",
    ),
    Variable::new("VAULT_CLIENT_CERT", "is the certificate that TLS shows to Vault", "a file in PEM"),
    Variable::new("VAULT_CLIENT_KEY", "is the key of that certificate, without a password", "a file in PEM"),
    Variable::new(
        "VAULT_TLS_SERVER_NAME",
        "is the name that the server's certificate must bear, if not the address's",
        "a host name",
    ),
    Variable::new("VAULT_AUTH_METHOD", "chooses how to log in", "token, approle, jwt or kubernetes"),
    Variable::new("VAULT_AUTH_PATH", "is where that method is mounted", "a path, as in approle"),
    Variable::new("VAULT_ROLE_ID", "is the role for AppRole", "a role id"),
    Variable::secret("VAULT_SECRET_ID", "is the secret for AppRole", "a secret id"),
    Variable::new("VAULT_ROLE", "is the role for JWT and Kubernetes", "a role name"),
    Variable::secret("VAULT_JWT", "is the token of another issuer for JWT", "a JWT"),
    Variable::new("VAULT_JWT_FILE", "holds that token, or Kubernetes' own", "a file"),
    Variable::new(
        "VAULT_CONFIG_PATH",
        "is where the servers' own tool names a token helper",
        "a file, as in ~/.vault",
    ),
    Variable::new("BAO_ADDR", "is the OpenBao server", "a URL"),
    Variable::secret("BAO_TOKEN", "is the token for OpenBao", "a token"),
];

/// What the environment and the URI say together.
pub(crate) struct Settings<'c, 'a> {
    pub(crate) context: &'c OpenContext<'a>,
    pub(crate) endpoint: Endpoint,
    pub(crate) mount: String,
    pub(crate) namespace: Option<String>,
    /// The prefixes to look for, in order.
    prefixes: Vec<&'static str>,
}

impl<'c, 'a> Settings<'c, 'a> {
    pub(crate) fn read(uri: &VaultUri, context: &'c OpenContext<'a>) -> Result<Self> {
        let both = if uri.scheme == "openbao" { ["BAO", "VAULT"] } else { ["VAULT", "BAO"] };
        let addresses = both.map(|prefix| text(context, &format!("{prefix}_ADDR")));
        let (address, prefixes) = match &addresses {
            [Some(first), Some(second)] if first != second => (first, vec![both[0]]),
            [Some(address), _] => (address, both.to_vec()),
            [None, Some(address)] => (address, vec![both[1], both[0]]),
            [None, None] => {
                return Err(Error::new(ErrorKind::Unavailable, "cannot find the server")
                    .why(format!("neither {}_ADDR nor {}_ADDR is set", both[0], both[1]))
                    .hint(format!("set {}_ADDR, as in https://vault.example.com:8200", both[0])));
            }
        };
        let endpoint = Endpoint::parse(address, &format!("{}_ADDR", prefixes[0]))?;
        let mut settings = Self { context, endpoint, mount: String::new(), namespace: None, prefixes };
        settings.mount = match &uri.mount {
            Some(mount) => mount.clone(),
            None => match text(context, MOUNT) {
                Some(mount) => path(&mount, MOUNT)?,
                None => DEFAULT_MOUNT.to_owned(),
            },
        };
        settings.namespace = match &uri.namespace {
            Some(namespace) => Some(namespace.clone()),
            None => settings.text("NAMESPACE").map(|(name, value)| path(&value, &name)).transpose()?,
        };
        Ok(settings)
    }

    /// The value of `VAULT_<SUFFIX>` or its twin, not empty, with the variable's full name.
    pub(crate) fn text(&self, suffix: &str) -> Option<(String, String)> {
        self.prefixes.iter().find_map(|prefix| {
            let name = format!("{prefix}_{suffix}");
            text(self.context, &name).map(|value| (name, value))
        })
    }

    /// The same for a secret.
    pub(crate) fn secret(&self, suffix: &str) -> Option<(String, Secret)> {
        self.text(suffix).map(|(name, value)| (name, Secret::new(value.into_bytes()).without_line_ending()))
    }

    /// The same for the path of a file.
    pub(crate) fn file(&self, suffix: &str) -> Option<(String, PathBuf)> {
        self.text(suffix).map(|(name, value)| (name, value.into()))
    }

    /// What a variable is called for this URI.
    pub(crate) fn name(&self, suffix: &str) -> String {
        format!("{}_{suffix}", self.prefixes[0])
    }
}

/// A variable's value; one that is empty or no text counts as not set.
fn text(context: &OpenContext<'_>, name: &str) -> Option<String> {
    context.environment.variable(name).map(OsString::into_string)?.ok().filter(|value| !value.is_empty())
}

/// A mount or namespace from a variable, with or without slashes at its ends.
pub(crate) fn path(value: &str, name: &str) -> Result<String> {
    check_path(value.trim_start_matches('/'))
        .map_err(|why| Error::new(ErrorKind::BadUri, format!("cannot use {name}")).why(why))
}

#[cfg(test)]
mod tests {
    use countersign_core::KeyUri;
    use countersign_core::conformance::World;

    use super::*;

    fn uri(text: &str) -> VaultUri {
        VaultUri::parse(&KeyUri::parse(text).unwrap()).unwrap()
    }

    fn found(world: &World, scheme: &str) -> (String, Option<String>) {
        let context = world.context();
        let settings = Settings::read(&uri(&format!("{scheme}://k")), &context).unwrap();
        let token = settings.secret("TOKEN").map(|(name, _)| name);
        (settings.endpoint.to_string(), token)
    }

    #[test]
    fn a_token_goes_to_its_own_server_only() {
        let world = World::default()
            .set("VAULT_ADDR", "https://vault")
            .set("BAO_ADDR", "https://bao")
            .set("VAULT_TOKEN", "s.vault");
        assert_eq!(found(&world, "hashivault"), ("https://vault".into(), Some("VAULT_TOKEN".into())));
        assert_eq!(found(&world, "openbao"), ("https://bao".into(), None));
        let world = World::default().set("VAULT_ADDR", "https://one").set("BAO_TOKEN", "s.bao");
        assert_eq!(found(&world, "openbao"), ("https://one".into(), Some("BAO_TOKEN".into())));
        assert_eq!(found(&world, "hashivault"), ("https://one".into(), Some("BAO_TOKEN".into())));
    }

    #[test]
    fn the_uri_goes_before_the_environment() {
        let world = World::default()
            .set("VAULT_ADDR", "https://vault")
            .set(MOUNT, "/team/transit/")
            .set("VAULT_NAMESPACE", "a/");
        let context = world.context();
        let settings = Settings::read(&uri("hashivault://k"), &context).unwrap();
        assert_eq!((settings.mount.as_str(), settings.namespace.as_deref()), ("team/transit", Some("a")));
        let settings = Settings::read(&uri("hashivault://k?mount=m&namespace=n"), &context).unwrap();
        assert_eq!((settings.mount.as_str(), settings.namespace.as_deref()), ("m", Some("n")));
        let world = World::default().set("VAULT_ADDR", "https://vault").set(MOUNT, "a/../sys");
        assert_eq!(
            Settings::read(&uri("hashivault://k"), &world.context()).err().unwrap().kind(),
            ErrorKind::BadUri
        );
        let none = World::default();
        let error = Settings::read(&uri("openbao://k"), &none.context()).err().unwrap();
        assert!(error.to_string().contains("neither BAO_ADDR nor VAULT_ADDR"), "{error}");
    }
}
