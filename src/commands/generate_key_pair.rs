//! `generate-key-pair`: makes a key, encrypted in files or inside a key store.

use std::path::PathBuf;

use clap::Args;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::whole_file::{self, WriteOptions};
use countersign_core::{Algorithm, KeyType, KeyUri};

use super::Run;
use super::flags::key::{PasswordFlags, parse_algorithm};
use crate::backends;
use crate::exit::Failure;

/// Make a key pair: PREFIX.key, encrypted with a password, and PREFIX.pub
#[derive(Debug, Args)]
pub(crate) struct GenerateKeyPair {
    /// Make the key in a platform's secrets and write PREFIX.pub too, as in gitlab://GROUP/PROJECT
    #[arg(value_name = "STORE")]
    store: Option<String>,

    /// Make the key inside this store and write PREFIX.pub alone, as in pkcs11:token=ci;object=release
    #[arg(long, value_name = "KEY")]
    kms: Option<String>,

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
        // Cosign keeps two ways to say where: a KMS after --kms, a platform's secrets by position. Here either takes both.
        if let (Some(_), Some(_)) = (&self.store, &self.kms) {
            return Err(Failure::usage_with_hint(
                "two stores are named",
                "name one, by position or with --kms",
            ));
        }
        let algorithm = self.signing_algorithm.unwrap_or_else(|| KeyType::P256.default_algorithm());
        if let Some(store) = self.kms.as_ref().or(self.store.as_ref()) {
            return self.in_store(run, &KeyUri::parse(store)?, algorithm);
        }
        let uri = KeyUri::parse(&format!("file:{}", self.output_key_prefix))?;
        let store = backends::key_store(&uri)?;
        let created = self
            .password
            .with_context(run, true, |context| Ok(store.generate(&uri, algorithm, self.yes, context)?))?;
        super::keys::announce(run, &created);
        Ok(())
    }

    /// Makes the key in the store; its public half goes to a file that is claimed before.
    fn in_store(&self, run: &mut Run<'_>, uri: &KeyUri, algorithm: Algorithm) -> Result<(), Failure> {
        let store = backends::key_store(uri)?;
        let public = PathBuf::from(format!("{}.pub", self.output_key_prefix));
        if !self.yes && public.symlink_metadata().is_ok() {
            let error = Error::new(ErrorKind::Denied, format!("cannot write {}", public.display()));
            return Err(error
                .why("it exists")
                .hint("choose another --output-key-prefix, or pass -y to overwrite")
                .into());
        }
        let created = self
            .password
            .with_context(run, true, |context| Ok(store.generate(uri, algorithm, self.yes, context)?))?;
        let options = WriteOptions { mode: 0o644, overwrite: self.yes, flush: true };
        whole_file::write(&public, created.public_key.to_pem().as_bytes(), options).map_err(|error| {
            error.hint(format!(
                "the key was made all the same: print its public half with: countersign public-key --key '{}'",
                created.uri
            ))
        })?;
        run.output.note(format!("Private key made in the store: {}", created.private_path));
        run.output.note(format!("Public key written to {}", public.display()));
        run.report.verifying_key(created.uri.clone(), &created.public_key);
        run.report.data(serde_json::json!({ "written": [public.display().to_string()] }));
        Ok(())
    }
}
