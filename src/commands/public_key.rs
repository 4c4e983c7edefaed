//! `public-key`: the public half of any key, as PEM.

use std::path::PathBuf;

use clap::Args;
use countersign_core::KeyUri;
use countersign_core::whole_file::{self, WriteOptions};

use super::Run;
use super::flags::card::CardFlags;
use super::flags::key::PasswordFlags;
use crate::backends;
use crate::exit::Failure;

/// Print the public half of a key as PEM
#[derive(Debug, Args)]
pub(crate) struct PublicKeyCommand {
    /// The key: a path, or a key URI
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    #[command(flatten)]
    card: CardFlags,

    /// Write it to this file
    #[arg(long, value_name = "FILE")]
    outfile: Option<PathBuf>,

    #[command(flatten)]
    password: PasswordFlags,
}

impl PublicKeyCommand {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let Some(key) = self.card.key(self.key.as_deref())? else {
            return Err(Failure::usage_with_hint("there is no key", "name it with --key"));
        };
        let uri = KeyUri::parse(&key)?;
        let backend = backends::find(&uri)?;
        let public_key =
            self.password.with_context(run, true, |context| Ok(backend.public_key(&uri, context)?))?;
        run.report.verifying_key(uri.to_string(), &public_key);
        let pem = public_key.to_pem();
        match &self.outfile {
            Some(path) => {
                whole_file::write(path, pem.as_bytes(), WriteOptions::product(true))?;
                run.output.note(format!("Public key written to {}", path.display()));
                Ok(())
            }
            None => Ok(run.output.bytes(pem.as_bytes())?),
        }
    }
}
