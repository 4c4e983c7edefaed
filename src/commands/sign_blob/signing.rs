//! One file: read, sign, have it witnessed, write.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::Error;
use countersign_core::whole_file::{self, WriteOptions};

use super::{Job, SignBlob};
use crate::bundle::{Content, timestamp_json};
use crate::commands::flags::global::GlobalFlags;
use crate::exit::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::report::Item;
use crate::sign::{SigningKey, sign_blob};

/// What each file is signed with, by whichever thread.
pub(super) struct Signing<'a> {
    pub(super) flags: &'a SignBlob,
    pub(super) key: &'a SigningKey<'a>,
    pub(super) output: &'a Output,
    pub(super) progress: &'a Progress,
    pub(super) global: &'a GlobalFlags,
    /// Whether it is the only file.
    pub(super) alone: bool,
}

impl Signing<'_> {
    pub(super) fn sign(&self, job: &Job) -> Result<Item, Failure> {
        self.progress.file(&job.artifact.name());
        let signed = self.sign_and_write(job);
        // A single file's failure is the command's own; among several it is told at once.
        if let (Err(failure), false) = (&signed, self.alone) {
            self.progress.suspend(|| self.output.failure_of_one(failure));
        }
        signed
    }

    fn sign_and_write(&self, job: &Job) -> Result<Item, Failure> {
        let Self { flags, key, output, .. } = *self;
        let signed =
            sign_blob(&*key.signer, key.algorithm, &job.artifact, self.global.deadline(), &|bytes| {
                self.progress.add(bytes)
            })?;
        let signature = signed.signature.bytes();
        let content = Content::Artifact(&signed.digest, signature);
        // Nothing is written before every witness has answered.
        let mut testimony = key.witness(content, signature)?;
        let mut outputs = Vec::new();
        if let Some(path) = &job.bundle {
            // A name that the user gave is overwritten, as in Cosign; one that we chose only with -y, even if it
            // appeared since it was looked at.
            let overwrite = flags.yes || flags.bundle.is_some();
            let bundle = match flags.new_bundle_format {
                true => key.bundle(content, &testimony),
                false => key.legacy_bundle(signature, &testimony),
            };
            write(path, &bundle, overwrite)?;
            outputs.push(path.display().to_string());
            let said = format!("Wrote bundle to file {}", path.display());
            if self.alone { output.note(said) } else { output.debug(said) }
        }
        if let (Some(path), Some(pem)) =
            (&flags.signing.certificate.output_certificate, key.certificate_pem()?)
        {
            write(path, &if flags.b64 { STANDARD.encode(pem) } else { pem }.into_bytes(), true)?;
            outputs.push(path.display().to_string());
            output.note(format!("Wrote certificate to file {}", path.display()));
        }
        if let (Some(path), Some(timestamp)) = (&flags.rfc3161_timestamp, testimony.timestamps.first()) {
            write(path, &timestamp_json(timestamp), true)?;
            outputs.push(path.display().to_string());
            output.note(format!("Wrote timestamp to file {}", path.display()));
        }
        if let Some(path) = &flags.output_signature {
            write(
                path,
                &if flags.b64 { STANDARD.encode(signature).into_bytes() } else { signature.to_vec() },
                true,
            )?;
            outputs.push(path.display().to_string());
            output.note(format!("Wrote signature to file {}", path.display()));
        } else if !flags.new_bundle_format {
            if flags.b64 { output.line(STANDARD.encode(signature))? } else { output.bytes(signature)? }
        }
        Ok(Item {
            artifact: job.artifact.name(),
            outcome: "signed",
            digests: vec![signed.digest.to_string()],
            algorithm: Some(key.algorithm.name()),
            outputs,
            proven: std::mem::take(&mut testimony.proven),
            not_proven: testimony.not_proven,
            ..Item::default()
        })
    }
}

fn write(path: &Path, content: &[u8], overwrite: bool) -> Result<(), Error> {
    whole_file::write(path, content, WriteOptions::product(overwrite))
}
