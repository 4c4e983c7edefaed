//! `keys csr`: a certificate request for a key in any store.

use clap::Args;
use countersign_core::{Algorithm, KeyUri, certificate_request};
use serde_json::json;

use super::Run;
use super::flags::key::{PasswordFlags, parse_algorithm};
use crate::backends;
use crate::exit::Failure;
use crate::sign::choose_algorithm;

/// Print a certificate request (PKCS#10, PEM) for a key, signed with it
#[derive(Debug, Args)]
pub(crate) struct Csr {
    /// The key URI
    #[arg(value_name = "KEY")]
    key: String,

    /// Whom the certificate is for, as in CN=release,O=Example
    #[arg(long, value_name = "NAME")]
    subject: String,

    /// Sign with this algorithm of Sigstore's registry instead of the key's default
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm)]
    signing_algorithm: Option<Algorithm>,

    #[command(flatten)]
    password: PasswordFlags,
}

impl Csr {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let uri = KeyUri::parse(&self.key)?;
        let world = self.password.world(run, true);
        let signer = backends::find(&uri)?.open_signer(&uri, &world.context())?;
        let algorithm = choose_algorithm(&*signer, self.signing_algorithm)?;
        let der = certificate_request::request(&*signer, algorithm, &self.subject)?;
        run.output.bytes(certificate_request::to_pem(der).as_bytes())?;
        run.report.signing_key(signer.info());
        run.report.data(json!({ "subject": self.subject }));
        Ok(())
    }
}
