//! `import-key-pair`: takes a key made elsewhere and writes it in Cosign's encrypted form.

use std::path::{Path, PathBuf};

use clap::Args;
use countersign_core::bounded;
use countersign_core::context::SecretPurpose;
use countersign_core::error::Error;
use countersign_core::limits::MAX_KEY_FILE_BYTES;
use countersign_core::{
    KeyUri, Secret,
    local_key::{self, LocalKey},
};

use super::Run;
use super::flags::key::PasswordFlags;
use crate::backends;
use crate::exit::Failure;
use crate::prompt::PasswordSource;

/// Encrypt a private key made elsewhere (PKCS#8, SEC1, PKCS#1 or OpenSSH) as PREFIX.key and PREFIX.pub
#[derive(Debug, Args)]
pub(crate) struct ImportKeyPair {
    /// The private key to import
    #[arg(long, short = 'k', value_name = "FILE", required = true)]
    key: PathBuf,

    /// The name of the two files without their endings
    #[arg(long, short = 'o', value_name = "PREFIX", default_value = "import-cosign")]
    output_key_prefix: String,

    #[command(flatten)]
    password: PasswordFlags,

    /// Where the password of the key being imported comes from, if it has one and it is not the new one
    #[arg(long, value_name = "SOURCE")]
    import_password_source: Option<PasswordSource>,

    /// Overwrite files that exist
    #[arg(long, short = 'y')]
    yes: bool,
}

impl ImportKeyPair {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let uri = KeyUri::parse(&format!("file:{}", self.output_key_prefix))?;
        let store = backends::key_store(&uri)?;
        let source = self.import_password_source.or(self.password.password_source.clone());
        let key = read_key(run, &self.key, source)?;
        let created = self
            .password
            .with_context(run, true, |context| Ok(store.import(&uri, &key, self.yes, context)?))?;
        super::keys::announce(run, &created);
        Ok(())
    }
}

/// A private key out of a file, its password from `source`.
pub(super) fn read_key(
    run: &Run<'_>,
    path: &Path,
    source: Option<PasswordSource>,
) -> Result<LocalKey, Failure> {
    let content = bounded::read(path, MAX_KEY_FILE_BYTES, run.global.deadline())
        .map(Secret::new)
        .map_err(|cause| Error::io("import", path.display(), cause))?;
    let shown = path.display().to_string();
    let flags = PasswordFlags { password_source: source, ..PasswordFlags::default() };
    flags.with_context(run, true, |context| {
        Ok(local_key::parse(content.expose(), || context.prompt.secret(&shown, SecretPurpose::Unlock))
            .map_err(|error| error.with_what(|_| format!("cannot import {shown}")))?)
    })
}
