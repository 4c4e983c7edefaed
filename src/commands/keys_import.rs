//! `keys import`: takes a key made elsewhere into a store.

use std::path::PathBuf;

use clap::Args;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::{Ability, KeyUri};
use serde_json::json;

use super::Run;
use super::flags::key::PasswordFlags;
use super::import_key_pair::read_key;
use crate::backends;
use crate::exit::Failure;
use crate::prompt::PasswordSource;

/// Take a private key from a file into a store, such as a card; the file stays as it is
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Where the key goes, a key URI
    #[arg(value_name = "KEY")]
    key: String,

    /// The private key: PEM or DER, in any form that sign-blob takes
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where the file's password comes from, if not from the same source as the store's PIN
    #[arg(long, value_name = "SOURCE")]
    import_password_source: Option<PasswordSource>,

    #[command(flatten)]
    password: PasswordFlags,

    /// Replace a key that is there already
    #[arg(long, short = 'y')]
    yes: bool,
}

impl Import {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let uri = KeyUri::parse(&self.key)?;
        let store = backends::key_store(&uri)?;
        // Before any password is asked for.
        if !backends::find(&uri)?.abilities().contains(&Ability::Import) {
            return Err(Error::new(ErrorKind::Unsupported, format!("cannot import a key into {uri}"))
                .why("this kind of key store takes none")
                .hint("make one there with: countersign generate-key-pair --kms KEY")
                .into());
        }
        let key = read_key(run, &self.file, self.import_password_source)?;
        let created = self
            .password
            .with_context(run, true, |context| Ok(store.import(&uri, &key, self.yes, context)?))?;
        run.output.note(format!("The key is in the store: sign with --key '{}'", created.uri));
        run.report.verifying_key(created.uri.clone(), &created.public_key);
        run.report.data(json!({ "made": created.uri }));
        Ok(())
    }
}
