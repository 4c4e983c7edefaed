//! `attest`: signs statements about images and writes them into their registries.

use clap::Args;
use countersign_core::Digest;
use countersign_core::error::{Error, ErrorKind};

use super::Run;
use super::attest_blob::content::{read, statement_of};
use super::sign_images::{SignImagesFlags, Stating, What, now};
use crate::artifact::Measured;
use crate::attest::{self, predicate};
use crate::exit::Failure;
use crate::oci::Reference;

/// Attest images: sign statements about them and write those into their registries
#[derive(Debug, Args)]
pub(crate) struct Attest {
    #[command(flatten)]
    images: SignImagesFlags,

    /// What to say of the image: a file, - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "statement")]
    predicate: Option<String>,

    /// A whole in-toto statement instead of a predicate
    #[arg(long, value_name = "FILE", conflicts_with = "predicate")]
    statement: Option<String>,

    /// The predicate's type: a short name such as slsaprovenance1, spdxjson or cyclonedx, or a URI
    #[arg(long = "type", value_name = "TYPE", default_value = "custom")]
    predicate_type: String,

    /// What the envelope becomes in a log of version 1
    #[arg(long, value_name = "KIND", default_value = "dsse", value_parser = ["dsse", "intoto"])]
    rekor_entry_type: String,

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
        if let Some(path) = &self.statement {
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
        let kind = predicate::predicate_type(&self.predicate_type)?;
        let content = read(self.predicate.as_deref().unwrap_or_default(), "predicate", deadline)?;
        let predicate = predicate::predicate(&self.predicate_type, &content, &now())?;
        let statement = |reference: &Reference, digest: &Digest| {
            let name = reference.repository.to_string();
            Ok(attest::statement(attest::Version::One, &name, &[*digest], kind, &predicate))
        };
        self.sign(run, kind, &statement)
    }

    fn sign(&self, run: &mut Run<'_>, predicate_type: &str, statement: &Stating<'_>) -> Result<(), Failure> {
        let what = What::Attestation { predicate_type, statement, replaces: self.replace };
        self.images.sign_all(run, "attesting", &self.rekor_entry_type, !self.no_upload, &what)
    }
}
