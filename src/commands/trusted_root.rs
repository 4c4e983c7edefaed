//! `trusted-root create`: writes a trusted root from keys and certificates.

use clap::{Args, Subcommand};

use super::Run;
use super::flags::key::PasswordFlags;
use super::flags::out::OutFlag;
use crate::exit::Failure;
use crate::instance::spec::Spec;
use crate::instance::trusted_root::{AUTHORITY, Draft, LOG, Part};
use crate::trust::{Refresh, Repository, TRUSTED_ROOT};

/// Write trusted roots
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct TrustedRootCommand {
    #[command(subcommand)]
    command: TrustedRootSubcommand,
}

#[derive(Debug, Subcommand)]
enum TrustedRootSubcommand {
    Create(Box<Create>),
}

/// Write a trusted root: what verifiers believe, given with --trusted-root
///
/// Each part is one argument, fields separated by commas; a flag may be given several times.
#[derive(Debug, Args)]
struct Create {
    /// An authority of certificates: url=URL,certificate-chain=FILE[,start-time=TIME][,end-time=TIME]; in the file the root last
    #[arg(long, value_name = "FIELDS")]
    fulcio: Vec<String>,

    /// A transparency log: url=URL,public-key=FILE,start-time=TIME[,end-time=TIME][,origin=NAME]; the origin for version 2
    #[arg(long, value_name = "FIELDS")]
    rekor: Vec<String>,

    /// A log of certificates, in the same fields
    #[arg(long, value_name = "FIELDS")]
    ctfe: Vec<String>,

    /// A timestamp authority: url=URL,certificate-chain=FILE[,start-time=TIME][,end-time=TIME]; in the file its signer first
    #[arg(long, value_name = "FIELDS")]
    tsa: Vec<String>,

    /// Begin with the trusted root of the TUF repository in use
    #[arg(long)]
    with_default_services: bool,

    /// Of that, leave the authorities out
    #[arg(long, requires = "with_default_services")]
    no_default_fulcio: bool,

    /// Of that, leave the logs of certificates out
    #[arg(long, requires = "with_default_services")]
    no_default_ctfe: bool,

    /// Of that, leave the transparency logs out
    #[arg(long, requires = "with_default_services")]
    no_default_rekor: bool,

    /// Of that, leave the timestamp authorities out
    #[arg(long, requires = "with_default_services")]
    no_default_tsa: bool,

    #[command(flatten)]
    out: OutFlag,

    #[command(flatten)]
    older: OlderFlags,
}

/// One flag a field, as older versions of Cosign had them: the first of each belongs together, and so on.
#[derive(Debug, Args)]
struct OlderFlags {
    #[arg(long, alias = "cert-chain", hide = true, conflicts_with = "fulcio")]
    certificate_chain: Vec<String>,
    #[arg(long, hide = true, requires = "certificate_chain")]
    fulcio_uri: Vec<String>,
    #[arg(long, hide = true, conflicts_with = "ctfe")]
    ctfe_key: Vec<String>,
    #[arg(long, hide = true, requires = "ctfe_key")]
    ctfe_url: Vec<String>,
    #[arg(long, hide = true, requires = "ctfe_key")]
    ctfe_start_time: Vec<String>,
    #[arg(long, hide = true, requires = "ctfe_key")]
    ctfe_end_time: Vec<String>,
    #[arg(long, hide = true, conflicts_with = "rekor")]
    rekor_key: Vec<String>,
    #[arg(long, hide = true, requires = "rekor_key")]
    rekor_url: Vec<String>,
    #[arg(long, hide = true, requires = "rekor_key")]
    rekor_start_time: Vec<String>,
    #[arg(long, hide = true, requires = "rekor_key")]
    rekor_end_time: Vec<String>,
    #[arg(long, hide = true, conflicts_with = "tsa")]
    timestamp_certificate_chain: Vec<String>,
    #[arg(long, hide = true, requires = "timestamp_certificate_chain")]
    timestamp_uri: Vec<String>,
}

impl TrustedRootCommand {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let TrustedRootSubcommand::Create(create) = self.command;
        let mut draft = Draft::default();
        if create.with_default_services {
            let world = PasswordFlags::default().world(run, false);
            let context = world.context();
            let root = Repository::settled(&context)?.target(TRUSTED_ROOT, Refresh::Daily, &context)?;
            draft.take(&root, &create.kept())?;
        }
        for (part, spec) in create.specs()? {
            draft.add(part, &spec, run.global.deadline())?;
        }
        create.out.write(run, "trusted root", &draft.to_json())
    }
}

impl Create {
    /// The lists of the default root that stay.
    fn kept(&self) -> Vec<Part> {
        let all = [
            (Part::Authorities, self.no_default_fulcio),
            (Part::CertificateLogs, self.no_default_ctfe),
            (Part::Logs, self.no_default_rekor),
            (Part::TimestampAuthorities, self.no_default_tsa),
        ];
        all.into_iter().filter(|(_, left_out)| !left_out).map(|(part, _)| part).collect()
    }

    fn specs(&self) -> Result<Vec<(Part, Spec)>, Failure> {
        let mut specs = Vec::new();
        let lists = [
            (Part::Authorities, "fulcio", &self.fulcio, AUTHORITY),
            (Part::CertificateLogs, "ctfe", &self.ctfe, LOG),
            (Part::Logs, "rekor", &self.rekor, LOG),
            (Part::TimestampAuthorities, "tsa", &self.tsa, AUTHORITY),
        ];
        for (part, flag, texts, known) in lists {
            for text in texts {
                specs.push((part, Spec::parse(flag, text, known)?));
            }
        }
        specs.extend(self.older.specs());
        Ok(specs)
    }
}

impl OlderFlags {
    fn specs(&self) -> Vec<(Part, Spec)> {
        let at = |list: &[String], number: usize| list.get(number).cloned();
        let mut specs = Vec::new();
        let authorities = [
            (Part::Authorities, "certificate-chain", &self.certificate_chain, &self.fulcio_uri),
            (
                Part::TimestampAuthorities,
                "timestamp-certificate-chain",
                &self.timestamp_certificate_chain,
                &self.timestamp_uri,
            ),
        ];
        for (part, flag, chains, urls) in authorities {
            for (number, chain) in chains.iter().enumerate() {
                let fields = [("certificate-chain", Some(chain.clone())), ("url", at(urls, number))];
                specs.push((part, Spec::of(flag, fields)));
            }
        }
        let logs = [
            (
                Part::CertificateLogs,
                "ctfe-key",
                &self.ctfe_key,
                [&self.ctfe_url, &self.ctfe_start_time, &self.ctfe_end_time],
            ),
            (
                Part::Logs,
                "rekor-key",
                &self.rekor_key,
                [&self.rekor_url, &self.rekor_start_time, &self.rekor_end_time],
            ),
        ];
        for (part, flag, keys, [urls, starts, ends]) in logs {
            for (number, key) in keys.iter().enumerate() {
                let (key, origin) = match key.split_once(',') {
                    Some((key, origin)) if part == Part::Logs => (key, Some(origin.to_owned())),
                    _ => (key.as_str(), None),
                };
                // Without a start Cosign lets a log begin with Unix.
                let start = at(starts, number).or_else(|| Some("1970-01-01T00:00:00Z".to_owned()));
                let fields = [
                    ("public-key", Some(key.to_owned())),
                    ("origin", origin),
                    ("url", at(urls, number)),
                    ("start-time", start),
                    ("end-time", at(ends, number)),
                ];
                specs.push((part, Spec::of(flag, fields)));
            }
        }
        specs
    }
}
