//! Files of PEM that flags name: certificates to trust, and a certificate to show with its key.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use countersign_core::error::{Error, Result};
use countersign_core::{Secret, bounded};
use zeroize::Zeroizing;

/// The largest file of certificates or a key read.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// The content of a file.
pub(super) fn read(path: &Path, deadline: Option<Instant>) -> Result<Vec<u8>> {
    bounded::read(path, MAX_PEM_BYTES, deadline)
        .map_err(|cause| Error::io("read the PEM file", path.display(), cause))
}

/// A certificate and its key together, as a TLS client shows them; nothing where neither is named.
pub(super) fn identity(
    certificate: Option<&Path>,
    key: Option<&Path>,
    deadline: Option<Instant>,
) -> Result<Option<Arc<Secret>>> {
    let (Some(certificate), Some(key)) = (certificate, key) else { return Ok(None) };
    let key = Zeroizing::new(read(key, deadline)?);
    let pem = [read(certificate, deadline)?.as_slice(), b"\n", key.as_slice()].concat();
    Ok(Some(Arc::new(Secret::new(pem))))
}
