//! `sign-blob`: signs files with one opened key and writes a bundle for each.

mod signing;

use std::io::Read;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use countersign_core::Location;
use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind};

use super::Run;
use super::flags::signing::{How, SigningFlags};
use super::tally::Tally;
use crate::artifact::Artifact;
use crate::batch;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::sign::SigningKey;
use crate::sign::plan::{BUNDLE_ENDING, bundle_paths};
use signing::Signing;

/// The longest list of files read by `--files-from`.
const MAX_LIST_BYTES: u64 = 64 * 1024 * 1024;

/// Sign files and write a bundle beside each
#[derive(Debug, Args)]
pub(crate) struct SignBlob {
    /// Files to sign; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "files_from")]
    files: Vec<String>,

    /// Sign also the files listed in LIST, one path a line; - is standard input
    #[arg(long, value_name = "LIST")]
    files_from: Option<String>,

    #[command(flatten)]
    signing: SigningFlags,

    /// Write the bundle of a single file here
    #[arg(long, value_name = "FILE", conflicts_with = "bundle_dir")]
    bundle: Option<PathBuf>,

    /// Write the bundles to this directory instead of beside the files
    #[arg(long, value_name = "DIR")]
    bundle_dir: Option<PathBuf>,

    /// With a timestamp authority: write its response to this file too, as Cosign's JSON
    #[arg(long, value_name = "FILE", requires = "timestamp_server_url")]
    rfc3161_timestamp: Option<PathBuf>,

    /// Write the new bundle format; false prints the signature, and --bundle then holds the old format
    #[arg(long, default_value = "true")]
    new_bundle_format: bool,

    /// Write the signature itself to this file
    #[arg(long, value_name = "FILE", alias = "output")]
    output_signature: Option<PathBuf>,

    /// Write signatures in base64
    #[arg(long, default_value = "true")]
    b64: bool,

    /// Ask a key service at most so many times a second
    #[arg(long, value_name = "COUNT")]
    max_rate: Option<NonZeroU32>,

    /// Overwrite bundles that exist
    #[arg(long, short = 'y')]
    yes: bool,
}

/// One file and where its results go.
struct Job {
    artifact: Artifact,
    bundle: Option<PathBuf>,
}

impl SignBlob {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let uri = self.signing.uri("signing")?;
        let jobs = self.jobs(run.global.deadline())?;
        let stdin_is_free = self.files_from.as_deref() != Some("-")
            && !jobs.iter().any(|job| job.artifact == Artifact::Stdin);
        let mut world = self.signing.password.world(run, stdin_is_free);
        world.max_rate = self.max_rate;
        let how = How { new_format: self.new_bundle_format, consents: self.yes, entry_kind: "dsse" };
        let key = self.signing.open(&uri, &how, run, &world.context())?;
        self.sign_all(run, &key, jobs)
    }

    fn jobs(&self, deadline: Option<Instant>) -> Result<Vec<Job>, Failure> {
        let mut names = self.files.clone();
        if let Some(list) = &self.files_from {
            names.extend(read_list(list, deadline)?);
        }
        if names.is_empty() {
            return Err(Failure::usage("there is no file to sign: the list is empty"));
        }
        let several = names.len() > 1;
        if several {
            refuse_bundles(&names)?;
        }
        let artifacts: Vec<_> = names.iter().map(|name| Artifact::parse(name)).collect();
        if several && (self.bundle.is_some() || self.output_signature.is_some()) {
            return Err(Failure::usage_with_hint(
                "--bundle and --output-signature name one file, and there are several to sign",
                "leave them out: each bundle is written beside its file, or into --bundle-dir",
            ));
        }
        if several && artifacts.contains(&Artifact::Stdin) {
            return Err(Failure::usage("standard input (-) is signed by itself, not together with files"));
        }
        if !self.new_bundle_format && self.bundle_dir.is_some() {
            return Err(Failure::usage("--bundle-dir goes with the new bundle format only"));
        }
        // The older format writes no bundle unless it is named.
        if !self.new_bundle_format || self.bundle.is_some() {
            let bundle = || self.bundle.clone();
            return Ok(artifacts.into_iter().map(|artifact| Job { artifact, bundle: bundle() }).collect());
        }
        let paths: Vec<PathBuf> = artifacts
            .iter()
            .map(|artifact| match artifact {
                Artifact::Path(path) => Ok(path.clone()),
                Artifact::Stdin | Artifact::Digest(..) => {
                    Err(Failure::usage("standard input has no name: say where its bundle goes with --bundle"))
                }
            })
            .collect::<Result<_, _>>()?;
        if let Some(directory) = self.bundle_dir.as_deref().filter(|directory| !directory.is_dir()) {
            return Err(Failure::Error(
                Error::new(ErrorKind::NotFound, format!("cannot write to {}", directory.display()))
                    .why("it is no directory")
                    .hint(format!("make it with: mkdir -p {}", directory.display())),
            ));
        }
        let bundles = bundle_paths(&paths, self.bundle_dir.as_deref(), self.yes)?;
        Ok(artifacts
            .into_iter()
            .zip(bundles)
            .map(|(artifact, path)| Job { artifact, bundle: Some(path) })
            .collect())
    }

    fn sign_all(&self, run: &mut Run<'_>, key: &SigningKey<'_>, jobs: Vec<Job>) -> Result<(), Failure> {
        let total = jobs.len();
        let progress = Progress::new(total, || jobs.iter().map(size).sum());
        let interrupt = Interrupt::watch();
        let signing = Signing {
            flags: self,
            key,
            output: run.output,
            progress: &progress,
            global: &run.global,
            alone: total == 1,
        };
        let stop = || interrupt.is_raised();
        let results = batch::run(&jobs, threads(key), &stop, &|job| signing.sign(job));
        drop(progress);
        let tally = Tally::report(run, jobs.iter().map(|job| job.artifact.name()), results, false);
        if total > 1 {
            let (failed, left) = (tally.failed, tally.left());
            let rest = if left > 0 { format!(", {left} not begun") } else { String::new() };
            run.output.note(format!(
                "Signed {} of {total} files with {}, {failed} failed{rest}",
                total - left - failed,
                key.signer.info().uri
            ));
        }
        tally.outcome("sign", "files")
    }
}

