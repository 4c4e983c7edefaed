//! `verify-blob`: holds files against bundles or signatures and a key.

use std::cell::LazyCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args;
use countersign_core::backend::{KeySummary, VerifyingKey};
use countersign_core::bounded;
use countersign_core::error::Error;
use countersign_core::{Algorithm, HashAlgorithm, KeyUri};

use super::Run;
use super::flags::card::CardFlags;
use super::flags::key::{PasswordFlags, parse_algorithm};
use crate::artifact::{Artifact, measure};
use crate::bundle::Bundle;
use crate::exit::Failure;
use crate::report::{Item, Problem};
use crate::sign::plan::{BUNDLE_ENDING, bundle_path};
use crate::verify::{KeyPolicy, Material, Proven, Refusal, plan, verify};
use crate::{backends, bundle};

/// The largest detached signature read: RSA 4096 in base64 has under a kilobyte.
const MAX_SIGNATURE_BYTES: u64 = 64 * 1024;

/// Verify files against their bundles and a key
#[derive(Debug, Args)]
pub(crate) struct VerifyBlob {
    /// Files to verify; - is standard input, sha256:HEX stands for a file by its digest
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,

    /// The public key: a path (PEM, DER or certificate), or a key URI
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    #[command(flatten)]
    card: CardFlags,

    #[command(flatten)]
    password: PasswordFlags,

    /// The bundle of a single file; left out, FILE.sigstore.json is read for each
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,

    /// A signature without bundle: a file, or the base64 itself
    #[arg(long, value_name = "SIGNATURE", conflicts_with = "bundle")]
    signature: Option<String>,

    /// Accept only this algorithm of Sigstore's registry
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm)]
    signing_algorithm: Option<Algorithm>,

    /// Accept only this hash: sha256, sha384 or sha512
    #[arg(long, value_name = "HASH", value_parser = parse_hash, conflicts_with = "signing_algorithm")]
    signature_digest_algorithm: Option<HashAlgorithm>,

    /// Accept signatures without proof that a transparency log holds them
    #[arg(long)]
    insecure_ignore_tlog: bool,

    /// Read bundles of either format; false takes the old one only, as Cosign does
    #[arg(long, default_value = "true")]
    new_bundle_format: bool,

    /// Verify so many files at once
    #[arg(long, value_name = "COUNT", default_value = "10", value_parser = clap::value_parser!(u16).range(1..))]
    max_workers: u16,
}

fn parse_hash(name: &str) -> Result<HashAlgorithm, String> {
    HashAlgorithm::parse(name).ok_or_else(|| "expected sha256, sha384 or sha512".to_owned())
}

