//! `conformance`: the Sigstore conformance suite's client protocol, for that suite only and hidden from help.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_core::KeyUri;

use super::Run;
use super::flags::identity::IdentityFlags;
use super::flags::key::PasswordFlags;
use super::flags::trust::{TrustFlags, fetch};
use crate::artifact::{Artifact, measure};
use crate::exit::Failure;
use crate::trust::{Refresh, Repository, STAGING};
use crate::verify::{Material, Policy, Who, Window, plan, verify};
use crate::{backends, bundle};

/// The client of the Sigstore conformance suite
#[derive(Debug, Args)]
pub(crate) struct Conformance {
    #[command(subcommand)]
    command: Step,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Verify a bundle; exit code 0 accepts
    VerifyBundle(Box<VerifyBundle>),
}

#[derive(Debug, Args)]
struct VerifyBundle {
    /// The file, or sha256:HEX
    artifact: String,

    /// Use the staging instance
    #[arg(long)]
    staging: bool,

    /// The bundle
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,

    /// The public key, where no identity is given
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    #[command(flatten)]
    identity: IdentityFlags,

    #[command(flatten)]
    password: PasswordFlags,

    #[command(flatten)]
    trust: TrustFlags,
}

impl Conformance {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let Step::VerifyBundle(step) = self.command;
        let deadline = run.global.deadline();
        let artifact = Artifact::parse_or_digest(&step.artifact);
        let material = Material::from_bundle(&bundle::load(&step.bundle, deadline)?)?;
        let world = step.password.world(run, true);
        let context = world.context();
        let trust = match step.staging && step.trust.trusted_root.is_none() {
            true => fetch(&Repository::at(STAGING, None, context.environment)?, Refresh::Daily, &context)?,
            false => step.trust.load(true, run, &context)?,
        };
        let identities: Vec<_> = step.identity.identity()?.into_iter().collect();
        let key = match &step.key {
            Some(key) => {
                let uri = KeyUri::parse(key)?;
                Some(backends::find(&uri)?.verifying_key(&uri, &context)?.public_key)
            }
            None => None,
        };
        let who = match &key {
            Some(_) if !identities.is_empty() => {
                return Err(Failure::usage("--key and --certificate-identity each name a signer: leave one"));
            }
            Some(key) => Who::Key(key, Window::default()),
            None => Who::Identities(&identities),
        };
        let policy = Policy::new(who, step.trust.evidence(), jiff::Timestamp::now());
        let refused = |refusal| Failure::Refused { artifact: artifact.name(), refusal };
        let plan = plan(&material, &policy, &trust).map_err(refused)?;
        let measured = measure(&artifact, &plan.wanted, deadline, &|_| {})?;
        verify(&material, plan, &measured).map_err(refused)?;
        Ok(())
    }
}
