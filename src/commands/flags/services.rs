//! Flags that say which services witness a signature.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use countersign_core::OpenContext;
use countersign_core::error::{Error, ErrorKind};

use super::pem;
use super::switches::parse_bool;
use super::trust;
use crate::exit::Failure;
use crate::services::{LogVersion, Services, TimestampTls, Witnesses, config};
use crate::trust::{Refresh, Repository, SIGNING_CONFIG};

/// Where signatures go when nobody names a log and no signing config is wanted, as in Cosign.
pub(crate) const PUBLIC_LOG: &str = "https://rekor.sigstore.dev";

/// What is said before something becomes public for ever.
const CONSENT: &str = "The signature, its key and the digest of what was signed will be public in the transparency log, \
                       and cannot be taken back. Continue?";

/// Transparency logs and timestamp authorities.
#[derive(Debug, Args)]
pub struct ServiceFlags {
    /// Record the signature in a transparency log
    #[arg(long, default_value = "true")]
    pub tlog_upload: bool,

    /// Take the services from the signing config of the TUF repository in use; the default where no flag names one
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = parse_bool, conflicts_with = "signing_config")]
    pub use_signing_config: Option<bool>,

    /// Take the services from this signing config
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rekor_url", "timestamp_server_url"])]
    pub signing_config: Option<PathBuf>,

    /// The transparency log: the address of a Rekor of version 1
    #[arg(long, value_name = "URL")]
    pub rekor_url: Option<String>,

    /// The timestamp authority: its address with the path, which ends in /api/v1/timestamp
    #[arg(long, value_name = "URL")]
    pub timestamp_server_url: Option<String>,

    /// The authorities that the timestamp server's TLS certificate may come from, in PEM
    #[arg(long, value_name = "FILE")]
    pub timestamp_client_cacert: Option<PathBuf>,

    /// The certificate to show to the timestamp server, in PEM
    #[arg(long, value_name = "FILE", requires = "timestamp_client_key")]
    pub timestamp_client_cert: Option<PathBuf>,

    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "timestamp_client_cert")]
    pub timestamp_client_key: Option<PathBuf>,

    /// The name that the timestamp server's TLS certificate must bear, where it is not its address's
    #[arg(long, value_name = "NAME", requires = "timestamp_server_url")]
    pub timestamp_server_name: Option<String>,

    /// Verify what the services answer with this trusted root
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
}

impl ServiceFlags {
    /// The services to ask, known before a key is touched: those of a signing config, of the flags, or those that the TUF
    /// repository in use names.
    ///
    /// # Errors
    /// A usage failure where flags contradict each other; those of the signing config and of the repository.
    pub(crate) fn services(&self, new_format: bool, context: &OpenContext<'_>) -> Result<Services, Failure> {
        let has_address = self.rekor_url.is_some() || self.timestamp_server_url.is_some();
        if self.use_signing_config == Some(true) && (has_address || !self.tlog_upload) {
            return Err(Failure::usage_with_hint(
                "--use-signing-config takes all services from Sigstore's signing config, and another flag says which to ask",
                "leave one of them out",
            ));
        }
        let plain = self.timestamp_server_url.as_deref().filter(|url| url.starts_with("http://"));
        if let (Some(name), Some(url)) = (&self.timestamp_server_name, plain) {
            return Err(Failure::usage_with_hint(
                format!("{url} shows no certificate that could bear the name {name}: it is plain http"),
                "leave --timestamp-server-name out, or name an address with https",
            ));
        }
        let now = jiff::Timestamp::now();
        let mut services = match &self.signing_config {
            Some(_) if !new_format => {
                return Err(Failure::usage("--signing-config goes with the new bundle format only"));
            }
            Some(path) => config::load(path, now, context.deadline)?,
            None if self.takes_config(new_format) => {
                let repository = Repository::settled(context)?;
                let config =
                    repository.target(SIGNING_CONFIG, Refresh::Daily, context).map_err(unreachable)?;
                let address = repository.address();
                config::parse(&config, now).map_err(|error| {
                    error.with_what(|_| format!("cannot use the signing config of {address}"))
                })?
            }
            None => Services {
                logs: vec![(
                    self.rekor_url.clone().unwrap_or_else(|| PUBLIC_LOG.to_owned()),
                    LogVersion::One,
                )],
                timestamps: self.timestamp_server_url.iter().cloned().collect(),
                ..Services::default()
            },
        };
        if !self.tlog_upload {
            services.logs.clear();
        }
        Ok(services)
    }

    /// Whether the services are those of the TUF repository in use.
    fn takes_config(&self, new_format: bool) -> bool {
        let named =
            self.signing_config.is_some() || self.rekor_url.is_some() || self.timestamp_server_url.is_some();
        !named && self.tlog_upload && self.use_signing_config.unwrap_or(new_format)
    }

    /// Asks whether the signature may become public, and prepares the connections.
    ///
    /// # Errors
    /// A usage failure without consent; those of addresses, TLS and the trusted root.
    pub(crate) fn witnesses<'a>(
        &self,
        services: &Services,
        new_format: bool,
        consents: bool,
        context: &OpenContext<'a>,
    ) -> Result<Witnesses<'a>, Failure> {
        if !services.logs.is_empty() && !consents && !context.prompt.confirm(CONSENT)? {
            return Err(Failure::usage_with_hint(
                "nothing was signed: what a transparency log holds is public for ever, and nobody agreed to that",
                "pass -y to agree, or --tlog-upload=false to sign without a log",
            ));
        }
        let trust = match &self.trusted_root {
            _ if services.is_empty() => None,
            Some(path) => Some(trust::read(path, context.deadline)?),
            // Who names services and no root must believe them; those of the repository are held to its root.
            None if self.takes_config(new_format) => {
                Some(trust::fetch(&Repository::settled(context)?, Refresh::Daily, context)?)
            }
            None => None,
        };
        Ok(Witnesses::new(services, &self.tls(context.deadline)?, trust, context)?)
    }

    fn tls(&self, deadline: Option<Instant>) -> Result<TimestampTls, Error> {
        let (certificate, key) = (&self.timestamp_client_cert, &self.timestamp_client_key);
        let authorities = self.timestamp_client_cacert.as_deref().map(|path| pem::read(path, deadline));
        Ok(TimestampTls {
            certificates: authorities.transpose()?,
            identity: pem::identity(certificate.as_deref(), key.as_deref(), deadline)?,
            server_name: self.timestamp_server_name.clone(),
        })
    }
}

fn unreachable(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Timeout => error.hint(
            "name the services with --signing-config, or a log with --rekor-url; or pass --tlog-upload=false: then nobody can \
             see when it was signed, and verifying needs --insecure-ignore-tlog",
        ),
        _ => error,
    }
}
