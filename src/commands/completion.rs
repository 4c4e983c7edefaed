//! `completion`: scripts that complete commands and flags in a shell.

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::Run;
use crate::exit::Failure;

/// Print a completion script
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: ShellName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

impl Completion {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let shell = match self.shell {
            ShellName::Bash => Shell::Bash,
            ShellName::Zsh => Shell::Zsh,
            ShellName::Fish => Shell::Fish,
            ShellName::Powershell => Shell::PowerShell,
        };
        let mut command = super::help::documented();
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, "countersign", &mut script);
        Ok(run.output.bytes(&script)?)
    }
}
