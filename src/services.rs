//! Services that witness a signature: transparency logs (Rekor, versions 1 and 2) and timestamp authorities (RFC 3161).
//!
//! [`Services`] says which to ask, [`Witnesses`] asks them. What they answer is held against the signature at once, with the
//! checks of `verify`: a bundle that nobody could verify is never written.

pub mod config;
pub mod look_up;
mod rekor;
mod timestamp;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{self, Client, Endpoint};
use countersign_core::{Algorithm, KeyInfo, OpenContext, PublicKey, Scheme};
use jiff::Timestamp;

use crate::bundle::{Content, LogEntry};
use crate::verify::{self, Evidence, LogProof, Material, Origin, Policy, Trust, Who, Window};

/// The largest answer of a service: an entry of a log holds its own bundle's parts, some kilobytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// The interface that a log speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogVersion {
    /// Rekor's first, with promises and times.
    One,
    /// Rekor's second, tiles: an inclusion proof and no time.
    Two,
}

/// Which services to ask, by their addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Services {
    /// Transparency logs.
    pub logs: Vec<(String, LogVersion)>,
    /// Timestamp authorities, each with its whole path.
    pub timestamps: Vec<String>,
    /// What envelopes become in a log of version 1.
    pub envelopes: EnvelopeEntry,
}

/// The kind of entry that an envelope becomes in a log of version 1; the second version has one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EnvelopeEntry {
    /// `dsse` 0.0.1: hashes of envelope and payload.
    #[default]
    Dsse,
    /// `intoto` 0.0.2, the older one.
    Intoto,
}

/// What a timestamp authority asks to see and is trusted by, where TLS is not the system's.
#[derive(Debug, Clone, Default)]
pub struct TimestampTls {
    /// The authorities that its server's certificate may come from, PEM.
    pub certificates: Option<Vec<u8>>,
    /// Our certificate and key, PEM, one after the other.
    pub identity: Option<std::sync::Arc<countersign_core::Secret>>,
    /// The name that its server's certificate must bear, where it is not the address's.
    pub server_name: Option<String>,
}

/// A signature to be witnessed.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The signature over it, encoded as [`countersign_core::Signature`] says.
    pub signature: &'a [u8],
    /// What was signed.
    pub content: Content<'a>,
    /// The key that signed.
    pub key: &'a PublicKey,
    /// Its certificate, DER, where it has one.
    pub certificate: Option<&'a [u8]>,
    /// How it was signed.
    pub algorithm: Algorithm,
}

/// What the services said.
#[derive(Debug, Clone, Default)]
pub struct Testimony {
    /// Log entries.
    pub entries: Vec<LogEntry>,
    /// RFC 3161 responses, DER.
    pub timestamps: Vec<Vec<u8>>,
    /// One sentence for each fact that is proven.
    pub proven: Vec<String>,
    /// One sentence for each that is not.
    pub not_proven: Vec<String>,
}

/// Asks services. Shared freely between threads.
pub struct Witnesses<'a> {
    logs: Vec<(Client<'a>, LogVersion)>,
    authorities: Vec<Client<'a>>,
    envelopes: EnvelopeEntry,
    /// The trusted root to verify the answers with.
    trust: Option<Trust>,
}

impl Services {
    /// Whether nobody is asked.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.timestamps.is_empty()
    }
}

impl<'a> Witnesses<'a> {
    /// Prepares the connections; nobody is asked yet. With a trusted root every answer is verified as a verifier would;
    /// without, it is only held against the signature.
    ///
    /// # Errors
    /// Those of an address or of TLS.
    pub fn new(
        services: &Services,
        tls: &TimestampTls,
        trust: Option<Trust>,
        context: &OpenContext<'a>,
    ) -> Result<Self> {
        let limited = http::Options { max_answer_bytes: MAX_ANSWER_BYTES, ..http::Options::default() };
        // A log would take what arrived twice; an authority signs another time, and harms nobody.
        let once = http::Options { at_most_once: true, is_transient: |_| false, ..limited.clone() };
        let own_tls = http::Options {
            certificates: tls.certificates.clone(),
            certificates_variable: "--timestamp-client-cacert",
            identity: tls.identity.clone(),
            identity_named_by: Some("--timestamp-client-cert and --timestamp-client-key"),
            server_name: tls.server_name.clone(),
            ..limited
        };
        let logs = services.logs.iter().map(|(url, version)| {
            let endpoint = Endpoint::parse(url, "the address of the transparency log")?;
            Ok((Client::new(endpoint, once.clone(), context)?, *version))
        });
        let authorities = services.timestamps.iter().map(|url| {
            let endpoint = Endpoint::parse(url, "the address of the timestamp authority")?;
            Client::new(endpoint, own_tls.clone(), context)
        });
        Ok(Self {
            logs: logs.collect::<Result<_>>()?,
            authorities: authorities.collect::<Result<_>>()?,
            envelopes: services.envelopes,
            trust,
        })
    }

