//! The command line: one file a command, flag groups in [`flags`].
//!
//! A command reads its flags, calls the library and prints. Rules about signatures stand elsewhere.

mod attach;
mod attest;
mod attest_blob;
mod bundle_create;
mod bundle_inspect;
mod bundle_upgrade;
mod by_policy;
mod clean;
mod completion;
mod conformance;
mod demo;
mod download;
mod env_command;
pub mod flags;
mod generate;
mod generate_key_pair;
mod help;
mod images;
mod import_key_pair;
mod initialize;
mod judge;
mod keys;
mod keys_attest;
mod keys_certificate;
mod keys_csr;
mod keys_delete;
mod keys_doctor;
mod keys_import;
mod login;
mod only;
mod piv_generate;
mod piv_tool;
mod pkcs11_tool;
mod policy_command;
mod public_key;
mod sign;
mod sign_blob;
mod sign_images;
mod signing_config;
mod tally;
mod tree;
mod triangulate;
mod trusted_root;
mod verify;
mod verify_attestation;
mod verify_blob;
mod verify_blob_attestation;
mod version;

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use countersign_core::context::Environment;

use crate::env::{self, ProcessEnvironment};
use crate::exit::{Failure, SUCCESS};
use crate::output::Output;
use crate::report::{Destination, Report};
use flags::global::GlobalFlags;
use flags::{legacy, not_built, switches};
use only::Lazy;

/// Signs and verifies software artifacts with the key store you have: files, HSMs, YubiKeys, cloud KMS, Vault, secrets of CI.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, disable_version_flag = true, disable_help_subcommand = true)]
#[command(arg_required_else_help = true, args_override_self = true, infer_subcommands = false)]
struct Cli {
    #[command(flatten)]
    global: GlobalFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sign(Lazy<sign::Sign>),
    Verify(Lazy<verify::Verify>),
    Attest(Lazy<attest::Attest>),
    VerifyAttestation(Lazy<verify_attestation::VerifyAttestation>),
    SignBlob(Lazy<sign_blob::SignBlob>),
    VerifyBlob(Lazy<verify_blob::VerifyBlob>),
    AttestBlob(Lazy<attest_blob::AttestBlob>),
    VerifyBlobAttestation(Lazy<verify_blob_attestation::VerifyBlobAttestation>),
    Tree(Lazy<tree::Tree>),
    Download(Lazy<download::Download>),
    Attach(Lazy<attach::Attach>),
    Clean(Lazy<clean::Clean>),
    Triangulate(Lazy<triangulate::Triangulate>),
    Generate(Lazy<generate::Generate>),
    Login(Lazy<login::Login>),
    GenerateKeyPair(Lazy<generate_key_pair::GenerateKeyPair>),
    ImportKeyPair(Lazy<import_key_pair::ImportKeyPair>),
    Initialize(Lazy<initialize::Initialize>),
    PublicKey(Lazy<public_key::PublicKeyCommand>),
    Keys(Lazy<keys::Keys>),
    #[command(name = "pkcs11-tool")]
    Pkcs11Tool(Lazy<pkcs11_tool::Pkcs11Tool>),
    PivTool(Lazy<piv_tool::PivTool>),
    Bundle(Lazy<bundle_inspect::BundleCommand>),
    Policy(Lazy<policy_command::PolicyCommand>),
    TrustedRoot(Lazy<trusted_root::TrustedRootCommand>),
    SigningConfig(Lazy<signing_config::SigningConfigCommand>),
    Demo(Lazy<demo::Demo>),
    Env(Lazy<env_command::EnvCommand>),
    Completion(Lazy<completion::Completion>),
    #[command(hide = true)]
    Conformance(Lazy<conformance::Conformance>),
    Version(Lazy<version::Version>),
    Help(Lazy<help::Help>),
}

/// What a command works with.
pub(crate) struct Run<'a> {
    pub(crate) output: &'a Output,
    pub(crate) environment: &'a dyn Environment,
    pub(crate) global: GlobalFlags,
    pub(crate) report: Report,
    /// Flags that a variable set, not the command line.
    pub(crate) set_by_variable: Vec<String>,
}

impl Run<'_> {
    /// A warning, on standard error and in the report.
    pub(crate) fn warning(&mut self, text: impl AsRef<str>) {
        self.output.warning(text.as_ref());
        self.report.warning(text.as_ref());
    }
}

/// Runs the tool and returns its exit code.
pub fn run(arguments: Vec<OsString>) -> u8 {
    let environment = ProcessEnvironment;
    let (arguments, old_spellings) = legacy::rewrite(arguments);
    // Before the flags are read there is only the real standard output.
    let Ok(early) = Output::new(None, false) else { return crate::exit::FAILURE };
    for text in old_spellings {
        early.warning(text);
    }
    // A first word that is no flag is a command; with flags before it, all are built.
    let first = arguments.get(1).and_then(|first| first.to_str()).filter(|first| !first.starts_with('-'));
    let command_line = only::with(first, || command_line(&environment));
    let matches = match command_line.try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) => return help::end_parsing(&error, &early),
    };
    match parse(&matches) {
        Ok((cli, output)) => {
            let (command, run) = start(cli, &matches, &output, &environment);
            finish(command, run)
        }
        Err(failure) => {
            early.failure(&failure);
            failure.code()
        }
    }
}

