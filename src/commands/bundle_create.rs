//! `bundle create`: puts a signature and what lies beside it into a bundle.

use std::path::PathBuf;

use clap::Args;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::{Certificate, HashAlgorithm, KeyUri, OpenContext, PublicKey};

use super::Run;
use super::flags::beside::BesideFlags;
use super::flags::card::CardFlags;
use super::flags::key::PasswordFlags;
use super::flags::out::OutFlag;
use super::flags::services::PUBLIC_LOG;
use crate::artifact::{Artifact, Measured, Wanted, measure};
use crate::backends;
use crate::bundle::{Content, Draft, LogEntry, Signatory};
use crate::exit::Failure;
use crate::services::look_up::look_up;
use crate::verify::{self, Evidence, Material, Policy, Trust, Who, Window};

/// Put a signature and its parts into a bundle
///
/// What is put together must belong together: the signature is verified over the artifact, and each entry and timestamp held
/// against the signature, before anything is written. Who may have signed is for verifying to say.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The file that was signed
    #[arg(long, value_name = "FILE")]
    artifact: String,

    /// Cosign's older bundle
    #[arg(long, value_name = "FILE", required_unless_present_any = ["signature", "attestation"])]
    bundle: Option<PathBuf>,

    /// The signature: a file, or its base64
    #[arg(long, value_name = "SIGNATURE", conflicts_with_all = ["bundle", "attestation"])]
    signature: Option<String>,

    /// The attestation: a DSSE envelope
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    attestation: Option<String>,

    /// The signer's certificate: PEM, DER or base64 of either
    #[arg(long, alias = "cert", value_name = "FILE")]
    certificate: Option<PathBuf>,

    /// The public key: a path, or a key URI
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    #[command(flatten)]
    card: CardFlags,

    #[command(flatten)]
    password: PasswordFlags,

    /// A signed timestamp: an RFC 3161 response, or Cosign's JSON around one
    #[arg(long, value_name = "FILE")]
    rfc3161_timestamp: Option<PathBuf>,

    /// Ask no transparency log: the bundle then has no entry
    #[arg(long)]
    ignore_tlog: bool,

    /// The transparency log that holds the signature
    #[arg(long, value_name = "URL", default_value = PUBLIC_LOG)]
    rekor_url: String,

    #[command(flatten)]
    out: OutFlag,
}