impl VerifyBlob {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let Some(key) = self.card.key(self.key.as_deref())? else {
            return Err(Failure::usage_with_hint(
                "verifying needs a key: identities of certificates are still to come",
                "pass --key with the signer's public key, as in cosign.pub",
            ));
        };
        let artifacts: Vec<_> = self.without_bundles(run).map(Artifact::parse_or_digest).collect();
        if artifacts.len() > 1 {
            if self.bundle.is_some() || self.signature.is_some() {
                return Err(Failure::usage_with_hint(
                    "--bundle and --signature belong to one file, and there are several to verify",
                    "leave them out: FILE.sigstore.json is read for each file",
                ));
            }
            if artifacts.contains(&Artifact::Stdin) {
                return Err(Failure::usage(
                    "standard input (-) is verified by itself, not together with files",
                ));
            }
        }
        self.warn(run);
        let uri = KeyUri::parse(&key)?;
        let stdin_is_free = !artifacts.contains(&Artifact::Stdin);
        let backend = backends::find(&uri)?;
        let world = self.password.world(run, stdin_is_free);
        let key = backend.verifying_key(&uri, &world.context())?;
        run.report.verifying_key(uri.to_string(), &key.public_key);
        let versions = || {
            // Only to say more about a refusal: what cannot be asked is not said.
            backend.versions(&uri, &world.context()).unwrap_or_default()
        };
        self.verify_all(run, &key, &artifacts, &versions)
    }

    /// `verify-blob dist/*` names the bundles too: those whose file is named as well are not artifacts.
    fn without_bundles(&self, run: &Run<'_>) -> impl Iterator<Item = &str> {
        let named: HashSet<&str> = self.files.iter().map(String::as_str).collect();
        let is_bundle =
            move |file: &str| file.strip_suffix(BUNDLE_ENDING).is_some_and(|file| named.contains(file));
        let bundles = self.files.iter().filter(|file| is_bundle(file)).count();
        if bundles > 0 {
            run.output.note(format!(
                "{bundles} of the names are bundles of others: they are read, not verified themselves"
            ));
        }
        self.files.iter().map(String::as_str).filter(move |file| !is_bundle(file))
    }

    fn warn(&self, run: &mut Run<'_>) {
        if self.insecure_ignore_tlog {
            let by = run.set_by_variable.iter().any(|flag| flag == "insecure-ignore-tlog");
            let by = if by { " (COSIGN_INSECURE_IGNORE_TLOG is set)" } else { "" };
            run.warning(format!(
                "the transparency log is not checked{by}: that the signature is public, and when it was made, is unproven"
            ));
        }
    }

    /// Every file is verified, whatever becomes of the others; results are told in the order of the files.
    fn verify_all(
        &self,
        run: &mut Run<'_>,
        key: &VerifyingKey,
        artifacts: &[Artifact],
        versions: &dyn Fn() -> Vec<KeySummary>,
    ) -> Result<(), Failure> {
        let total = artifacts.len();
        let workers = usize::from(self.max_workers).min(total);
        let results: Vec<_> = artifacts.iter().map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((artifact, result)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                artifacts.get(at).zip(results.get(at))
            } {
                let outcome = self.verify_one(run, key, artifact);
                *result.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(outcome);
            }
        };
        if workers == 1 {
            work();
        } else {
            std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
        }
        let (mut failed, mut only_failure) = (0, None);
        let asked = LazyCell::new(versions);
        for (artifact, result) in artifacts.iter().zip(results) {
            let outcome = result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut outcome = outcome.unwrap_or_else(|| Err(Error::internal("a file was left out").into()));
            if let Err(Failure::Refused { refusal: Refusal::KeyHint { found, signed_by, .. }, .. }) =
                &mut outcome
            {
                let signer = asked
                    .iter()
                    .find(|version| version.public_key.as_ref().is_some_and(|key| key.hint() == *found));
                *signed_by = signer.map(|version| version.uri.clone());
            }
            match &outcome {
                Ok((proven, _)) => {
                    let name = if total > 1 { format!("{}: ", artifact.name()) } else { String::new() };
                    run.output.note(format!("{name}Verified OK"));
                    // Said where a reader could expect another: the key type's own is nothing to mention.
                    if proven.algorithm != key.public_key.key_type().default_algorithm() || total == 1 {
                        run.output.note(format!("  {}", proven.proven.get(1).map_or("", String::as_str)));
                    }
                }
                Err(failure) if total > 1 => run.output.failure_of_one(failure),
                Err(_) => {}
            }
            run.report.item(item(artifact, &outcome));
            if let Err(failure) = outcome {
                failed += 1;
                only_failure = Some(failure);
            }
        }
        match only_failure {
            None => Ok(()),
            Some(failure) if total == 1 => Err(failure),
            Some(_) => {
                run.output.note(format!("Verified {} of {total} files", total - failed));
                Err(Failure::Batch { failed, total, act: "verify" })
            }
        }
    }

    fn verify_one(
        &self,
        run: &Run<'_>,
        key: &VerifyingKey,
        artifact: &Artifact,
    ) -> Result<(Proven, Vec<String>), Failure> {
        let material = self.material(artifact, run.global.deadline())?;
        let policy = KeyPolicy {
            key: &key.public_key,
            // Who names a hash means that one, whatever the store says.
            algorithm: self
                .signing_algorithm
                .or(key.algorithm.filter(|_| self.signature_digest_algorithm.is_none())),
            hash: self.signature_digest_algorithm,
            ignore_log: self.insecure_ignore_tlog,
        };
        let refused = |refusal| Failure::Refused { artifact: artifact.name(), refusal };
        let plan = plan(&material, &policy).map_err(refused)?;
        let measured = measure(artifact, &plan.wanted, run.global.deadline(), &|_| {})?;
        let proven = verify(&material, &plan, &policy, &measured).map_err(refused)?;
        Ok((proven, measured.digests.iter().map(ToString::to_string).collect()))
    }

    fn material(&self, artifact: &Artifact, deadline: Option<Instant>) -> Result<Material, Failure> {
        if let Some(signature) = &self.signature {
            return Ok(Material::detached(&read_signature(signature, deadline)?));
        }
        let beside;
        let path: &Path = match (&self.bundle, artifact) {
            (Some(path), _) => path,
            (None, Artifact::Path(file)) => {
                beside = bundle_path(file, None);
                &beside
            }
            (None, Artifact::Stdin | Artifact::Digest(..)) => {
                return Err(Failure::usage(
                    "name the bundle of this artifact with --bundle, or its --signature",
                ));
            }
        };
        let bundle = bundle::load(path, deadline)?;
        if !self.new_bundle_format && matches!(bundle, Bundle::Sigstore(_)) {
            return Err(Failure::usage_with_hint(
                format!("{} is a bundle of the new format", path.display()),
                "leave --new-bundle-format=false out",
            ));
        }
        let in_this_bundle = |error: Error| error.within(format!("cannot use the bundle {}", path.display()));
        Ok(Material::from_bundle(&bundle).map_err(in_this_bundle)?)
    }
}

/// A file's content; where there is no such file, the text itself, as Cosign reads it.
fn read_signature(signature: &str, deadline: Option<Instant>) -> Result<Vec<u8>, Error> {
    match bounded::read(Path::new(signature), MAX_SIGNATURE_BYTES, deadline) {
        Ok(bytes) => Ok(bytes),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && looks_like_base64(signature) => {
            Ok(signature.as_bytes().to_vec())
        }
        Err(cause) => Err(Error::io("read the signature", signature, cause)),
    }
}

/// Long enough for the shortest signature and of base64's letters: else it is the name of a missing file.
fn looks_like_base64(text: &str) -> bool {
    text.len() >= 80 && text.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c))
}

fn item(artifact: &Artifact, outcome: &Result<(Proven, Vec<String>), Failure>) -> Item {
    let artifact = artifact.name();
    match outcome {
        Ok((proven, digests)) => Item {
            artifact,
            outcome: "verified",
            digests: digests.clone(),
            algorithm: Some(proven.algorithm.name()),
            proven: proven.proven.clone(),
            not_proven: proven.not_proven.clone(),
            ..Item::default()
        },
        Err(failure) => Item {
            artifact,
            outcome: if matches!(failure, Failure::Refused { .. }) { "refused" } else { "failed" },
            failure: Some(Problem::from(failure)),
            ..Item::default()
        },
    }
}
