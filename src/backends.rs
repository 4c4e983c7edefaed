//! The one table where backends meet: a row each. The only file that names a backend crate.

use countersign_core::device::Device;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Attester, Backend, KeyStore, KeyUri};

/// Every backend of this build.
pub fn all() -> &'static [&'static dyn Backend] {
    &[
        #[cfg(feature = "file")]
        &countersign_file::FileBackend,
        #[cfg(feature = "gcpkms")]
        &countersign_gcpkms::GcpkmsBackend,
        #[cfg(feature = "gitlab")]
        &countersign_gitlab::GitlabBackend,
        #[cfg(feature = "awskms")]
        &countersign_awskms::AwskmsBackend,
        #[cfg(feature = "hashivault")]
        &countersign_hashivault::HashivaultBackend,
        #[cfg(feature = "pkcs11")]
        &countersign_pkcs11::Pkcs11Backend,
        #[cfg(feature = "piv")]
        const {
            &countersign_piv::PivBackend::new()
        },
    ]
}

/// Schemes that Cosign knows and this version does not serve yet.
const NOT_BUILT: [&str; 5] = ["azurekms", "k8s", "github", "https", "http"];

/// The backend that serves the URI's scheme.
///
/// # Errors
/// [`ErrorKind::UnknownScheme`], with the schemes that are served.
pub fn find(uri: &KeyUri) -> Result<&'static dyn Backend> {
    if let Some(backend) = all().iter().find(|backend| backend.schemes().contains(&uri.scheme())) {
        return Ok(*backend);
    }
    let why = if NOT_BUILT.contains(&uri.scheme()) {
        format!("the scheme {} is not built yet", uri.scheme())
    } else {
        format!("no backend serves the scheme {}", uri.scheme())
    };
    let served: Vec<_> = all().iter().flat_map(|backend| backend.schemes()).copied().collect();
    Err(Error::new(ErrorKind::UnknownScheme, format!("cannot open {uri}"))
        .why(why)
        .hint(format!("this version serves: {}, and paths of files", served.join(", ")))
        .for_key(uri))
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
        for scheme in ["foo://bar", "k8s://x"] {
            let error = find(&KeyUri::parse(scheme).unwrap()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::UnknownScheme);
            assert!(error.next_step().unwrap().contains("file, env"));
        }
    }
}
