//! Flags that say whose word is taken, and how much of it is demanded.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use countersign_core::bounded;
use countersign_core::certificate::{self, Certificate};
use countersign_core::error::{Error, ErrorKind};

use crate::commands::Run;
use crate::exit::Failure;
use crate::verify::{Authority, Evidence, MAX_TRUSTED_ROOT_BYTES, Trust, Window};

/// The largest file of certificates read.
const MAX_CHAIN_BYTES: u64 = 1024 * 1024;

/// What is trusted, and what must be proven.
#[derive(Debug, Clone, Default, Args)]
pub struct TrustFlags {
    /// The trusted root: a JSON file with authorities and logs
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,

    /// Accept signatures without proof that a transparency log holds them
    #[arg(long)]
    pub insecure_ignore_tlog: bool,

    /// The same, for a private deployment without a log
    #[arg(long)]
    pub private_infrastructure: bool,

    /// Accept certificates without proof that a certificate transparency log holds them
    #[arg(long)]
    pub insecure_ignore_sct: bool,

    /// Demand a signed timestamp; those in a bundle are checked anyway
    #[arg(long)]
    pub use_signed_timestamps: bool,

    /// The authority of certificates, where the trusted root is not meant: its certificates in PEM, the root last
    #[arg(long, alias = "cert-chain", value_name = "FILE", conflicts_with = "ca_roots")]
    pub certificate_chain: Option<PathBuf>,

    /// Roots of authorities, in PEM
    #[arg(long, value_name = "FILE")]
    pub ca_roots: Option<PathBuf>,

    /// Intermediates below --ca-roots, in PEM
    #[arg(long, value_name = "FILE", requires = "ca_roots")]
    pub ca_intermediates: Option<PathBuf>,

    /// A timestamp authority: its certificates in PEM, its signer first and the root last
    #[arg(long, value_name = "FILE")]
    pub timestamp_certificate_chain: Option<PathBuf>,

    /// Ask no server. Verifying itself never does
    #[arg(long)]
    pub offline: bool,
}

impl TrustFlags {
    /// What must be proven.
    pub(crate) fn evidence(&self) -> Evidence {
        Evidence {
            logs: usize::from(!self.ignores_log()),
            timestamps: usize::from(self.use_signed_timestamps),
            certificate_logs: usize::from(!self.insecure_ignore_sct),
        }
    }

    /// The first flag given that says what must be proven: a policy file says it itself.
    pub(crate) fn weakens(&self) -> Option<&'static str> {
        let flags = [
            ("insecure-ignore-tlog", self.insecure_ignore_tlog),
            ("private-infrastructure", self.private_infrastructure),
            ("insecure-ignore-sct", self.insecure_ignore_sct),
            ("use-signed-timestamps", self.use_signed_timestamps),
        ];
        flags.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    fn ignores_log(&self) -> bool {
        self.insecure_ignore_tlog || self.private_infrastructure
    }

    /// Says aloud what is not going to be checked.
    pub(crate) fn warn(&self, run: &mut Run<'_>) {
        let by = |run: &Run<'_>, flag: &str, variable: &str| {
            let set = run.set_by_variable.iter().any(|other| other == flag);
            if set { format!(" ({variable} is set)") } else { String::new() }
        };
        if self.ignores_log() {
            let by = by(run, "insecure-ignore-tlog", "COSIGN_INSECURE_IGNORE_TLOG");
            run.warning(format!(
                "the transparency log is not checked{by}: that the signature is public, and when it was made, is unproven"
            ));
        }
        if self.insecure_ignore_sct {
            let by = by(run, "insecure-ignore-sct", "COSIGN_INSECURE_IGNORE_SCT");
            run.warning(format!(
                "certificate transparency is not checked{by}: that the certificate is public is unproven"
            ));
        }
    }

    /// The trust to verify with. Where a key signed and no witness is demanded, no trusted root is needed.
    ///
    /// # Errors
    /// Those of reading the files; a usage failure when there is no trusted root and it is needed.
    pub(crate) fn load(&self, by_certificate: bool, deadline: Option<Instant>) -> Result<Trust, Failure> {
        let own = self.certificate_chain.is_some() || self.ca_roots.is_some();
        let evidence = self.evidence();
        let lacking = evidence.logs > 0 || by_certificate && (!own || evidence.certificate_logs > 0);
        self.load_with(self.trusted_root.as_deref(), lacking, deadline)
    }

    /// The same with this trusted root.
    ///
    /// # Errors
    /// Those of reading the files; a usage failure when there is no trusted root and `needed` says so.
    pub(crate) fn load_with(
        &self,
        root: Option<&Path>,
        needed: bool,
        deadline: Option<Instant>,
    ) -> Result<Trust, Failure> {
        let mut trust = match root {
            Some(path) => read(path, deadline)?,
            None if needed => {
                return Err(Failure::usage_with_hint(
                    "verifying logs and certificates needs a trusted root",
                    "pass --trusted-root with the instance's trusted_root.json; for a key alone, --insecure-ignore-tlog",
                ));
            }
            None => Trust::default(),
        };
        let own = self.authorities(deadline)?;
        if !own.is_empty() {
            // Who names an authority means that one and no other.
            trust.authorities = own;
        }
        if let Some(path) = &self.timestamp_certificate_chain {
            trust.timestamp_authorities = vec![authority(path, read_chain(path, deadline)?)];
        }
        Ok(trust)
    }

    fn authorities(&self, deadline: Option<Instant>) -> Result<Vec<Authority>, Failure> {
        if let Some(path) = &self.certificate_chain {
            return Ok(vec![authority(path, read_chain(path, deadline)?)]);
        }
        let Some(path) = &self.ca_roots else { return Ok(Vec::new()) };
        let intermediates = match &self.ca_intermediates {
            Some(path) => read_chain(path, deadline)?,
            None => Vec::new(),
        };
        let below = |root| intermediates.iter().cloned().chain([root]).collect();
        Ok(read_chain(path, deadline)?.into_iter().map(|root| authority(path, below(root))).collect())
    }
}

fn authority(path: &Path, chain: Vec<Certificate>) -> Authority {
    Authority { name: path.display().to_string(), chain, window: Window::default() }
}

pub(super) fn read_chain(path: &Path, deadline: Option<Instant>) -> Result<Vec<Certificate>, Error> {
    let what = || format!("cannot read the certificates {}", path.display());
    let pem = bounded::read(path, MAX_CHAIN_BYTES, deadline)
        .map_err(|cause| Error::io("read the certificates", path.display(), cause))?;
    let chain = certificate::read_all(&pem).map_err(|error| error.with_what(|_| what()))?;
    let chain = chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>();
    chain.map_err(|error| error.with_what(|_| what()))
}

/// Reads a trusted root.
pub(crate) fn read(path: &Path, deadline: Option<Instant>) -> Result<Trust, Error> {
    let bytes = bounded::read(path, MAX_TRUSTED_ROOT_BYTES, deadline).map_err(|cause| {
        let error = Error::io("read the trusted root", path.display(), cause);
        match error.kind() {
            ErrorKind::NotFound => error.hint("name the instance's trusted_root.json with --trusted-root"),
            _ => error,
        }
    })?;
    Trust::parse(&bytes)
        .map_err(|error| error.with_what(|_| format!("cannot read the trusted root {}", path.display())))
}