/// The whole command line as clap knows it: ours, Cosign's flags that are not built, Go's switches, variables.
pub(crate) fn command_line(environment: &dyn Environment) -> clap::Command {
    env::bind(switches::accept_values(not_built::add(Cli::command())), environment)
}

fn parse(matches: &ArgMatches) -> Result<(Cli, Output), Failure> {
    not_built::refuse(matches)?;
    let cli = Cli::from_arg_matches(matches).map_err(|error| Failure::usage(help::first_line(&error)))?;
    let output = Output::new(cli.global.output_file.as_deref(), cli.global.verbose)?;
    Ok((cli, output))
}

fn start<'a>(
    cli: Cli,
    matches: &ArgMatches,
    output: &'a Output,
    environment: &'a dyn Environment,
) -> (Command, Run<'a>) {
    let (path, innermost) = innermost(matches);
    let report = Report::new(path);
    let mut run = Run { output, environment, global: cli.global, report, set_by_variable: Vec::new() };
    for id in innermost.ids() {
        let flag = id.as_str().replace('_', "-");
        match innermost.value_source(id.as_str()) {
            Some(ValueSource::EnvVariable) => run.set_by_variable.push(flag),
            Some(ValueSource::CommandLine) => {
                if let Some(instead) = legacy::deprecation(&flag) {
                    run.output.warning(format!("--{flag} is deprecated in Cosign: {instead}"));
                }
            }
            _ => {}
        }
    }
    (cli.command, run)
}

fn innermost(matches: &ArgMatches) -> (String, &ArgMatches) {
    let (mut path, mut at) = (Vec::new(), matches);
    while let Some((name, inner)) = at.subcommand() {
        path.push(name);
        at = inner;
    }
    (path.join(" "), at)
}

fn finish(command: Command, mut run: Run<'_>) -> u8 {
    let ended = command.execute(&mut run);
    let mut code = ended.as_ref().err().map_or(SUCCESS, Failure::code);
    if let Err(failure) = &ended {
        run.output.failure(failure);
    }
    let destination =
        run.global.report.take().map(|file| file.map_or(Destination::Stdout, Destination::File));
    if let Some(destination) = destination
        && let Err(error) = run.report.write(&ended, &destination, run.output)
    {
        let failure = Failure::Error(error);
        run.output.failure(&failure);
        code = code.max(failure.code());
    }
    code
}

impl Command {
    fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        match self {
            Self::Sign(command) => command.0.execute(run),
            Self::Verify(command) => command.0.execute(run),
            Self::Attest(command) => command.0.execute(run),
            Self::VerifyAttestation(command) => command.0.execute(run),
            Self::SignBlob(command) => command.0.execute(run),
            Self::VerifyBlob(command) => command.0.execute(run),
            Self::AttestBlob(command) => command.0.execute(run),
            Self::VerifyBlobAttestation(command) => command.0.execute(run),
            Self::Tree(command) => command.0.execute(run),
            Self::Download(command) => command.0.execute(run),
            Self::Attach(command) => command.0.execute(run),
            Self::Clean(command) => command.0.execute(run),
            Self::Triangulate(command) => command.0.execute(run),
            Self::Generate(command) => command.0.execute(run),
            Self::Login(command) => command.0.execute(run),
            Self::GenerateKeyPair(command) => command.0.execute(run),
            Self::ImportKeyPair(command) => command.0.execute(run),
            Self::Initialize(command) => command.0.execute(run),
            Self::PublicKey(command) => command.0.execute(run),
            Self::Keys(command) => command.0.execute(run),
            Self::Pkcs11Tool(command) => command.0.execute(run),
            Self::PivTool(command) => command.0.execute(run),
            Self::Bundle(command) => command.0.execute(run),
            Self::Policy(command) => command.0.execute(run),
            Self::TrustedRoot(command) => command.0.execute(run),
            Self::SigningConfig(command) => command.0.execute(run),
            Self::Demo(command) => command.0.execute(run),
            Self::Env(command) => command.0.execute(run),
            Self::Completion(command) => command.0.execute(run),
            Self::Conformance(command) => command.0.execute(run),
            Self::Version(command) => command.0.execute(run),
            Self::Help(command) => command.0.execute(run),
        }
    }
}

/// Says where the tool broke, without the values at hand, which may be secrets.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        if let Ok(output) = Output::new(None, false) {
            output.note(format!("Error: countersign broke{place}"));
            output.note("  hint: this is a bug: please report this line and the command");
        }
    }));
}
