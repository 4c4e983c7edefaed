//! What Cosign has and this version does not: commands and flags that are refused by name, never accepted and ignored.
//!
//! A later version turns a row on by deleting it here and declaring the flag or command where it belongs.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use countersign_core::error::{Error, ErrorKind};

use super::legacy::ALIASES;
use crate::commands::only;
use crate::exit::Failure;

/// Commands without any part built, groups by their first word.
const COMMANDS: &[&str] =
    &["copy", "debug", "dockerfile", "generate-fig-spec", "load", "manifest", "save", "upload"];

/// Flags of commands that are built: those that take a value, and switches.
#[rustfmt::skip]
const FLAGS: &[(&str, &[&str], &[&str])] = &[
    ("sign", &[
        "fulcio-auth-flow", "fulcio-url", "identity-token", "oidc-client-id", "oidc-client-secret-file",
        "oidc-issuer", "oidc-provider", "oidc-redirect-url",
    ], &[
        "insecure-skip-verify", "issue-certificate", "oidc-disable-ambient-providers",
    ]),
    ("attest", &[
        "fulcio-auth-flow", "fulcio-url", "identity-token", "oidc-client-id", "oidc-client-secret-file",
        "oidc-issuer", "oidc-provider", "oidc-redirect-url",
    ], &[
        "insecure-skip-verify", "issue-certificate", "oidc-disable-ambient-providers",
    ]),
    ("sign-blob", &[
        "fulcio-auth-flow", "fulcio-url", "identity-token", "oidc-client-id", "oidc-client-secret-file",
        "oidc-issuer", "oidc-provider", "oidc-redirect-url",
    ], &[
        "insecure-skip-verify", "issue-certificate", "oidc-disable-ambient-providers",
    ]),
    ("attest-blob", &[
        "fulcio-auth-flow", "fulcio-url", "identity-token", "oidc-client-id", "oidc-client-secret-file",
        "oidc-issuer", "oidc-provider", "oidc-redirect-url",
    ], &[
        "insecure-skip-verify", "issue-certificate", "oidc-disable-ambient-providers",
    ]),
];

/// Adds the rows to the command line, hidden from help.
pub fn add(command: Command) -> Command {
    let wanted = FLAGS.iter().filter(|(name, ..)| only::is_wanted(name));
    let command = wanted.fold(command, |command, (name, valued, switches)| {
        command.mut_subcommand(name, |subcommand| {
            let flags =
                valued.iter().map(|flag| (flag, false)).chain(switches.iter().map(|flag| (flag, true)));
            flags.fold(subcommand, |subcommand, (flag, is_switch)| {
                let old = ALIASES.iter().filter(|(_, today)| today == flag).map(|(old, _)| *old);
                let argument = Arg::new(*flag).long(*flag).aliases(old).hide(true).action(ArgAction::Set);
                // A switch must not swallow the file behind it: the refusal would speak of a missing file.
                subcommand.arg(argument.num_args(0..=1).require_equals(is_switch))
            })
        })
    });
    COMMANDS.iter().fold(command, |command, name| command.subcommand(unbuilt(name)))
}

/// Takes any arguments, so that the refusal is what the user reads first.
fn unbuilt(name: &'static str) -> Command {
    Command::new(name)
        .about("Not built yet")
        .hide(true)
        .disable_help_flag(true)
        .arg(Arg::new("anything").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true))
}

/// Refuses a command or flag of the tables.
///
/// # Errors
/// [`ErrorKind::Unsupported`], naming it.
pub fn refuse(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((name, inner)) = matches.subcommand() else { return Ok(()) };
    let refused =
        |what: String| Failure::Error(Error::new(ErrorKind::Unsupported, format!("{what} is not built yet")));
    if COMMANDS.contains(&name) {
        return Err(refused(format!("the command {name}")));
    }
    let flags = FLAGS
        .iter()
        .filter(|(command, ..)| *command == name)
        .flat_map(|(_, valued, switches)| valued.iter().chain(*switches));
    for flag in flags {
        match inner.value_source(flag) {
            Some(ValueSource::EnvVariable) => {
                let variable = crate::env::variable_of_flag(flag);
                return Err(refused(format!("--{flag} of {name} (set by {variable})")));
            }
            Some(_) => return Err(refused(format!("--{flag} of {name}"))),
            None => {}
        }
    }
    Ok(())
}
