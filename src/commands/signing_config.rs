//! `signing-config create`: writes a signing config from addresses.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_core::bounded;
use countersign_core::error::Error;

use super::Run;
use super::flags::key::PasswordFlags;
use super::flags::out::OutFlag;
use crate::exit::Failure;
use crate::instance::signing_config::{Draft, Part, SERVICE};
use crate::instance::spec::Spec;
use crate::services::config::MAX_BYTES;
use crate::trust::{REKOR_2_CONFIG, Refresh, Repository, SIGNING_CONFIG};

/// Write signing configs
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct SigningConfigCommand {
    #[command(subcommand)]
    command: SigningConfigSubcommand,
}

#[derive(Debug, Subcommand)]
enum SigningConfigSubcommand {
    Create(Box<Create>),
}

/// Write a signing config: which services signers ask, given with --signing-config
///
/// Each service is one argument: url=URL,api-version=NUMBER,start-time=TIME,operator=NAME[,end-time=TIME]. A flag may be given
/// several times.
#[derive(Debug, Args)]
struct Create {
    /// An authority of certificates
    #[arg(long, value_name = "FIELDS")]
    fulcio: Vec<String>,

    /// An OIDC provider
    #[arg(long, value_name = "FIELDS")]
    oidc_provider: Vec<String>,

    /// A transparency log
    #[arg(long, value_name = "FIELDS", requires = "rekor_config")]
    rekor: Vec<String>,

    /// How many logs are asked: ANY, ALL or EXACT:COUNT
    #[arg(long, value_name = "CHOICE")]
    rekor_config: Option<String>,

    /// A timestamp authority
    #[arg(long, value_name = "FIELDS", requires = "tsa_config")]
    tsa: Vec<String>,

    /// How many timestamp authorities are asked: ANY, ALL or EXACT:COUNT
    #[arg(long, value_name = "CHOICE")]
    tsa_config: Option<String>,

    /// Begin with this signing config; each kind of service that is named replaces its own
    #[arg(long, value_name = "FILE", conflicts_with = "with_default_services")]
    base_config: Option<PathBuf>,

    /// Begin with the signing config of the TUF repository in use; services that are named are added
    #[arg(long)]
    with_default_services: bool,

    /// Begin with that repository's signing config for logs of version 2
    #[arg(long, requires = "with_default_services")]
    with_default_rekor_v2: bool,

    /// Of what it begins with, leave the authorities out
    #[arg(long)]
    no_default_fulcio: bool,

    /// Of what it begins with, leave the OIDC providers out
    #[arg(long)]
    no_default_oidc: bool,

    /// Of what it begins with, leave the logs out
    #[arg(long)]
    no_default_rekor: bool,

    /// Of what it begins with, leave the timestamp authorities out
    #[arg(long)]
    no_default_tsa: bool,

    #[command(flatten)]
    out: OutFlag,
}

impl SigningConfigCommand {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let SigningConfigSubcommand::Create(create) = self.command;
        let mut draft = Draft::default();
        create.begin(&mut draft, run)?;
        for (part, flag, texts, _) in create.lists() {
            for text in texts {
                draft.add(part, &Spec::parse(flag, text, SERVICE)?)?;
            }
        }
        let choices = [
            (Part::Logs, "rekor-config", &create.rekor_config),
            (Part::TimestampAuthorities, "tsa-config", &create.tsa_config),
        ];
        for (part, flag, choice) in choices {
            if let Some(choice) = choice {
                let wrong = |why| Failure::usage(format!("cannot use --{flag}: {why}"));
                draft.choose(part, choice).map_err(wrong)?;
            }
        }
        create.out.write(run, "signing config", &draft.to_json())
    }
}

impl Create {
    /// The lists with their flags, and whether what it begins with is left out.
    fn lists(&self) -> [(Part, &'static str, &[String], bool); 4] {
        [
            (Part::Authorities, "fulcio", &self.fulcio, self.no_default_fulcio),
            (Part::Providers, "oidc-provider", &self.oidc_provider, self.no_default_oidc),
            (Part::Logs, "rekor", &self.rekor, self.no_default_rekor),
            (Part::TimestampAuthorities, "tsa", &self.tsa, self.no_default_tsa),
        ]
    }

    fn begin(&self, draft: &mut Draft, run: &Run<'_>) -> Result<(), Failure> {
        let lists = self.lists();
        if let Some(path) = &self.base_config {
            let bytes = bounded::read(path, MAX_BYTES, run.global.deadline())
                .map_err(|cause| Error::io("read the signing config", path.display(), cause))?;
            let kept = lists.iter().filter(|(_, _, named, left_out)| named.is_empty() && !left_out);
            draft.take(&bytes, &kept.map(|(part, ..)| *part).collect::<Vec<_>>())?;
        } else if self.with_default_services {
            let world = PasswordFlags::default().world(run, false);
            let context = world.context();
            let name = if self.with_default_rekor_v2 { REKOR_2_CONFIG } else { SIGNING_CONFIG };
            let bytes = Repository::settled(&context)?.target(name, Refresh::Daily, &context)?;
            let kept = lists.iter().filter(|(_, _, _, left_out)| !left_out);
            draft.take(&bytes, &kept.map(|(part, ..)| *part).collect::<Vec<_>>())?;
        } else if let Some((_, flag, ..)) = lists.iter().find(|(_, _, _, left_out)| *left_out) {
            let flag = flag.trim_end_matches("-provider");
            return Err(Failure::usage_with_hint(
                format!(
                    "--no-default-{flag} leaves something out of what it begins with, and it begins with nothing"
                ),
                "pass --with-default-services or --base-config, or leave the flag out",
            ));
        }
        Ok(())
    }
}
