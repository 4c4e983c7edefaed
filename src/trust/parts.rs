//! Parts of trust that Cosign's variables name one by one, for instances without a trusted root.

use std::path::PathBuf;

use countersign_core::certificate::{self, Certificate};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{OpenContext, PublicKey, bounded};

use crate::verify::{Authority, Log, Trust, Window};

/// Certificates of the authorities, PEM.
pub const AUTHORITIES: &str = "SIGSTORE_ROOT_FILE";
/// The key of the transparency log, of Rekor version 1.
pub const LOG: &str = "SIGSTORE_REKOR_PUBLIC_KEY";
/// The key of the log of certificates.
pub const CERTIFICATE_LOG: &str = "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE";
/// Certificates of a timestamp authority, PEM.
pub const TIMESTAMPS: &str = "SIGSTORE_TSA_CERTIFICATE_FILE";

/// The largest file of keys or certificates read, in bytes.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// The parts that are named, read.
#[derive(Debug, Default)]
pub struct Parts {
    authorities: Option<Vec<Authority>>,
    log: Option<Log>,
    certificate_log: Option<Log>,
    timestamps: Option<Authority>,
}

impl Parts {
    /// The variables that are set.
    pub fn named(context: &OpenContext<'_>) -> Vec<&'static str> {
        let all = [AUTHORITIES, LOG, CERTIFICATE_LOG, TIMESTAMPS];
        all.into_iter().filter(|name| path(context, name).is_some()).collect()
    }

    /// Reads what the variables name.
    ///
    /// # Errors
    /// Those of reading the files; the variable is named.
    pub fn load(context: &OpenContext<'_>) -> Result<Self> {
        let timestamps = certificates(context, TIMESTAMPS)?;
        Ok(Self {
            authorities: certificates(context, AUTHORITIES)?.map(authorities).transpose()?,
            log: log(context, LOG)?,
            certificate_log: log(context, CERTIFICATE_LOG)?,
            timestamps: timestamps.map(|(name, chain)| Authority { name, chain, window: Window::default() }),
        })
    }

    /// Whether authorities are among them.
    pub fn has_authorities(&self) -> bool {
        self.authorities.is_some()
    }

    /// Whether a transparency log is.
    pub fn has_log(&self) -> bool {
        self.log.is_some()
    }

    /// Whether a log of certificates is.
    pub fn has_certificate_log(&self) -> bool {
        self.certificate_log.is_some()
    }

    /// Whether a timestamp authority is.
    pub fn has_timestamps(&self) -> bool {
        self.timestamps.is_some()
    }

    /// Puts them in the place of what is trusted else.
    pub fn replace_in(self, trust: &mut Trust) {
        if let Some(authorities) = self.authorities {
            trust.authorities = authorities;
        }
        if let Some(log) = self.log {
            trust.logs = vec![log];
        }
        if let Some(log) = self.certificate_log {
            trust.certificate_logs = vec![log];
        }
        if let Some(authority) = self.timestamps {
            trust.timestamp_authorities = vec![authority];
        }
    }
}

fn path(context: &OpenContext<'_>, variable: &str) -> Option<PathBuf> {
    context.environment.variable(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The file that the variable names, and its name.
fn read(context: &OpenContext<'_>, variable: &str) -> Result<Option<(String, Vec<u8>)>> {
    let Some(path) = path(context, variable) else { return Ok(None) };
    let bytes = bounded::read(&path, MAX_PEM_BYTES, context.deadline)
        .map_err(|cause| Error::io("read", format!("{} ({variable})", path.display()), cause))?;
    Ok(Some((path.display().to_string(), bytes)))
}

fn named(variable: &str, name: &str, error: Error) -> Error {
    error.with_what(|_| format!("cannot use {name} ({variable})"))
}

fn certificates(context: &OpenContext<'_>, variable: &str) -> Result<Option<(String, Vec<Certificate>)>> {
    let Some((name, pem)) = read(context, variable)? else { return Ok(None) };
    let all = certificate::read_all(&pem)
        .and_then(|all| all.iter().map(|der| Certificate::from_der(der)).collect())
        .map_err(|error| named(variable, &name, error))?;
    Ok(Some((name, all)))
}

/// Roots and intermediates lie in one file: each root with all that may stand between.
fn authorities((name, certificates): (String, Vec<Certificate>)) -> Result<Vec<Authority>> {
    let (roots, between): (Vec<_>, Vec<_>) = certificates.into_iter().partition(Certificate::is_self_issued);
    if roots.is_empty() {
        return Err(Error::new(ErrorKind::Integrity, format!("cannot use {name} ({AUTHORITIES})"))
            .why("none of its certificates is a root")
            .hint("put the root's certificate into the file, beside the intermediates"));
    }
    let chain = |root| between.iter().cloned().chain([root]).collect();
    let authority = |root| Authority { name: name.clone(), chain: chain(root), window: Window::default() };
    Ok(roots.into_iter().map(authority).collect())
}

/// A log by its key alone, PEM or DER.
fn log(context: &OpenContext<'_>, variable: &str) -> Result<Option<Log>> {
    let Some((name, bytes)) = read(context, variable)? else { return Ok(None) };
    let key = PublicKey::from_pem_or_der(&bytes).map_err(|error| named(variable, &name, error))?;
    let id = key.fingerprint().bytes().to_vec();
    Ok(Some(Log { id, key, window: Window::default(), name }))
}
