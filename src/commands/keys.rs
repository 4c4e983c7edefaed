//! `keys`: which keys a store has.

use clap::{Args, Subcommand};
use countersign_core::KeyUri;
use countersign_core::backend::Created;
use serde_json::json;

use super::Run;
use super::flags::key::PasswordFlags;
use super::keys_attest::{Attest, VerifyAttestation};
use super::keys_certificate::{ImportCertificate, ShowCertificate};
use super::keys_csr::Csr;
use super::keys_delete::Delete;
use super::keys_doctor::Doctor;
use super::keys_import::Import;
use crate::backends;
use crate::exit::Failure;

/// List keys, and find out why one does not work
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// List the private keys of a store, each with a URI to sign with
    List {
        /// A directory, a file, or a key URI
        #[arg(value_name = "STORE", default_value = ".")]
        store: String,
    },
    Doctor(Doctor),
    Delete(Delete),
    Import(Import),
    Csr(Csr),
    Attest(Attest),
    VerifyAttestation(VerifyAttestation),
    Certificate(ShowCertificate),
    ImportCertificate(ImportCertificate),
}

impl Keys {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let password = PasswordFlags::default();
        match self.command {
            KeysCommand::List { store } => {
                let uri = KeyUri::parse(&store)?;
                let backend = backends::key_store(&uri)?;
                let keys = password.with_context(run, false, |context| Ok(backend.list(&uri, context)?))?;
                for key in &keys {
                    let public = key.public_key.as_ref();
                    let of_type = public.map_or("?", |key| key.key_type().name());
                    let fingerprint =
                        public.map_or_else(|| "-".to_owned(), |key| key.fingerprint().to_string());
                    run.output.line(format!(
                        "{}\t{of_type}\t{fingerprint}\t{}",
                        key.uri,
                        key.notes.join(", ")
                    ))?;
                }
                if keys.is_empty() {
                    run.output.note(format!("no private keys in {uri}"));
                }
                let rows = keys.iter().map(|key| {
                    let public = key.public_key.as_ref();
                    json!({
                        "uri": key.uri,
                        "keyType": public.map(|key| key.key_type().name()),
                        "fingerprint": public.map(|key| key.fingerprint().to_string()),
                        "location": key.location.name(),
                        "notes": key.notes,
                    })
                });
                run.report.data(json!({ "keys": rows.collect::<Vec<_>>() }));
                Ok(())
            }
            KeysCommand::Doctor(command) => command.execute(run),
            KeysCommand::Delete(command) => command.execute(run),
            KeysCommand::Import(command) => command.execute(run),
            KeysCommand::Csr(command) => command.execute(run),
            KeysCommand::Attest(command) => command.execute(run),
            KeysCommand::VerifyAttestation(command) => command.execute(run),
            KeysCommand::Certificate(command) => command.execute(run),
            KeysCommand::ImportCertificate(command) => command.execute(run),
        }
    }
}

/// Says where a new key went, as Cosign does.
pub(super) fn announce(run: &mut Run<'_>, created: &Created) {
    run.output.note(format!("Private key written to {}", created.private_path));
    run.output.note(format!("Public key written to {}", created.public_path));
    run.report.verifying_key(created.uri.clone(), &created.public_key);
    run.report.data(json!({ "written": [created.private_path, created.public_path] }));
}