    /// Whether nobody is asked.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.authorities.is_empty()
    }

    /// What a verifier could be shown of the answers, where a trusted root is known to verify them with.
    pub fn evidence(&self) -> Option<(Evidence, &Trust)> {
        static NOBODY: std::sync::LazyLock<Trust> = std::sync::LazyLock::new(Trust::default);
        let evidence = Evidence {
            logs: usize::from(!self.logs.is_empty()),
            timestamps: usize::from(!self.authorities.is_empty()),
            certificate_logs: 0,
        };
        match &self.trust {
            Some(trust) => Some((evidence, trust)),
            None => self.is_empty().then_some((evidence, &*NOBODY)),
        }
    }

    /// The algorithm that a key signs with for a log where its own is not taken: Ed25519ph for Ed25519, as in Cosign.
    pub fn preferred(&self, key: &KeyInfo) -> Option<Algorithm> {
        let own = key.public_key.key_type().default_algorithm();
        let prehashed = key.algorithms.iter().copied().find(|one| one.scheme() == Scheme::Ed25519ph);
        prehashed.filter(|_| !self.logs.is_empty() && own.scheme() == Scheme::Ed25519)
    }

    /// Refuses what a log would, before the key is used.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], naming the choice.
    pub fn accept(&self, algorithm: Algorithm) -> Result<()> {
        let refused = |why: &str, hint: &str| {
            let what = format!("cannot log a signature made with {algorithm}");
            Err(Error::new(ErrorKind::Unsupported, what).why(why).hint(hint))
        };
        if self.logs.is_empty() {
            return Ok(());
        }
        match algorithm.scheme() {
            Scheme::RsaPss => refused(
                "Rekor takes RSA with PKCS#1 v1.5 only",
                "sign with a key for PKCS#1 v1.5, or without a log (--tlog-upload=false)",
            ),
            Scheme::Ed25519 => refused(
                "a log sees the digest, and Ed25519 signs the whole message",
                "pass --signing-algorithm ed25519-ph if the key does it, or sign without a log (--tlog-upload=false)",
            ),
            _ if self.logs.iter().any(|(_, version)| *version == LogVersion::Two)
                && rekor::key_details(algorithm).is_none() =>
            {
                refused(
                    "Rekor version 2 takes each curve with its own hash only",
                    "leave --signing-algorithm out, or sign without a log (--tlog-upload=false)",
                )
            }
            _ => Ok(()),
        }
    }

    /// Whether a log of version 2 is asked, whose entries older bundle formats cannot hold.
    pub fn needs_new_format(&self) -> bool {
        self.logs.iter().any(|(_, version)| *version == LogVersion::Two)
    }

    /// Asks all: timestamp authorities, then logs. Costs one round trip each; a log of version 2 answers once the entry lies
    /// in its tree, which takes it some seconds.
    ///
    /// # Errors
    /// Those of the connection; [`ErrorKind::Integrity`] for an answer that is not about this signature or, with a trusted
    /// root, that a verifier would refuse.
    pub fn ask(&self, signed: &Signed<'_>) -> Result<Testimony> {
        let mut testimony = Testimony::default();
        for authority in &self.authorities {
            testimony.timestamps.push(timestamp::ask(authority, signed.signature)?);
        }
        for (log, version) in &self.logs {
            testimony.entries.push(match version {
                LogVersion::One => rekor::one::add(log, signed, self.envelopes)?,
                LogVersion::Two => rekor::two::add(log, signed)?,
            });
        }
        self.check(signed, &mut testimony)?;
        Ok(testimony)
    }

    /// Holds the answers against the signature.
    fn check(&self, signed: &Signed<'_>, testimony: &mut Testimony) -> Result<()> {
        if testimony.entries.is_empty() {
            testimony
                .not_proven
                .push("that a transparency log holds the signature: none was asked".to_owned());
        }
        let mut material = Material::bare(Origin::Bundle, signed.signature.to_vec());
        match signed.content {
            Content::Artifact(digest, _) => material.digest = Some(*digest),
            Content::Envelope(envelope) => material.envelope = Some(envelope.clone()),
        }
        material.certificate = signed.certificate.map(countersign_core::Certificate::from_der).transpose()?;
        material.entries = testimony.entries.clone();
        material.timestamps = testimony.timestamps.clone();
        material.log_proof = LogProof::Either;
        let refused = |refusal: verify::Refusal| {
            Error::new(ErrorKind::Integrity, "cannot use what the services answered")
                .why(refusal.to_string())
                .hint("nothing was written; if --trusted-root is of another instance, name this one's")
        };
        let Some(trust) = &self.trust else {
            testimony.proven = verify::about(&material, signed.key).map_err(refused)?;
            if !material.entries.is_empty() || !material.timestamps.is_empty() {
                testimony.not_proven.push(
                    "that the services are the right ones: without --trusted-root their keys are unknown"
                        .to_owned(),
                );
            }
            return Ok(());
        };
        let evidence = self.evidence().map_or(Evidence::NONE, |(evidence, _)| evidence);
        let who = Who::Key(signed.key, Window::default());
        let plan =
            verify::plan(&material, &Policy::new(who, evidence, Timestamp::now()), trust).map_err(refused)?;
        testimony.proven = plan.proven().to_vec();
        Ok(())
    }
}
