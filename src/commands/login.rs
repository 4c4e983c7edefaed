//! `login`: keeps credentials for a registry where docker keeps them, once the registry has taken them.

use std::io::Read;

use clap::Args;
use countersign_core::Secret;
use countersign_core::context::SecretPurpose;
use countersign_core::error::Error;

use super::Run;
use super::flags::key::PasswordFlags;
use super::flags::registry::RegistryFlags;
use crate::exit::Failure;
use crate::oci::credentials::{self, Credential};
use crate::oci::{Registry, Repository, greet};

/// The longest password read from standard input.
const MAX_PASSWORD_BYTES: u64 = 64 * 1024;

/// Log in to a registry
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The registry's host; left out, Docker Hub
    #[arg(value_name = "SERVER", default_value = "index.docker.io", hide_default_value = true)]
    server: String,

    /// The user name
    #[arg(long, short = 'u', value_name = "NAME")]
    username: String,

    /// The password; other users of this machine can see it, so --password-stdin is the better way
    #[arg(long, short = 'p', value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<String>,

    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl Login {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let server = self.server.trim_start_matches("https://").trim_end_matches('/');
        // Any repository leads to the host.
        let repository = Repository::parse(&format!("{server}/login"))?;
        let world = PasswordFlags::default().world(run, !self.password_stdin);
        let context = world.context();
        let password = match &self.password {
            Some(password) => Secret::new(password.as_bytes().to_vec()),
            None if self.password_stdin => {
                let mut bytes = zeroize::Zeroizing::new(Vec::new());
                let read = std::io::stdin().take(MAX_PASSWORD_BYTES).read_to_end(&mut bytes);
                read.map_err(|cause| Error::io("read the password from", "standard input", cause))?;
                Secret::new(bytes.to_vec()).without_line_ending()
            }
            None => context
                .prompt
                .secret(&format!("{} at {}", self.username, repository.host), SecretPurpose::Pin)?,
        };
        if password.is_empty() {
            return Err(Failure::usage("the password is empty"));
        }
        let copy = Secret::new(password.expose().to_vec());
        let options = crate::oci::Options {
            credential: Some(Credential::Password(self.username.clone(), copy)),
            ..RegistryFlags::default().options(&context)?
        };
        greet(&Registry::new(options, context), &repository)?;
        let kept = credentials::keep(&repository.host, &self.username, &password, &context)?;
        run.output.note(format!("Logged in to {}: kept by {kept}", repository.host));
        Ok(())
    }
}
