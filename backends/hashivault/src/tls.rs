//! Whom TLS with the server trusts, and which certificate it is shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http;
use countersign_core::{Secret, bounded};

use crate::settings::Settings;

/// The most files of a directory of certificates: the usual system has some three hundred.
const MAX_FILES: usize = 1000;

/// A certificate with its chain, or a key: some kilobytes.
const MAX_IDENTITY_BYTES: u64 = 256 * 1024;

/// What names the certificate that is shown.
pub(crate) const IDENTITY: &str = "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY";

/// The certificates of `VAULT_CACERT`, else of all files in `VAULT_CAPATH`; `None` where neither is set. The file goes first,
/// as with the servers' own tools.
pub(crate) fn certificates(settings: &Settings<'_, '_>) -> Result<Option<Vec<u8>>> {
    if let Some((name, file)) = settings.file("CACERT") {
        return http::load_certificates(&file, &name, settings.context).map(Some);
    }
    let Some((name, directory)) = settings.file("CAPATH") else { return Ok(None) };
    let mut all = Vec::new();
    for file in files_of(&directory, &name)? {
        all.extend(http::load_certificates(&file, &name, settings.context)?);
        all.push(b'\n');
    }
    Ok(Some(all))
}

/// The files of a directory in the order of their names. What lies in directories below is not looked at.
fn files_of(directory: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let unreadable = |cause| {
        Error::io("read the certificates in", directory.display(), cause)
            .hint(format!("{name} names this directory"))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // Links are followed: Kubernetes and OpenSSL's c_rehash write such.
        if path.is_file() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(Error::new(ErrorKind::Integrity, "cannot trust the certificates for TLS")
                .why(format!("{} holds more than {MAX_FILES} files", directory.display()))
                .hint(format!("{name} names this directory")));
        }
    }
    files.sort();
    Ok(files)
}

/// The certificate that is shown where the server asks for one, and its key after it.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] where one of the two variables is set alone; what the system says of a file that cannot
/// be read.
pub(crate) fn identity(settings: &Settings<'_, '_>) -> Result<Option<Arc<Secret>>> {
    let (certificate, key) = match (settings.file("CLIENT_CERT"), settings.file("CLIENT_KEY")) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some((set, _)), None) => return Err(lacks(&set, &settings.name("CLIENT_KEY"))),
        (None, Some((set, _))) => return Err(lacks(&set, &settings.name("CLIENT_CERT"))),
    };
    let read = |(name, file): (String, PathBuf), what: &str| {
        bounded::read(&file, MAX_IDENTITY_BYTES, settings.context.deadline).map(Secret::new).map_err(
            |cause| {
                Error::io(&format!("read the client {what} in"), file.display(), cause)
                    .hint(format!("{name} names this file"))
            },
        )
    };
    let (certificate, key) = (read(certificate, "certificate")?, read(key, "key")?);
    Ok(Some(Arc::new(Secret::new([certificate.expose(), &b"\n"[..], key.expose()].concat()))))
}

fn lacks(set: &str, missing: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, "cannot show a certificate to the server")
        .why(format!("{set} is set and {missing} is not"))
        .hint(format!("set both, each to a file in PEM, or unset {set}"))
}
