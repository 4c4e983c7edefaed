//! `generate-key-pair`: makes a key and writes it encrypted.

use clap::Args;
use countersign_core::{Algorithm, KeyType, KeyUri};

use super::Run;
use super::flags::key::{PasswordFlags, parse_algorithm};
use crate::backends;
use crate::exit::Failure;

/// Make a key pair: PREFIX.key, encrypted with a password, and PREFIX.pub
#[derive(Debug, Args)]
pub(crate) struct GenerateKeyPair {
    /// A store other than files; still to come
    #[arg(value_name = "STORE", hide = true)]
    store: Option<String>,

    /// The name of the two files without their endings
    #[arg(long, value_name = "PREFIX", default_value = "cosign")]
    output_key_prefix: String,

    /// Make a key for this algorithm of Sigstore's registry
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm)]
    signing_algorithm: Option<Algorithm>,

    #[command(flatten)]
    password: PasswordFlags,

    /// Overwrite files that exist
    #[arg(long, short = 'y')]
    yes: bool,
}

impl GenerateKeyPair {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        if let Some(store) = &self.store {
            // k8s://, gitlab://, github:// are refused by the table; a path is not a store.
            let uri = KeyUri::parse(store)?;
            backends::find(&uri)?;
            return Err(Failure::usage_with_hint(
                format!("{uri} is not a store that takes keys by its URI"),
                "choose the files with --output-key-prefix",
            ));
        }
        let algorithm = self.signing_algorithm.unwrap_or_else(|| KeyType::P256.default_algorithm());
        let uri = KeyUri::parse(&format!("file:{}", self.output_key_prefix))?;
        let store = backends::key_store(&uri)?;
        let created = self
            .password
            .with_context(run, true, |context| Ok(store.generate(&uri, algorithm, self.yes, context)?))?;
        super::keys::announce(run, &created);
        Ok(())
    }
}