/// How many files are signed at once: a token or service answers several sooner than one after the other. A key in a file
/// is quicker than reading is. Where whole messages are held in memory it is one at a time.
fn threads(key: &SigningKey<'_>) -> usize {
    const STORE: usize = 8;
    let info = key.signer.info();
    if key.algorithm.signs_message() || info.hashes_itself.contains(&key.algorithm) {
        return 1;
    }
    match info.location {
        Location::File if key.witnesses.is_empty() => 1,
        // What is asked over the network waits, and others may work meanwhile.
        Location::File | Location::Token | Location::Service => STORE,
    }
}

fn size(job: &Job) -> u64 {
    match &job.artifact {
        Artifact::Path(path) => path.metadata().map_or(0, |metadata| metadata.len()),
        Artifact::Stdin | Artifact::Digest(..) => 0,
    }
}

/// A bundle among several files is a slip: `dist/*` or `find` after an earlier run. By itself it can be signed.
fn refuse_bundles(names: &[String]) -> Result<(), Failure> {
    let mut bundles = names.iter().filter(|name| name.ends_with(BUNDLE_ENDING));
    let Some(first) = bundles.next() else { return Ok(()) };
    Err(Failure::usage_with_hint(
        format!(
            "{} of the files are bundles, {first} first: a bundle is not signed itself",
            bundles.count() + 1
        ),
        format!("leave names that end in {BUNDLE_ENDING} out"),
    ))
}

/// The paths in a list: one a line, as they stand; empty lines are skipped.
fn read_list(list: &str, deadline: Option<Instant>) -> Result<Vec<String>, Failure> {
    let failed = |cause| Error::io("read the list", list, cause);
    let bytes = if list == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().take(MAX_LIST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_LIST_BYTES {
            return Err(Failure::usage(format!("the list is larger than {MAX_LIST_BYTES} bytes")));
        }
        bytes
    } else {
        bounded::read(Path::new(list), MAX_LIST_BYTES, deadline).map_err(failed)?
    };
    let text = String::from_utf8(bytes)
        .map_err(|cause| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, cause)))?;
    let files: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    if files.contains(&"-") {
        return Err(Failure::usage("standard input (-) cannot stand in a list of files"));
    }
    Ok(files.into_iter().map(str::to_owned).collect())
}
