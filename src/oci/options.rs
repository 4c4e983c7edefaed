//! How registries are reached: what the flags say, settled once.

use std::sync::Arc;

use countersign_core::Secret;

use super::credentials::Credential;

/// The certificate to show to a registry, and its key, in PEM.
pub type Identity = Arc<Secret>;

/// What holds for every registry of a command.
#[derive(Default)]
pub struct Options {
    /// Takes every certificate of a server.
    pub allows_insecure: bool,
    /// Speaks plain http where TLS gets no answer.
    pub allows_http: bool,
    /// The authorities that alone may vouch for a registry, in PEM.
    pub authorities: Option<Vec<u8>>,
    /// What is shown to a registry that asks.
    pub identity: Option<Identity>,
    /// The name in the registry's certificate, where it is not the host's.
    pub server_name: Option<String>,
    /// Who one is, in place of what files say.
    pub credential: Option<Credential>,
    /// Asks the clouds' own helpers, too.
    pub asks_clouds: bool,
}

impl Options {
    /// Whether something was said that only TLS can do.
    pub(super) fn demands_tls(&self) -> bool {
        self.authorities.is_some()
            || self.identity.is_some()
            || self.server_name.is_some()
            || self.allows_insecure
    }
}
