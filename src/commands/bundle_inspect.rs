//! `bundle inspect`: says what a bundle holds.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Run;
use super::bundle_create::Create;
use super::bundle_upgrade::Upgrade;
use crate::bundle;
use crate::exit::Failure;

/// Look into bundles, make them, renew them
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct BundleCommand {
    #[command(subcommand)]
    command: BundleSubcommand,
}

#[derive(Debug, Subcommand)]
enum BundleSubcommand {
    Create(Box<Create>),
    Upgrade(Upgrade),
    /// Say what a bundle holds, without verifying anything
    Inspect {
        /// The bundle
        #[arg(value_name = "BUNDLE")]
        bundle: PathBuf,
    },
}

impl BundleCommand {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let path = match self.command {
            BundleSubcommand::Create(create) => return create.execute(run),
            BundleSubcommand::Upgrade(upgrade) => return upgrade.execute(run),
            BundleSubcommand::Inspect { bundle } => bundle,
        };
        let bundle = bundle::load(&path, run.global.deadline())?;
        run.warning("the bundle is described, not verified: anybody can write these values");
        Ok(run.output.bytes(bundle::inspect::describe(&bundle).as_bytes())?)
    }
}