impl Create {
    pub(super) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let artifact = Artifact::parse_or_digest(&self.artifact);
        let deadline = run.global.deadline();
        let world = self.password.world(run, artifact != Artifact::Stdin);
        let context = world.context();
        let mut material = self.beside().material(&artifact, deadline)?;
        if let (Some(path), None) = (&self.attestation, &material.envelope) {
            return Err(Failure::usage(format!("--attestation {path} is no DSSE envelope")));
        }
        if self.ignore_tlog && !material.entries.is_empty() {
            return Err(Failure::usage_with_hint(
                "--ignore-tlog leaves the log out, and the bundle has its entry",
                "leave --ignore-tlog out",
            ));
        }
        let named = self.named_key(&context)?;
        let key = signer(named, &material)?;
        if !self.ignore_tlog {
            material.entries = self.entries(&material, &artifact, &key, &context)?;
        }
        let measured = self.check(&material, &artifact, &key, &context)?;
        let hint = key.hint();
        let signatory = material
            .certificate
            .as_ref()
            .map(Certificate::der)
            .map_or(Signatory::Hint(&hint), Signatory::Certificate);
        let content = match &material.envelope {
            Some(envelope) => Content::Envelope(envelope),
            None => {
                let digest =
                    measured.digests.first().ok_or_else(|| Error::internal("no digest was taken"))?;
                Content::Artifact(digest, &material.signature)
            }
        };
        let (entries, timestamps) = (&material.entries[..], &material.timestamps[..]);
        let json = Draft { signatory, content, entries, timestamps }.to_json();
        let json = String::from_utf8(json).map_err(|_| Error::internal("JSON that is no UTF-8"))?;
        self.out.write(run, "bundle", &json)
    }

    /// The same parts as `verify-blob` reads.
    fn beside(&self) -> BesideFlags {
        BesideFlags {
            bundle: self.bundle.iter().cloned().collect(),
            signature: self.signature.clone().or_else(|| self.attestation.clone()),
            certificate: self.certificate.clone(),
            rfc3161_timestamp: self.rfc3161_timestamp.clone(),
            ..BesideFlags::older()
        }
    }

    fn named_key(&self, context: &OpenContext<'_>) -> Result<Option<PublicKey>, Failure> {
        let Some(key) = self.card.key(self.key.as_deref())? else { return Ok(None) };
        let uri = KeyUri::parse(&key)?;
        Ok(Some(backends::find(&uri)?.verifying_key(&uri, context)?.public_key))
    }

    /// The log's entries: with their proofs, which older bundles lack.
    fn entries(
        &self,
        material: &Material,
        artifact: &Artifact,
        key: &PublicKey,
        context: &OpenContext<'_>,
    ) -> Result<Vec<LogEntry>, Failure> {
        let mut found = look_up(&self.rekor_url, material, artifact, key, context)?;
        if let Some(own) = material.entries.first() {
            found.retain(|entry| entry.body == own.body);
        }
        found.retain(|entry| entry.proof.is_some());
        found.truncate(1);
        if found.is_empty() {
            return Err(Failure::Error(
                Error::new(ErrorKind::NotFound, "cannot put the bundle together")
                    .why(format!("{} holds no entry of the signature", self.rekor_url))
                    .hint("name its log with --rekor-url; or pass --ignore-tlog: that it is public is then unproven"),
            ));
        }
        Ok(found)
    }

    /// Whether it all belongs together.
    fn check(
        &self,
        material: &Material,
        artifact: &Artifact,
        key: &PublicKey,
        context: &OpenContext<'_>,
    ) -> Result<Measured, Failure> {
        let refused = |refusal| Failure::Refused { artifact: artifact.name(), refusal };
        verify::about(material, key).map_err(refused)?;
        let who = Who::Key(key, Window::default());
        let evidence = Evidence { logs: 0, timestamps: 0, certificate_logs: 0 };
        let policy = Policy::new(who, evidence, jiff::Timestamp::now());
        let bare = Material { entries: Vec::new(), timestamps: Vec::new(), ..material.clone() };
        let plan = verify::plan(&bare, &policy, &Trust::default()).map_err(refused)?;
        let mut wanted: Wanted = plan.wanted.clone();
        if wanted.hashes.is_empty() {
            wanted.hashes.push(HashAlgorithm::Sha256);
        }
        let measured = measure(artifact, &wanted, context.deadline, &|_| {})?;
        let proven = verify::verify(&bare, plan, &measured).map_err(refused)?;
        // The bundle states the digest that was signed.
        let hash = proven.algorithm.hash().unwrap_or(HashAlgorithm::Sha256);
        let digests = measured.digests.iter().filter(|digest| digest.algorithm() == hash).cloned().collect();
        Ok(Measured { digests, ..measured })
    }
}

/// Whose signature it is: the key that was named, which must be the certificate's where there is one.
fn signer(named: Option<PublicKey>, material: &Material) -> Result<PublicKey, Failure> {
    let beside = material.certificate.as_ref().map(Certificate::public_key).or(material.key.as_ref());
    match (named, beside) {
        (Some(named), Some(beside)) if named != *beside => Err(Failure::usage_with_hint(
            "the certificate or key beside the signature is another than --key names",
            "leave one of them out",
        )),
        (Some(key), _) => Ok(key),
        (None, Some(key)) => Ok(key.clone()),
        (None, None) => Err(Failure::usage_with_hint(
            "nothing says whose signature it is",
            "pass --key with the public key, or --certificate",
        )),
    }
}
