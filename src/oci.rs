//! Images and artifacts in registries (OCI distribution specification 1.1): names, manifests, blobs, referrers, and who we
//! are there.
//!
//! A [`Registry`] opens a [`Remote`] for a repository, an [`ImageLayout`] reads images in files, and both are a [`Source`]; everything that is read is held against its digest before it is used.
//! What a signature looks like in a registry is `image`'s matter.

mod blob;
mod challenge;
pub mod credentials;
mod errors;
mod host;
pub mod layout;
pub mod manifest;
mod merge;
mod options;
pub mod reference;
mod referrers;
mod remote;
mod source;
mod token;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::OpenContext;
use countersign_core::Variable;
use countersign_core::error::Result;

use host::Host;
pub use host::REALMS;
pub use layout::ImageLayout;
pub use manifest::{Descriptor, Manifest};
pub use options::{Identity, Options};
pub use reference::{Reference, Repository};
pub use referrers::{Referrers, fallback_tag};
pub use remote::Remote;
pub use source::Source;

/// The environment variables that are read here.
pub const VARIABLES: &[Variable] = &[Variable::new(
    REALMS,
    "lets credentials of registries go to these hosts for tokens, beside the registry's own site",
    "host names, separated by commas",
)];

/// What is done in a repository: what a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing.
    Push,
    /// Reading, writing and taking away.
    Delete,
}

impl Access {
    fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::Delete => "pull,push,delete",
        }
    }
}

/// All registries of a command: a connection and a login for each, shared by its threads.
pub struct Registry<'a> {
    options: Arc<Options>,
    context: OpenContext<'a>,
    hosts: Mutex<BTreeMap<String, Arc<Host<'a>>>>,
}

impl<'a> Registry<'a> {
    /// Nothing is connected yet.
    pub fn new(options: Options, context: OpenContext<'a>) -> Self {
        Self { options: Arc::new(options), context, hosts: Mutex::default() }
    }

    /// A repository to work in.
    pub fn open(&self, repository: &Repository, access: Access) -> Remote<'a> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(repository.host.clone()).or_insert_with_key(|name| {
            Arc::new(Host::new(name.clone(), Arc::clone(&self.options), self.context))
        });
        Remote::new(Arc::clone(host), repository.clone(), access)
    }

    /// How many requests went out so far, those for tokens and to other hosts apart.
    pub fn requests(&self) -> usize {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.values().map(|host| host.requests()).sum()
    }
}

/// Whether a registry takes the credentials: what `login` asks before it keeps them.
///
/// # Errors
/// Those of the registry.
pub fn greet(registry: &Registry<'_>, repository: &Repository) -> Result<()> {
    registry.open(repository, Access::Pull).greet()
}

#[cfg(test)]
mod tests;
