//! `keys attest`, `piv-tool attestation` and `keys verify-attestation`: the proof that a key was made on its device.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use countersign_core::backend::Attestation as Proof;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::limits::MAX_KEY_FILE_BYTES;
use countersign_core::{Certificate, KeyUri, bounded, certificate};
use serde_json::json;

use super::Run;
use super::flags::card::WhichCard;
use super::flags::key::PasswordFlags;
use crate::backends;
use crate::exit::Failure;

/// Print a key's attestation: its own certificate, then its device's, as PEM
#[derive(Debug, Args)]
pub(crate) struct Attest {
    /// The key URI
    #[arg(value_name = "KEY")]
    key: String,
}

impl Attest {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let uri = KeyUri::parse(&self.key)?;
        let chain = attest(run, &uri, &PasswordFlags::default())?;
        for der in &chain {
            run.output.bytes(Certificate::from_der(der)?.to_pem().as_bytes())?;
        }
        run.report.data(json!({ "certificates": chain.len() }));
        Ok(())
    }
}

/// Print a key's attestation and what it proves, once it is verified
#[derive(Debug, Args)]
pub(crate) struct Attestation {
    #[command(flatten)]
    card: WhichCard,

    /// The slot: signature (9c, if left out), authentication (9a), key-management (9d), card-authentication (9e), or 82 to 95
    #[arg(long, value_name = "SLOT", default_value = "", hide_default_value = true)]
    slot: String,

    /// The form: text or json
    #[arg(long, short = 'o', value_name = "FORM", default_value = "text")]
    output: Form,

    #[command(flatten)]
    roots: Roots,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
}

impl Attestation {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let slot = if self.slot.is_empty() { "9c" } else { self.slot.as_str() };
        let uri = self.card.uri(Some(slot))?;
        let chain = attest(run, &uri, &self.card.password)?;
        let roots = self.roots.read(run)?;
        let proof = backends::attester(&uri)?.verify_attestation(&chain, &roots)?;
        let pem: Vec<String> =
            chain.iter().map(|der| Ok(Certificate::from_der(der)?.to_pem())).collect::<Result<_, Error>>()?;
        report(run, &uri.to_string(), &proof);
        if self.output == Form::Json {
            let (key, device) = (pem.first(), pem.get(1));
            let json = json!({ "DeviceCertPem": device, "KeyCertPem": key, "KeyAttestation": facts(&proof) });
            return Ok(run.output.line(json.to_string())?);
        }
        run.output.note("The device's certificate, then the key's:");
        for pem in pem.iter().rev() {
            run.output.line(pem)?;
        }
        say(run, &proof)
    }
}

/// Verify an attestation, and say what it proves
#[derive(Debug, Args)]
pub(crate) struct VerifyAttestation {
    /// Its certificates in PEM, the key's own first, as keys attest prints them
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Also demand that it is for this public key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    #[command(flatten)]
    roots: Roots,
}

impl VerifyAttestation {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let chain = read_chain(&self.file, run)?;
        let roots = self.roots.read(run)?;
        let what = || format!("cannot accept the attestation in {}", self.file.display());
        let mut refusal = None;
        let mut proven = None;
        for attester in backends::attesters() {
            match attester.verify_attestation(&chain, &roots) {
                Ok(proof) => proven = Some(proof),
                Err(error) => refusal = Some(error),
            }
        }
        let Some(proof) = proven else {
            let error = refusal.unwrap_or_else(|| {
                Error::new(ErrorKind::Unsupported, what()).why("this build knows no device that attests")
            });
            return Err(error.with_what(|said| format!("{}: {said}", what())).into());
        };
        if let Some(key) = &self.key {
            let uri = KeyUri::parse(key)?;
            let backend = backends::find(&uri)?;
            let key = PasswordFlags::default()
                .with_context(run, true, |context| Ok(backend.public_key(&uri, context)?))?;
            if key != proof.public_key {
                return Err(Error::new(ErrorKind::Integrity, what())
                    .why(format!(
                        "it is for another key: {}, not {}",
                        proof.public_key.fingerprint(),
                        key.fingerprint()
                    ))
                    .into());
            }
        }
        report(run, &self.file.display().to_string(), &proof);
        run.output.note("Verified OK");
        say(run, &proof)
    }
}

#[derive(Debug, Clone, Default, Args)]
struct Roots {
    /// Trust the roots in this file (PEM) beside the maker's
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
}

impl Roots {
    fn read(&self, run: &Run<'_>) -> Result<Vec<Vec<u8>>, Failure> {
        self.root.as_ref().map_or_else(|| Ok(Vec::new()), |file| read_chain(file, run))
    }
}

fn read_chain(file: &Path, run: &Run<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let content = bounded::read(file, MAX_KEY_FILE_BYTES, run.global.deadline())
        .map_err(|cause| Error::io("read", file.display(), cause))?;
    Ok(certificate::read_all(&content)
        .map_err(|error| error.with_what(|_| format!("cannot read {}", file.display())))?)
}

fn attest(run: &Run<'_>, uri: &KeyUri, password: &PasswordFlags) -> Result<Vec<Vec<u8>>, Failure> {
    let attester = backends::attester(uri)?;
    password.with_context(run, true, |context| Ok(attester.attest(uri, context)?))
}

fn facts(proof: &Proof) -> serde_json::Map<String, serde_json::Value> {
    proof.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

fn report(run: &mut Run<'_>, of: &str, proof: &Proof) {
    run.report.verifying_key(of.to_owned(), &proof.public_key);
    run.report.data(json!({ "attestation": facts(proof) }));
}

fn say(run: &Run<'_>, proof: &Proof) -> Result<(), Failure> {
    run.output.line(format!("key: {} {}", proof.public_key.key_type(), proof.public_key.fingerprint()))?;
    for (name, value) in &proof.facts {
        run.output.line(format!("{name}: {value}"))?;
    }
    Ok(())
}
