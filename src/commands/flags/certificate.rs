//! Flags that name the certificate of the key that signs.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use countersign_core::KeyInfo;
use countersign_core::error::{Error, ErrorKind, Result};

use super::{beside, trust};
use crate::verify;

/// The certificate of an own authority for the key.
#[derive(Debug, Args)]
pub struct CertificateFlags {
    /// The certificate of the key, of an authority of your own: PEM, DER or base64 of either
    #[arg(long, alias = "cert", value_name = "FILE")]
    pub certificate: Option<PathBuf>,

    /// The certificates above it, in PEM, the root last: they are checked, and stay out of the bundle
    #[arg(long, alias = "cert-chain", value_name = "FILE", requires = "certificate")]
    pub certificate_chain: Option<PathBuf>,

    /// Write the certificate of the signature to this file too, in PEM; in base64 of that where signatures are
    #[arg(long, alias = "output-cert", value_name = "FILE")]
    pub output_certificate: Option<PathBuf>,
}

impl CertificateFlags {
    /// The certificate (DER) to put beside a signature of this key: the one named, else the one its store has.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] where it is another key's, or its chain does not hold now; [`ErrorKind::NotFound`] where it is
    /// to be written and there is none.
    pub(crate) fn of(&self, info: &KeyInfo, deadline: Option<Instant>) -> Result<Option<Vec<u8>>> {
        let Some(path) = &self.certificate else {
            if let (Some(output), None) = (&self.output_certificate, &info.certificate) {
                return Err(Error::new(ErrorKind::NotFound, format!("cannot write {}", output.display()))
                    .why(format!("the key {} has no certificate", info.uri))
                    .hint("name one with --certificate, or leave --output-certificate out"));
            }
            return Ok(info.certificate.clone());
        };
        let certificate = beside::read_certificate(path, deadline)?;
        let failed = |why: String| {
            Error::new(ErrorKind::Integrity, format!("cannot sign with the certificate {}", path.display()))
                .why(why)
        };
        if *certificate.public_key() != info.public_key {
            let (theirs, ours) = (certificate.public_key().fingerprint(), info.public_key.fingerprint());
            return Err(failed(format!("it holds the key {theirs}, and {} is {ours}", info.uri))
                .hint("name the certificate that was issued for this key"));
        }
        if let Some(chain) = &self.certificate_chain {
            let chain = trust::read_chain(chain, deadline)?;
            verify::chains(&certificate, &chain, jiff::Timestamp::now()).map_err(|why| {
                failed(why).hint("--certificate-chain begins with its issuer and ends with the root")
            })?;
        }
        Ok(Some(certificate.der().to_vec()))
    }
}
