//! The one table where backends meet: a row each. The only file that names a backend crate.

use countersign_core::device::Device;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Attester, Backend, KeyStore, KeyUri};

/// Every backend of this build.
pub fn all() -> &'static [&'static dyn Backend] {
    &[
        #[cfg(feature = "file")]
        &countersign_file::FileBackend,
        #[cfg(feature = "github")]
        &countersign_github::GithubBackend,
        #[cfg(feature = "gcpkms")]
        &countersign_gcpkms::GcpkmsBackend,
        #[cfg(feature = "gitlab")]
        &countersign_gitlab::GitlabBackend,
        #[cfg(feature = "awskms")]
        &countersign_awskms::AwskmsBackend,
        #[cfg(feature = "azurekms")]
        &countersign_azurekms::AzurekmsBackend,
        #[cfg(feature = "hashivault")]
        &countersign_hashivault::HashivaultBackend,
        #[cfg(feature = "k8s")]
        &countersign_k8s::KubernetesBackend,
        #[cfg(feature = "pkcs11")]
        &countersign_pkcs11::Pkcs11Backend,
        #[cfg(feature = "piv")]
        const {
            &countersign_piv::PivBackend::new()
        },
        #[cfg(feature = "plugin")]
        &PLUGINS,
    ]
}

/// What serves schemes that no other row has, by programs in `PATH`.
#[cfg(feature = "plugin")]
const PLUGINS: countersign_plugin::PluginBackend =
    countersign_plugin::PluginBackend::new(countersign_plugin::Host { served });

/// Schemes that Cosign knows and this version does not serve yet.
const NOT_BUILT: [&str; 2] = ["https", "http"];

/// The backend that serves the URI's scheme; plugins serve what no row does, and say when opening that there is none.
///
/// # Errors
/// [`ErrorKind::UnknownScheme`], with the schemes that are served.
pub fn find(uri: &KeyUri) -> Result<&'static dyn Backend> {
    if let Some(backend) = all().iter().find(|backend| backend.schemes().contains(&uri.scheme())) {
        return Ok(*backend);
    }
    #[cfg(feature = "plugin")]
    if !NOT_BUILT.contains(&uri.scheme()) {
        return Ok(&PLUGINS);
    }
    let why = if NOT_BUILT.contains(&uri.scheme()) {
        format!("the scheme {} is not built yet", uri.scheme())
    } else {
        format!("no backend serves the scheme {}", uri.scheme())
    };
    Err(Error::new(ErrorKind::UnknownScheme, format!("cannot open {uri}"))
        .why(why)
        .hint(format!("this version serves: {}", served()))
        .for_key(uri))
}

/// The schemes that are served without plugins, in words.
fn served() -> String {
    let schemes: Vec<_> = all().iter().flat_map(|backend| backend.schemes()).copied().collect();
    format!("{}, and paths of files", schemes.join(", "))
}

/// The key store behind the URI's scheme.
///
/// # Errors
/// [`ErrorKind::UnknownScheme`]; [`ErrorKind::Unsupported`] when the backend only signs.
pub fn key_store(uri: &KeyUri) -> Result<&'static dyn KeyStore> {
    find(uri)?.key_store().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, format!("cannot list or make keys in {uri}"))
            .why(format!("the backend {} only signs", uri.scheme()))
    })
}

/// What changes the card that the URI means.
///
/// # Errors
/// [`ErrorKind::UnknownScheme`]; [`ErrorKind::Unsupported`] when the scheme means no card.
pub fn device(uri: &KeyUri) -> Result<&'static dyn Device> {
    find(uri)?.device().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, format!("cannot change {uri}")).why("it is no card")
    })
}

/// What proves where the URI's key was made.
///
/// # Errors
/// [`ErrorKind::UnknownScheme`]; [`ErrorKind::Unsupported`] when the scheme's keys have no such proof.
pub fn attester(uri: &KeyUri) -> Result<&'static dyn Attester> {
    find(uri)?.attester().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, format!("cannot attest {uri}"))
            .why("this kind of key store does not prove where its keys were made")
    })
}

/// Everything that proves where keys were made.
pub fn attesters() -> impl Iterator<Item = &'static dyn Attester> {
    all().iter().filter_map(|backend| backend.attester())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_is_served_by_one_backend() {
        let mut schemes: Vec<_> = all().iter().flat_map(|backend| backend.schemes()).collect();
        let count = schemes.len();
        schemes.sort();
        schemes.dedup();
        assert_eq!(schemes.len(), count);
        assert!(schemes.iter().all(|scheme| !NOT_BUILT.contains(scheme)));
    }

    #[test]
    fn says_what_it_serves() {
        let error = find(&KeyUri::parse("http://x").unwrap()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::UnknownScheme);
        assert!(error.next_step().unwrap().contains("file, env"));
    }

    /// A scheme that nobody serves and no program either is still an unknown scheme.
    #[cfg(feature = "plugin")]
    #[test]
    fn a_scheme_without_a_plugin_is_unknown() {
        let world = countersign_core::conformance::World::default();
        for text in ["foo://bar", "a.b://c", "a+b://c"] {
            let uri = KeyUri::parse(text).unwrap();
            let error = find(&uri).unwrap().open_signer(&uri, &world.context()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::UnknownScheme, "{text}");
            assert!(error.next_step().unwrap().contains("serves: file, env"), "{error}");
        }
    }
}
