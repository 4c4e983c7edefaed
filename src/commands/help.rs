//! `help`: help texts and man pages, and what is printed when a command line cannot be read.

use std::path::PathBuf;

use clap::error::{ContextKind, ErrorKind as ClapError};
use clap::{Args, CommandFactory};
use countersign_core::error::Error;

use super::{Cli, Run};
use crate::exit::{FAILURE, Failure, SUCCESS};
use crate::output::Output;

/// Print help for a command, or its man page
#[derive(Debug, Args)]
pub(crate) struct Help {
    /// The command, as in: help bundle inspect
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,

    /// Print the man page (roff) instead
    #[arg(long)]
    man: bool,

    /// Write the man pages of all commands into this directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["man", "command"])]
    man_dir: Option<PathBuf>,
}

/// The command line without what is not built: what help, man pages and completions speak of.
pub(super) fn documented() -> clap::Command {
    let mut command = super::switches::accept_values(Cli::command());
    command.build();
    command
}

impl Help {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let root = documented();
        if let Some(directory) = &self.man_dir {
            let failed = |cause| Error::io("write man pages to", directory.display(), cause);
            std::fs::create_dir_all(directory).map_err(failed)?;
            clap_mangen::generate_to(root, directory).map_err(failed)?;
            return Ok(());
        }
        let mut at = &root;
        for name in &self.command {
            at = at.find_subcommand(name).ok_or_else(|| {
                Failure::usage_with_hint(
                    format!("unknown command \"{}\"", self.command.join(" ")),
                    "see: countersign help",
                )
            })?;
        }
        if self.man {
            let mut page = Vec::new();
            let written = clap_mangen::Man::new(at.clone()).render(&mut page);
            written.map_err(|cause| Error::io("write", "the man page", cause))?;
            return Ok(run.output.bytes(&page)?);
        }
        let text = at.clone().render_long_help();
        Ok(run.output.bytes(text.to_string().as_bytes())?)
    }
}

/// Ends a run whose command line could not be read: help goes to standard output with code 0, the rest is Cosign's
/// code for wrong usage, 1.
pub(super) fn end_parsing(error: &clap::Error, output: &Output) -> u8 {
    match error.kind() {
        ClapError::DisplayHelp | ClapError::DisplayHelpOnMissingArgumentOrSubcommand => {
            // A write error of the help text has nobody to be told to.
            let _ = output.bytes(error.render().to_string().as_bytes());
            SUCCESS
        }
        _ => {
            let failure = Failure::usage_with_hint(first_line(error), "see: countersign help");
            output.failure(&failure);
            FAILURE
        }
    }
}

/// The parser's complaint in one line, with Cosign's words where scripts look for them. It never repeats the value of a
/// password source.
pub(super) fn first_line(error: &clap::Error) -> String {
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        ClapError::UnknownArgument => format!("unknown flag: {}", context(ContextKind::InvalidArg)),
        ClapError::InvalidSubcommand => {
            format!("unknown command \"{}\" for \"countersign\"", context(ContextKind::InvalidSubcommand))
        }
        ClapError::MissingRequiredArgument => {
            let missing = error.render().to_string();
            let names: Vec<_> =
                missing.lines().skip(1).map(str::trim).take_while(|line| !line.is_empty()).collect();
            format!("missing: {}", names.join(", "))
        }
        ClapError::ValueValidation if context(ContextKind::InvalidArg).contains("password-source") => {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("invalid value for {}: {cause}", context(ContextKind::InvalidArg))
        }
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first);
            match error.get(ContextKind::ValidValue) {
                Some(values) => format!("{first}: expected one of {values}"),
                None => first.to_owned(),
            }
        }
    }
}
