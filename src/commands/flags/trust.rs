//! Flags that say whose word is taken, and how much of it is demanded.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use countersign_core::certificate::{self, Certificate};
use countersign_core::error::{Error, ErrorKind};
use countersign_core::{OpenContext, bounded};

use crate::commands::Run;
use crate::exit::Failure;
use crate::trust::parts::Parts;
use crate::trust::{Refresh, Repository, TRUSTED_ROOT};
use crate::verify::{Authority, Evidence, MAX_TRUSTED_ROOT_BYTES, Trust, Window};

/// The largest file of certificates read.
const MAX_CHAIN_BYTES: u64 = 1024 * 1024;

/// The parts of trust that a verification cannot do without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    pub(crate) authorities: bool,
    pub(crate) logs: bool,
    pub(crate) certificate_logs: bool,
    pub(crate) timestamps: bool,
}

/// What is trusted, and what must be proven.
#[derive(Debug, Clone, Default, Args)]
pub struct TrustFlags {
    /// The trusted root: a JSON file with authorities and logs. Without one: that of the TUF repository in use
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

    /// Ask no server, not even for the trusted root: the one that was fetched before must do
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

    /// The trust to verify with. Where a key signed and no witness is demanded, none is needed.
    ///
    /// # Errors
    /// Those of the files, and of the TUF repository where no file says enough.
    pub(crate) fn load(
        &self,
        by_certificate: bool,
        run: &mut Run<'_>,
        context: &OpenContext<'_>,
    ) -> Result<Trust, Failure> {
        let evidence = self.evidence();
        let certificate_logs = if by_certificate { evidence.certificate_logs } else { 0 };
        let needs = Needs {
            authorities: by_certificate,
            logs: evidence.logs > 0,
            certificate_logs: certificate_logs > 0,
            timestamps: evidence.timestamps > 0,
        };
        let trust = self.load_with(self.trusted_root.as_deref(), needs, run, context)?;
        for text in &trust.unusable {
            run.warning(format!("a part of the trusted root is of no use to this version: {text}"));
        }
        Ok(trust)
    }

    /// The same with this trusted root.
    ///
    /// # Errors
    /// As those of [`TrustFlags::load`].
    pub(crate) fn load_with(
        &self,
        root: Option<&Path>,
        needs: Needs,
        run: &mut Run<'_>,
        context: &OpenContext<'_>,
    ) -> Result<Trust, Failure> {
        let deadline = context.deadline;
        let named = Parts::named(context);
        let mut trust = match root {
            Some(path) => {
                // As in Cosign, a whole root stands above parts of one.
                if let Some(variable) = named.first() {
                    run.warning(format!(
                        "{variable} is set and not used: the trusted root {} is",
                        path.display()
                    ));
                }
                read(path, deadline)?
            }
            None => {
                let parts = Parts::load(context)?;
                let has_chain = self.certificate_chain.is_some() || self.ca_roots.is_some();
                let lacking = needs.authorities && !has_chain && !parts.has_authorities()
                    || needs.logs && !parts.has_log()
                    || needs.certificate_logs && !parts.has_certificate_log()
                    || needs.timestamps
                        && self.timestamp_certificate_chain.is_none()
                        && !parts.has_timestamps();
                let mut trust = if lacking { self.fetch(context)? } else { Trust::default() };
                parts.replace_in(&mut trust);
                trust
            }
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

    /// The trusted root of the TUF repository in use.
    fn fetch(&self, context: &OpenContext<'_>) -> Result<Trust, Error> {
        let refresh = if self.offline { Refresh::Never } else { Refresh::Daily };
        fetch(&Repository::settled(context)?, refresh, context)
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

/// The trusted root of a TUF repository.
///
/// # Errors
/// Those of the repository, and of a trusted root that cannot be read.
pub(crate) fn fetch(
    repository: &Repository,
    refresh: Refresh,
    context: &OpenContext<'_>,
) -> Result<Trust, Error> {
    let root = repository.target(TRUSTED_ROOT, refresh, context).map_err(|error| match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Timeout => error.hint(
            "without the network: pass --trusted-root; or --offline, if countersign initialize has run here. With a key, \
             --insecure-ignore-tlog needs neither: that the signature is public is then unproven",
        ),
        _ => error,
    })?;
    let address = repository.address();
    Trust::parse(&root)
        .map_err(|error| error.with_what(|_| format!("cannot use the trusted root of {address}")))
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
