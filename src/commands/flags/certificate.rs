//! Flags that name the certificate of the key that signs.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use countersign_core::KeyInfo;
use countersign_core::certificate::Certificate;
use countersign_core::error::{Error, ErrorKind, Result};

use super::{beside, trust};
use crate::sign::Certified;
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
    /// What to put beside a signature of this key: the certificate named, else the one its store has.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] where it is another key's, or its chain does not hold now; [`ErrorKind::NotFound`] where it is
    /// to be written and there is none.
    pub(crate) fn of(&self, info: &KeyInfo, deadline: Option<Instant>) -> Result<Certified> {
        let Some(path) = &self.certificate else {
            if let (Some(output), None) = (&self.output_certificate, &info.certificate) {
                return Err(Error::new(ErrorKind::NotFound, format!("cannot write {}", output.display()))
                    .why(format!("the key {} has no certificate", info.uri))
                    .hint("name one with --certificate, or leave --output-certificate out"));
            }
            return Ok(Certified { certificate: info.certificate.clone(), chain: Vec::new() });
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
        let mut chain = Vec::new();
        if let Some(path) = &self.certificate_chain {
            chain = trust::read_chain(path, deadline)?;
            verify::chains(&certificate, &chain, jiff::Timestamp::now()).map_err(|why| {
                failed(why).hint("--certificate-chain begins with its issuer and ends with the root")
            })?;
        }
        let der = |one: &Certificate| one.der().to_vec();
        Ok(Certified { certificate: Some(der(&certificate)), chain: chain.iter().map(der).collect() })
    }
}
