//! `keys certificate` and `keys import-certificate`: the certificate beside a key.

use std::path::PathBuf;

use clap::Args;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::limits::MAX_KEY_FILE_BYTES;
use countersign_core::{Certificate, KeyUri, bounded};
use serde_json::json;

use super::Run;
use super::flags::key::PasswordFlags;
use crate::backends;
use crate::exit::Failure;

/// Print the certificate that lies beside a key, as PEM
#[derive(Debug, Args)]
pub(crate) struct ShowCertificate {
    /// The key URI
    #[arg(value_name = "KEY")]
    key: String,
}

impl ShowCertificate {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let uri = KeyUri::parse(&self.key)?;
        let store = backends::key_store(&uri)?;
        let found = PasswordFlags::default()
            .with_context(run, false, |context| Ok(store.certificate(&uri, context)?))?;
        let Some(der) = found else {
            let error = Error::new(ErrorKind::NotFound, format!("cannot show the certificate of {uri}"));
            return Err(error
                .why("no certificate for this key lies beside it")
                .hint("put one there with: countersign keys import-certificate KEY FILE")
                .into());
        };
        let certificate = Certificate::from_der(&der)?;
        run.output.bytes(certificate.to_pem().as_bytes())?;
        run.report.data(json!({ "subject": certificate.subject() }));
        Ok(())
    }
}

/// Put a certificate beside its key, so that signatures carry it
#[derive(Debug, Args)]
pub(crate) struct ImportCertificate {
    /// The key URI
    #[arg(value_name = "KEY")]
    key: String,

    /// The certificate, PEM or DER
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    password: PasswordFlags,

    /// Replace a certificate that is there already
    #[arg(long, short = 'y')]
    yes: bool,
}

impl ImportCertificate {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let uri = KeyUri::parse(&self.key)?;
        let store = backends::key_store(&uri)?;
        let content = bounded::read(&self.file, MAX_KEY_FILE_BYTES, run.global.deadline())
            .map_err(|cause| Error::io("read", self.file.display(), cause))?;
        let certificate = Certificate::from_pem_or_der(&content)
            .map_err(|error| error.with_what(|_| format!("cannot read {}", self.file.display())))?;
        let place = self.password.with_context(run, true, |context| {
            Ok(store.import_certificate(&uri, certificate.der(), self.yes, context)?)
        })?;
        run.output.note(format!("The certificate for \"{}\" lies beside {place}", certificate.subject()));
        run.report.data(json!({ "uri": place, "subject": certificate.subject() }));
        Ok(())
    }
}
