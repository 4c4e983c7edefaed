//! `verify-blob`: holds files against bundles or signatures, and those against a key or an identity.

use std::collections::HashSet;

use clap::Args;
use countersign_core::error::Error;

use super::Run;
use super::flags::algorithm::AlgorithmFlags;
use super::flags::beside::BesideFlags;
use super::judge::{Accepted, SignerFlags, Verdict, item, judge};
use crate::artifact::Artifact;
use crate::batch;
use crate::exit::{FAILURE, Failure};
use crate::sign::plan::BUNDLE_ENDING;

/// Verify files against their bundles, and a key or an identity
#[derive(Debug, Args)]
pub(crate) struct VerifyBlob {
    /// Files to verify; - is standard input, sha256:HEX stands for a file by its digest
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,

    #[command(flatten)]
    signer: SignerFlags,

    #[command(flatten)]
    beside: BesideFlags,

    #[command(flatten)]
    algorithm: AlgorithmFlags,

    /// Verify so many files at once
    #[arg(long, value_name = "COUNT", default_value = "10", value_parser = clap::value_parser!(u16).range(1..))]
    max_workers: u16,
}

impl VerifyBlob {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let artifacts: Vec<_> = self.without_bundles(run).map(Artifact::parse_or_digest).collect();
        if artifacts.len() > 1 {
            if self.beside.belongs_to_one() {
                return Err(Failure::usage_with_hint(
                    "--bundle, --signature and what goes with them belong to one file, and there are several to verify",
                    "leave them out: FILE.sigstore.json is read for each file",
                ));
            }
            if artifacts.contains(&Artifact::Stdin) {
                return Err(Failure::usage(
                    "standard input (-) is verified by itself, not together with files",
                ));
            }
        }
        let accepted = self.signer.accepted(run, !artifacts.contains(&Artifact::Stdin))?;
        self.verify_all(run, &accepted, &artifacts)
    }

    /// `verify-blob dist/*` names the bundles too: those whose file is named as well are not artifacts.
    fn without_bundles(&self, run: &Run<'_>) -> impl Iterator<Item = &str> {
        let named: HashSet<&str> = self.files.iter().map(String::as_str).collect();
        let is_bundle =
            move |file: &str| file.strip_suffix(BUNDLE_ENDING).is_some_and(|file| named.contains(file));
        let bundles = self.files.iter().filter(|file| is_bundle(file)).count();
        if bundles > 0 {
            run.output.note(format!(
                "{bundles} of the names are bundles of others: they are read, not verified themselves"
            ));
        }
        self.files.iter().map(String::as_str).filter(move |file| !is_bundle(file))
    }

    /// Every file is verified, whatever becomes of the others; results are told in the order of the files.
    fn verify_all(
        &self,
        run: &mut Run<'_>,
        accepted: &Accepted,
        artifacts: &[Artifact],
    ) -> Result<(), Failure> {
        let total = artifacts.len();
        let results = batch::run(artifacts, usize::from(self.max_workers), &|| false, &|artifact| {
            self.verify_one(run, accepted, artifact)
        });
        let (mut failed, mut only_failure) = (0, None);
        let mut versions = None;
        for (artifact, result) in artifacts.iter().zip(results) {
            let mut outcome = result.unwrap_or_else(|| Err(Error::internal("a file was left out").into()));
            self.signer.explain(run, accepted, &mut versions, &mut outcome);
            match &outcome {
                Ok(judged) => {
                    let name = if total > 1 { format!("{}: ", artifact.name()) } else { String::new() };
                    run.output.note(format!("{name}Verified OK"));
                    // Said where a reader could expect another: the key type's own is nothing to mention.
                    let is_usual =
                        judged.algorithm.is_none_or(|one| one == one.key_type().default_algorithm());
                    if !is_usual || total == 1 {
                        run.output.note(format!("  {}", judged.proven.get(1).map_or("", String::as_str)));
                    }
                }
                Err(failure) if total > 1 => run.output.failure_of_one(failure),
                Err(_) => {}
            }
            run.report.item(item(artifact.name(), &outcome));
            if let Err(failure) = outcome {
                failed += 1;
                only_failure = Some(failure);
            }
        }
        match only_failure {
            None => Ok(()),
            Some(failure) if total == 1 => Err(failure),
            Some(_) => {
                run.output.note(format!("Verified {} of {total} files", total - failed));
                Err(Failure::Batch { failed, total, act: "verify", what: "files", code: FAILURE })
            }
        }
    }

    fn verify_one(&self, run: &Run<'_>, accepted: &Accepted, artifact: &Artifact) -> Verdict {
        let deadline = run.global.deadline();
        if let Some((policy, trust)) = accepted.policy() {
            let world = self.signer.password.world(run, false);
            return policy.judge(
                artifact,
                &self.beside.materials(artifact, deadline)?,
                trust,
                &world.context(),
            );
        }
        let mut material = self.beside.material(artifact, deadline)?;
        let world = self.signer.password.world(run, false);
        if !self.signer.trust.offline {
            self.beside.look_up(&mut material, artifact, accepted.key(), &world.context())?;
        }
        let policy = self.algorithm.demanded_in(self.signer.policy(accepted));
        judge(artifact, &material, &policy, accepted, deadline)
    }
}
