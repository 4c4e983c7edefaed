//! `attest`: signs statements about images and writes them into their registries.

use clap::Args;
use countersign_core::Digest;
use countersign_core::error::{Error, ErrorKind};

use super::Run;
use super::flags::predicate::{PredicateFlags, statement_of};
use super::sign_images::{SignImagesFlags, Stating, What};
use crate::artifact::Measured;
use crate::attest;
use crate::exit::Failure;
use crate::oci::Reference;

/// Attest images: sign statements about them and write those into their registries
#[derive(Debug, Args)]
pub(crate) struct Attest {
    #[command(flatten)]
    images: SignImagesFlags,

    #[command(flatten)]
    what: PredicateFlags,

    /// Print the attestation, and write nothing into the registry
    #[arg(long)]
    no_upload: bool,

    /// Take the place of earlier attestations of this type: they go once the new one is found
    #[arg(long)]
    replace: bool,
}

impl Attest {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let deadline = run.global.deadline();
        // Everything that can be wrong with the statement is found before anything is asked of anybody.
        if let Some(path) = &self.what.statement {
            let (bytes, parsed) = statement_of(path, deadline)?;
            let statement = |reference: &Reference, digest: &Digest| {
                let measured = Measured { digests: vec![*digest], message: None };
                parsed.check(&measured).map_err(|refusal| {
                    Error::new(ErrorKind::Unsupported, format!("cannot attest {reference} with {path}"))
                        .why(refusal.to_string())
                })?;
                Ok(bytes.clone())
            };
            return self.sign(run, &parsed.predicate_type, &statement);
        }
        let (kind, predicate) = self.what.read(deadline)?;
        let statement = |reference: &Reference, digest: &Digest| {
            let name = reference.repository.to_string();
            Ok(attest::statement(attest::Version::One, &name, &[*digest], kind, &predicate))
        };
        self.sign(run, kind, &statement)
    }

    fn sign(&self, run: &mut Run<'_>, predicate_type: &str, statement: &Stating<'_>) -> Result<(), Failure> {
        let what = What::Attestation { predicate_type, statement, replaces: self.replace };
        self.images.sign_all(run, "attesting", &self.what.rekor_entry_type, !self.no_upload, &what)
    }
}
