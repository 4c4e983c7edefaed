//! Flags that say which services witness a signature.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use countersign_core::context::Prompt;
use countersign_core::error::Error;
use countersign_core::{OpenContext, Secret, bounded};

use super::switches::parse_bool;
use super::trust;
use crate::exit::Failure;
use crate::services::{LogVersion, Services, TimestampTls, Witnesses, config};

/// The largest file of certificates or a key read.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// What is said before something becomes public for ever.
const CONSENT: &str = "The signature, its key and the digest of what was signed will be public in the transparency log, \
                       and cannot be taken back. Continue?";

/// Transparency logs and timestamp authorities.
#[derive(Debug, Args)]
pub struct ServiceFlags {
    /// Record the signature in a transparency log
    #[arg(long, default_value = "true")]
    pub tlog_upload: bool,

    /// Take the services from Sigstore's own signing config
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = parse_bool, hide = true)]
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

    /// Verify what the services answer with this trusted root
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
}

impl ServiceFlags {
    /// The services to ask, known before a key is touched.
    ///
    /// # Errors
    /// A usage failure where flags contradict each other or say of no log; those of the signing config.
    pub(crate) fn services(&self, new_format: bool, deadline: Option<Instant>) -> Result<Services, Failure> {
        if self.use_signing_config == Some(true) && self.signing_config.is_none() {
            return Err(Failure::usage_with_hint(
                "fetching Sigstore's own signing config is still to come",
                "leave --use-signing-config out, or pass --use-signing-config=false",
            ));
        }
        let mut services = match &self.signing_config {
            Some(_) if !new_format => {
                return Err(Failure::usage("--signing-config goes with the new bundle format only"));
            }
            Some(path) => config::load(path, jiff::Timestamp::now(), deadline)?,
            None => Services {
                logs: self.rekor_url.iter().map(|url| (url.clone(), LogVersion::One)).collect(),
                timestamps: self.timestamp_server_url.iter().cloned().collect(),
            },
        };
        if !self.tlog_upload {
            services.logs.clear();
        } else if self.signing_config.is_none() && services.logs.is_empty() {
            return Err(Failure::usage_with_hint(
                "finding the public transparency log by itself is still to come",
                "name a log with --rekor-url or --signing-config; or pass --tlog-upload=false: then nobody can see when \
                 it was signed, and verifying needs --insecure-ignore-tlog",
            ));
        }
        Ok(services)
    }

    /// Asks whether the signature may become public, and prepares the connections.
    ///
    /// # Errors
    /// A usage failure without consent; those of addresses, TLS and the trusted root.
    pub(crate) fn witnesses<'a>(
        &self,
        services: &Services,
        consents: bool,
        prompt: &dyn Prompt,
        context: &OpenContext<'a>,
    ) -> Result<Witnesses<'a>, Failure> {
        if !services.logs.is_empty() && !consents && !prompt.confirm(CONSENT)? {
            return Err(Failure::usage_with_hint(
                "nothing was signed: what a transparency log holds is public for ever, and nobody agreed to that",
                "pass -y to agree, or --tlog-upload=false to sign without a log",
            ));
        }
        let trust = match &self.trusted_root {
            Some(path) if !services.is_empty() => Some(trust::read(path, context.deadline)?),
            _ => None,
        };
        Ok(Witnesses::new(services, &self.tls(context.deadline)?, trust, context)?)
    }

    fn tls(&self, deadline: Option<Instant>) -> Result<TimestampTls, Error> {
        let read = |path: &Path| {
            bounded::read(path, MAX_PEM_BYTES, deadline)
                .map_err(|cause| Error::io("read the PEM file", path.display(), cause))
        };
        let certificates = self.timestamp_client_cacert.as_deref().map(read).transpose()?;
        let identity = match (&self.timestamp_client_cert, &self.timestamp_client_key) {
            (Some(certificate), Some(key)) => {
                let pem = zeroize::Zeroizing::new([read(certificate)?, b"\n".to_vec(), read(key)?].concat());
                Some(Arc::new(Secret::new(pem.to_vec())))
            }
            _ => None,
        };
        Ok(TimestampTls { certificates, identity })
    }
}
