//! `bundle inspect`: says what a bundle holds.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Run;
use crate::bundle;
use crate::exit::Failure;

/// Look into bundles
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct BundleCommand {
    #[command(subcommand)]
    command: BundleSubcommand,
}

#[derive(Debug, Subcommand)]
enum BundleSubcommand {
    /// Say what a bundle holds, without verifying anything
    Inspect {
        /// The bundle
        #[arg(value_name = "BUNDLE")]
        bundle: PathBuf,
    },
}

impl BundleCommand {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let BundleSubcommand::Inspect { bundle: path } = self.command;
        let bundle = bundle::load(&path, run.global.deadline())?;
        run.warning("the bundle is described, not verified: anybody can write these values");
        Ok(run.output.bytes(bundle::inspect::describe(&bundle).as_bytes())?)
    }
}
