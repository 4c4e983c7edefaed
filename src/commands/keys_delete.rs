//! `keys delete`: removes one key from its store, after asking.

use clap::Args;
use countersign_core::KeyUri;
use serde_json::json;

use super::Run;
use super::flags::key::PasswordFlags;
use crate::backends;
use crate::exit::Failure;

/// Delete one key from its store, with its public half and certificate, for ever
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The key URI, which must name exactly one key
    #[arg(value_name = "KEY")]
    key: String,

    #[command(flatten)]
    password: PasswordFlags,

    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

impl Delete {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let uri = KeyUri::parse(&self.key)?;
        let store = backends::key_store(&uri)?;
        let gone =
            self.password.with_context(run, true, |context| Ok(store.delete(&uri, self.yes, context)?))?;
        for name in &gone {
            run.output.note(format!("Deleted the {name}"));
        }
        run.report.data(json!({ "deleted": gone }));
        Ok(())
    }
}
