//! `attest-blob`: signs a statement about a file and writes it in a bundle.

mod content;

use std::path::{Path, PathBuf};

use clap::Args;
use countersign_core::error::Result;
use countersign_core::whole_file::{self, WriteOptions};

use super::Run;
use super::flags::predicate::PredicateFlags;
use super::flags::signing::{How, SigningFlags};
use crate::attest;
use crate::bundle::{Content, timestamp_json};
use crate::exit::Failure;
use crate::report::Item;
use crate::services::Testimony;
use crate::sign::SigningKey;
use crate::sign::plan::bundle_path;
use crate::verify::Envelope;

/// Attest a file: sign a statement about it and write a bundle
#[derive(Debug, Args)]
pub(crate) struct AttestBlob {
    /// The file that the statement is about; - is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["statement", "hash"])]
    file: Option<String>,

    #[command(flatten)]
    what: PredicateFlags,

    /// The SHA-256 of the file in hexadecimal, where the file is elsewhere
    #[arg(long, value_name = "HEX")]
    hash: Option<String>,

    #[command(flatten)]
    signing: SigningFlags,

    /// With a timestamp authority: write its response to this file too, as Cosign's JSON
    #[arg(long, value_name = "FILE", requires = "timestamp_server_url")]
    rfc3161_timestamp_bundle: Option<PathBuf>,

    /// Write the bundle here instead of beside the file
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,

    /// Write the new bundle format; false prints the envelope, and --bundle then holds the old format
    #[arg(long, default_value = "true")]
    new_bundle_format: bool,

    /// With --new-bundle-format=false: write the envelope to this file, not to standard output
    #[arg(long, value_name = "FILE")]
    output_signature: Option<PathBuf>,

    /// Write the statement that was signed to this file
    #[arg(long, value_name = "FILE")]
    output_attestation: Option<PathBuf>,

    /// Overwrite a bundle that exists
    #[arg(long, short = 'y')]
    yes: bool,
}

impl AttestBlob {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let uri = self.signing.uri("attesting")?;
        let deadline = run.global.deadline();
        if self.new_bundle_format && self.output_signature.is_some() {
            return Err(Failure::usage_with_hint(
                "--output-signature goes with the old format: the bundle holds the envelope",
                "leave it out, or pass --new-bundle-format=false",
            ));
        }
        let path = self.bundle_path()?;
        // Everything that can be wrong with the statement is found before a key is opened or a PIN asked for.
        let (name, digests, statement) = self.content(deadline)?;
        let inputs = [&self.file, &self.what.predicate, &self.what.statement];
        let stdin_is_free = !inputs.into_iter().flatten().any(|input| input == "-");
        let world = self.signing.password.world(run, stdin_is_free);
        let how = How {
            new_format: self.new_bundle_format,
            consents: self.yes,
            entry_kind: &self.what.rekor_entry_type,
        };
        let key = self.signing.open(&uri, &how, run, &world.context())?;
        let envelope = attest::sign(&*key.signer, key.algorithm, statement)?;
        // Nothing is written before every witness has answered.
        let testimony = key.witness(Content::Envelope(&envelope), &envelope.signature)?;
        let outputs = self.write(run, path.as_deref(), &key, &envelope, &testimony)?;
        run.report.item(Item {
            artifact: name,
            outcome: "attested",
            digests: digests.iter().map(ToString::to_string).collect(),
            algorithm: Some(key.algorithm.name()),
            outputs,
            proven: testimony.proven,
            not_proven: testimony.not_proven,
            ..Item::default()
        });
        Ok(())
    }

    /// Writes what was asked for, and says so. Names that the user gave are overwritten, as in Cosign.
    fn write(
        &self,
        run: &Run<'_>,
        bundle: Option<&Path>,
        key: &SigningKey<'_>,
        envelope: &Envelope,
        testimony: &Testimony,
    ) -> Result<Vec<String>> {
        let mut outputs = Vec::new();
        let mut write = |what: &str, path: &Path, content: &[u8], overwrite: bool| {
            whole_file::write(path, content, WriteOptions::product(overwrite))?;
            run.output.note(format!("Wrote {what} to file {}", path.display()));
            outputs.push(path.display().to_string());
            Ok::<_, countersign_core::Error>(())
        };
        if let Some(path) = &self.output_attestation {
            write("statement", path, &envelope.payload, true)?;
        }
        if let Some(path) = bundle {
            let bundle = match self.new_bundle_format {
                true => key.bundle(Content::Envelope(envelope), testimony),
                false => key.legacy_bundle(&envelope.to_json(), testimony),
            };
            write("bundle", path, &bundle, self.yes || self.bundle.is_some())?;
        }
        if let (Some(path), Some(pem)) =
            (&self.signing.certificate.output_certificate, key.certificate_pem()?)
        {
            write("certificate", path, pem.as_bytes(), true)?;
        }
        if let (Some(path), Some(timestamp)) = (&self.rfc3161_timestamp_bundle, testimony.timestamps.first())
        {
            write("timestamp", path, &timestamp_json(timestamp), true)?;
        }
        match &self.output_signature {
            Some(path) => write("envelope", path, &envelope.to_json(), true)?,
            None if !self.new_bundle_format => {
                run.output.line(String::from_utf8_lossy(&envelope.to_json()))?;
            }
            None => {}
        }
        Ok(outputs)
    }

    fn bundle_path(&self) -> Result<Option<PathBuf>, Failure> {
        match (&self.bundle, self.file.as_deref()) {
            (Some(path), _) => Ok(Some(path.clone())),
            (None, _) if !self.new_bundle_format => Ok(None),
            (None, Some(file)) if file != "-" => {
                let path = bundle_path(Path::new(file), None);
                if path.exists() && !self.yes {
                    return Err(Failure::usage_with_hint(
                        format!("{} exists", path.display()),
                        "pass --bundle to write elsewhere, or -y to overwrite it",
                    ));
                }
                Ok(Some(path))
            }
            _ => Err(Failure::usage(
                "there is no file name to write the bundle beside: say where with --bundle",
            )),
        }
    }
}
