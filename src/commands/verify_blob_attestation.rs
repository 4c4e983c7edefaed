//! `verify-blob-attestation`: holds a file, or its digest, against a signed statement about it.

use std::path::PathBuf;

use clap::Args;
use countersign_core::HashAlgorithm;
use countersign_core::hexadecimal::from_hex;

use super::Run;
use super::flags::algorithm::{AlgorithmFlags, parse_hash};
use super::flags::beside::BesideFlags;
use super::judge::{Accepted, SignerFlags, Verdict, item, judge};
use crate::artifact::Artifact;
use crate::attest::policies::Policies;
use crate::attest::predicate::predicate_type;
use crate::exit::Failure;
use crate::verify::Policy;

/// Verify an attestation about a file, and a key or an identity
#[derive(Debug, Args)]
pub(crate) struct VerifyBlobAttestation {
    /// The file; - is standard input, sha256:HEX stands for a file by its digest
    #[arg(value_name = "FILE", conflicts_with_all = ["digest", "digest_algorithm"])]
    file: Option<String>,

    /// The digest of the file in hexadecimal, where the file is elsewhere
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,

    /// The hash of --digest: sha256, sha384 or sha512; left out, the digest's length tells
    #[arg(long = "digestAlg", value_name = "HASH", requires = "digest", value_parser = parse_hash)]
    digest_algorithm: Option<HashAlgorithm>,

    /// The predicate's type: a short name such as slsaprovenance1, spdxjson or cyclonedx, or a URI
    #[arg(long = "type", value_name = "TYPE", default_value = "custom")]
    predicate_type: String,

    /// Demand that the attestation is about the file; false looks at the envelope alone
    #[arg(long, default_value = "true")]
    check_claims: bool,

    /// What the statement must satisfy: a file of Rego (.rego) or CUE (.cue); may be given several times
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,

    #[command(flatten)]
    signer: SignerFlags,

    #[command(flatten)]
    beside: BesideFlags,

    #[command(flatten)]
    algorithm: AlgorithmFlags,

    /// Taken as in Cosign: there is one file
    #[arg(long, value_name = "COUNT", default_value = "10", value_parser = clap::value_parser!(u16).range(1..))]
    #[arg(hide = true)]
    max_workers: u16,
}

impl VerifyBlobAttestation {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let artifact = self.artifact()?;
        let kind = predicate_type(&self.predicate_type)?;
        let accepted = self.signer.accepted(run, artifact != Some(Artifact::Stdin))?;
        let world = self.signer.password.world(run, false);
        let policies = Policies::read(&self.policy, &world.context())?;
        let mut verdict = self.verify(run, &accepted, &policies, artifact.as_ref(), kind);
        self.signer.explain(run, &accepted, &mut None, &mut verdict);
        let name = artifact.as_ref().map_or_else(|| "the attestation".to_owned(), Artifact::name);
        run.report.item(item(name, &verdict));
        let judged = verdict?;
        run.output.note("Verified OK");
        for fact in judged.proven.iter().filter(|fact| fact.starts_with("the attestation ")) {
            run.output.note(format!("  {fact}"));
        }
        Ok(())
    }

    /// What the attestation should be about; nothing only where that is not asked.
    fn artifact(&self) -> Result<Option<Artifact>, Failure> {
        let Some(digest) = &self.digest else {
            return match &self.file {
                Some(file) => Ok(Some(Artifact::parse_or_digest(file))),
                None if !self.check_claims => Ok(None),
                None => Err(Failure::usage_with_hint(
                    "verifying an attestation needs what it should be about",
                    "name the FILE, or its --digest",
                )),
            };
        };
        let bytes = from_hex(digest).unwrap_or_default();
        let hash = self
            .digest_algorithm
            .or_else(|| HashAlgorithm::ALL.into_iter().find(|hash| hash.size() == bytes.len()));
        match hash.filter(|hash| hash.size() == bytes.len()) {
            Some(hash) => Ok(Some(Artifact::Digest(hash, bytes))),
            None => Err(Failure::usage_with_hint(
                format!("--digest {digest} is no digest of a hash that is taken here"),
                "give the SHA-256, SHA-384 or SHA-512 in hexadecimal",
            )),
        }
    }

    fn verify(
        &self,
        run: &Run<'_>,
        accepted: &Accepted,
        policies: &Policies,
        artifact: Option<&Artifact>,
        kind: &str,
    ) -> Verdict {
        let deadline = run.global.deadline();
        // Without a file there is none to look beside of: the bundle must be named.
        let artifact = artifact.unwrap_or(&Artifact::Stdin);
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
        let policy = Policy {
            predicate_type: Some(kind),
            subject: self.check_claims,
            ..self.algorithm.demanded_in(self.signer.policy(accepted))
        };
        let mut judged = judge(artifact, &material, &policy, accepted, deadline)?;
        let statement = material.envelope.as_ref().map(|envelope| &*envelope.payload).unwrap_or_default();
        let world = self.signer.password.world(run, false);
        let refused = |refusal| Failure::Refused { artifact: artifact.name(), refusal };
        judged.proven.extend(policies.check(statement, &world.context())?.map_err(refused)?);
        Ok(judged)
    }
}
