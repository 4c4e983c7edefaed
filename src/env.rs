//! Environment variables: the table of those we read, and the one way to read them.
//!
//! Every flag can also be set as `COSIGN_<FLAG>`, as in Cosign; that binding is here too.

use std::ffi::OsString;

use clap::Command;
use countersign_core::Variable;
use countersign_core::context::Environment;

use crate::backends;
use crate::commands;
use crate::oci;
use crate::trust::{self, parts};

/// The password of key files.
pub const PASSWORD: &str = "COSIGN_PASSWORD";
/// Switches password commands off.
pub const NO_COMMANDS: &str = "COUNTERSIGN_NO_COMMANDS";

/// The variables of the tool itself; each backend adds its own table.
pub const VARIABLES: &[Variable] = &[
    Variable::secret(
        PASSWORD,
        "is the password of key files, in place of a prompt",
        "a password, which may be empty",
    ),
    Variable::new(
        NO_COMMANDS,
        "forbids commands that print passwords or log in",
        "any value but the empty one",
    ),
    Variable::new(
        trust::CACHE_VARIABLE,
        "is where trusted roots are cached",
        "a directory; else ~/.sigstore/root",
    ),
    Variable::new(
        trust::MIRROR_VARIABLE,
        "is the TUF repository that trust comes from",
        "an https address, or file:///DIRECTORY",
    ),
    Variable::new(trust::ROOT_VARIABLE, "is the TUF root to begin from", "a root.json"),
    Variable::new(
        parts::AUTHORITIES,
        "is trusted to issue certificates, where --trusted-root is not given",
        "a PEM file",
    ),
    Variable::new(
        parts::LOG,
        "is the transparency log's key, where --trusted-root is not given",
        "a public key in PEM",
    ),
    Variable::new(
        parts::CERTIFICATE_LOG,
        "is the key of the log of certificates, where --trusted-root is not given",
        "a public key in PEM or DER",
    ),
    Variable::new(
        parts::TIMESTAMPS,
        "is the timestamp authority, where --trusted-root is not given",
        "a PEM file",
    ),
];

/// Every variable that is read, in no order.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    let tables = [
        VARIABLES,
        oci::VARIABLES,
        oci::credentials::VARIABLES,
        commands::flags::registry::VARIABLES,
        countersign_core::http::VARIABLES,
    ];
    tables.into_iter().flatten().chain(backends::all().iter().flat_map(|backend| backend.variables()))
}

/// The names of all variables that hold secrets: programs that we start do not inherit them.
pub fn secrets() -> impl Iterator<Item = &'static str> {
    // A proxy may have a password in it, and programs need it all the same.
    let own = VARIABLES.iter().chain(backends::all().iter().flat_map(|backend| backend.variables()));
    own.filter(|variable| variable.sensitive).map(|variable| variable.name)
}

/// The process's own environment.
#[derive(Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn secrets(&self) -> Vec<&'static str> {
        secrets().collect()
    }
}

/// The variable that stands for a flag: `--signing-config` is `COSIGN_SIGNING_CONFIG`.
pub fn variable_of_flag(flag: &str) -> String {
    format!("COSIGN_{}", flag.replace('-', "_").to_uppercase())
}

/// Lets each flag of `command` and its subcommands take its value from `COSIGN_<FLAG>`, below the command line. As
/// in Cosign an empty variable counts as not set.
pub fn bind(command: Command, environment: &dyn Environment) -> Command {
    command
        .mut_args(|argument| {
            let name =
                argument.get_long().filter(|long| !["help", "version"].contains(long)).map(variable_of_flag);
            match name.filter(|name| environment.variable(name).is_some_and(|value| !value.is_empty())) {
                Some(name) => argument.env(name).hide_env(true),
                None => argument,
            }
        })
        .mut_subcommands(|subcommand| bind(subcommand, environment))
}
