//! Flags that say what signs: the key, its certificate, and who witnesses.

use clap::Args;
use countersign_core::{Algorithm, KeyUri, OpenContext};

use super::card::CardFlags;
use super::certificate::CertificateFlags;
use super::key::{PasswordFlags, parse_algorithm};
use super::services::ServiceFlags;
use crate::backends;
use crate::commands::Run;
use crate::exit::Failure;
use crate::services::{EnvelopeEntry, LogVersion, Services};
use crate::sign::{SigningKey, choose_algorithm};

/// The key with all that its signatures need.
#[derive(Debug, Args)]
pub(crate) struct SigningFlags {
    /// The private key: a path, or a key URI such as env://NAME
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,

    #[command(flatten)]
    pub(crate) card: CardFlags,

    #[command(flatten)]
    pub(crate) password: PasswordFlags,

    /// Sign with this algorithm of Sigstore's registry instead of the key type's own
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm)]
    pub(crate) signing_algorithm: Option<Algorithm>,

    #[command(flatten)]
    pub(crate) certificate: CertificateFlags,

    #[command(flatten)]
    pub(crate) services: ServiceFlags,
}

/// What the command adds.
pub(crate) struct How<'a> {
    /// Whether a bundle of version 0.3 holds the signature.
    pub(crate) new_format: bool,
    /// Whether the user agreed that it becomes public.
    pub(crate) consents: bool,
    /// What an envelope becomes in a log of version 1, in Cosign's words.
    pub(crate) entry_kind: &'a str,
}

impl SigningFlags {
    /// The key that the flags name.
    ///
    /// # Errors
    /// A usage failure where they name none or two; `act` is the work, as in "signing".
    pub(crate) fn uri(&self, act: &str) -> Result<KeyUri, Failure> {
        let Some(key) = self.card.key(self.key.as_deref())? else {
            return Err(Failure::usage_with_hint(
                format!("{act} needs a key: keyless signing is still to come"),
                "pass --key; make one with: countersign generate-key-pair",
            ));
        };
        Ok(KeyUri::parse(&key)?)
    }

    /// Opens the key, once the services are known and everything that they would refuse is refused.
    ///
    /// # Errors
    /// Those of the services, the key's store and the certificate.
    pub(crate) fn open<'a>(
        &self,
        uri: &KeyUri,
        how: &How<'_>,
        run: &mut Run<'_>,
        context: &OpenContext<'a>,
    ) -> Result<SigningKey<'a>, Failure> {
        let backend = backends::find(uri)?;
        let mut services = self.services.services(how.new_format, context)?;
        services.envelopes = entry_kind(how.entry_kind, &services)?;
        let witnesses = self.services.witnesses(&services, how.new_format, how.consents, context)?;
        let signer = backend.open_signer(uri, context)?;
        run.report.signing_key(signer.info());
        let chosen = self.signing_algorithm.or_else(|| witnesses.preferred(signer.info()));
        let algorithm = choose_algorithm(&*signer, chosen)?;
        witnesses.accept(algorithm)?;
        let certified = self.certificate.of(signer.info(), context.deadline)?;
        Ok(SigningKey { signer, algorithm, certified, witnesses })
    }
}

fn entry_kind(named: &str, services: &Services) -> Result<EnvelopeEntry, Failure> {
    if named == "dsse" {
        return Ok(EnvelopeEntry::Dsse);
    }
    if let Some((log, _)) = services.logs.iter().find(|(_, version)| *version == LogVersion::Two) {
        return Err(Failure::usage_with_hint(
            format!("{log} is a log of version 2, which has no entries of the kind intoto"),
            "leave --rekor-entry-type out",
        ));
    }
    Ok(EnvelopeEntry::Intoto)
}
