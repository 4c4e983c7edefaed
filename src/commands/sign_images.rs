//! What `sign` and `attest` share: which images, with which key, and one image's way into its registry.

mod one;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use countersign_core::error::{Error, ErrorKind};
use countersign_core::whole_file::{self, WriteOptions};
use countersign_core::{Digest, OpenContext};

use super::Run;
use super::flags::registry::{Place, RegistryFlags};
use super::flags::signing::{How, SigningFlags};
use super::tally::Tally;
use crate::batch;
use crate::exit::Failure;
use crate::image::write::Annotations;
use crate::image::{fetch, platforms, resolve};
use crate::interrupt::Interrupt;
use crate::oci::{Access, Descriptor, Reference};
use crate::sign::SigningKey;
use one::One;

/// Images signed at once: each waits for the registry most of its time.
const IMAGES: usize = 8;

/// Where signatures go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A bundle that refers to the image, as Cosign 3 writes it
    Bundle,
    /// A layer under the image's tag, as Cosign 1 and 2 wrote it
    Legacy,
    /// Both: no verifier reads all of either
    Both,
}

/// Images, the key, and the form.
#[derive(Debug, Args)]
pub(crate) struct SignImagesFlags {
    /// Images to sign
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,

    #[command(flatten)]
    pub(crate) signing: SigningFlags,

    #[command(flatten)]
    pub(crate) registry: RegistryFlags,

    /// Sign every image of an index too
    #[arg(long, short = 'r')]
    pub(crate) recursive: bool,

    /// In which form
    #[arg(long, value_name = "FORM", conflicts_with = "new_bundle_format")]
    pub(crate) format: Option<Format>,

    /// Write bundles; false is --format legacy
    #[arg(long, default_value = "true")]
    pub(crate) new_bundle_format: bool,

    /// Write the bundle of a single image here too
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,

    /// Note when it was signed in the older layout's configuration
    #[arg(long)]
    pub(crate) record_creation_timestamp: bool,

    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Sign even where the image has a good signature by this key already
    #[arg(long)]
    pub(crate) again: bool,

    /// Agree that what a transparency log holds becomes public
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

/// Writes the statement about an image.
pub(crate) type Stating<'a> = dyn Fn(&Reference, &Digest) -> Result<Vec<u8>, Failure> + Sync + 'a;

/// What is signed of each image.
pub(crate) enum What<'a> {
    /// That it is this image, and what else is said of it.
    Signature {
        annotations: &'a Annotations,
        /// The repository to name, in place of the image's own.
        identity: Option<&'a str>,
        /// Claims made elsewhere, for the older layout.
        payload: Option<&'a [u8]>,
        /// Where a single image's claims and signature are written, too.
        payload_file: Option<&'a Path>,
        signature_file: Option<&'a Path>,
        /// In the older layout: into artifacts that refer to the images.
        refers: bool,
        /// Whether the images' SBOMs are meant, in place of the images.
        of_sboms: bool,
    },
    /// A statement about it.
    Attestation {
        predicate_type: &'a str,
        statement: &'a Stating<'a>,
        /// Takes the place of earlier ones of the type.
        replaces: bool,
    },
}

/// One image, resolved.
pub(super) struct Job {
    pub(super) reference: Reference,
    pub(super) subject: Descriptor,
    pub(super) digest: Digest,
}

impl SignImagesFlags {
    /// Signs all images. `uploads`: into the registry.
    pub(crate) fn sign_all(
        &self,
        run: &mut Run<'_>,
        act: &'static str,
        entry_kind: &str,
        uploads: bool,
        what: &What<'_>,
    ) -> Result<(), Failure> {
        let uri = self.signing.uri(act)?;
        let format = self.format();
        if format == Format::Legacy && self.signing.services.signing_config.is_some() {
            return Err(Failure::usage(
                "--signing-config goes with bundles: leave it out, or --format legacy",
            ));
        }
        let mut references: Vec<_> =
            self.images.iter().map(|name| Reference::parse(name)).collect::<Result<_, _>>()?;
        let world = self.signing.password.world(run, true);
        let context = world.context();
        let place = self.registry.place(&context)?;
        if let What::Signature { of_sboms: true, .. } = what {
            for reference in &mut references {
                let sbom = place.sbom(reference)?;
                *reference = sbom.repository.at(&resolve(&place.image(&sbom, Access::Pull), &sbom)?);
            }
        }
        // What is not there is found before a key is opened or a PIN asked for.
        let jobs = self.jobs(run, &references, &place, uploads)?;
        if let (What::Attestation { statement, .. }, true) = (what, self.dry_run) {
            for job in &jobs {
                statement(&job.reference, &job.digest)?;
            }
        }
        if self.dry_run {
            for job in &jobs {
                let form = match format {
                    Format::Bundle => "as a bundle",
                    Format::Legacy => "in the older layout",
                    Format::Both => "in both layouts",
                };
                let into = place.repository_of(&job.reference);
                run.output.note(format!("Would sign {} with {uri}, {form}, into {into}", job.reference));
            }
            return Ok(());
        }
        if let (What::Attestation { statement, .. }, Some(job)) = (what, jobs.first()) {
            statement(&job.reference, &job.digest)?;
        }
        let how = How { new_format: format != Format::Legacy, consents: self.yes, entry_kind };
        let key = self.signing.open(&uri, &how, run, &context)?;
        if format != Format::Bundle && key.witnesses.needs_new_format() {
            return Err(Failure::usage_with_hint(
                "the older layout cannot hold entries of a log of version 2",
                "pass --format bundle, or name a log of version 1 with --rekor-url",
            ));
        }
        self.work(run, &key, &place, uploads, what, &jobs)
    }

    pub(super) fn format(&self) -> Format {
        self.format.unwrap_or(if self.new_bundle_format { Format::Bundle } else { Format::Legacy })
    }

    fn jobs(
        &self,
        run: &mut Run<'_>,
        references: &[Reference],
        place: &Place<'_>,
        uploads: bool,
    ) -> Result<Vec<Job>, Failure> {
        // One login does for reading and writing, where both are in one repository.
        let access = |reference: &Reference| match uploads
            && !self.dry_run
            && place.repository_of(reference) == &reference.repository
        {
            true => Access::Push,
            false => Access::Pull,
        };
        for reference in references.iter().filter(|reference| reference.digest.is_none()) {
            run.warning(format!(
                "{reference} is named by a tag, and a tag may lead to another image by now: name it by its digest"
            ));
        }
        let resolved = batch::run(references, IMAGES, &|| false, &|reference| {
            let remote = place.image(reference, access(reference));
            let whole = fetch(&remote, reference)?;
            if self.recursive { platforms(&remote, &whole) } else { Ok(vec![whole.as_subject()]) }
        });
        let mut jobs: Vec<Job> = Vec::new();
        for (reference, subjects) in references.iter().zip(resolved.into_iter().flatten()) {
            for subject in subjects? {
                let digest = subject.digest()?;
                let reference = reference.repository.at(&digest);
                // Two names of one image are signed once.
                if !jobs.iter().any(|job| job.reference == reference) {
                    jobs.push(Job { reference, subject, digest });
                }
            }
        }
        if jobs.len() > 1 && self.bundle.is_some() {
            return Err(Failure::usage_with_hint(
                "--bundle names one file, and there are several images to sign",
                "leave it out: each bundle is written into its registry",
            ));
        }
        Ok(jobs)
    }

    fn work(
        &self,
        run: &mut Run<'_>,
        key: &SigningKey<'_>,
        place: &Place<'_>,
        uploads: bool,
        what: &What<'_>,
        jobs: &[Job],
    ) -> Result<(), Failure> {
        let interrupt = Interrupt::watch();
        let one = One { flags: self, key, place, uploads, what, output: run.output };
        let results = batch::run(jobs, IMAGES, &|| interrupt.is_raised(), &|job| {
            let world = self.signing.password.world(run, false);
            one.sign(job, &world.context())
        });
        let names = jobs.iter().map(|job| job.reference.to_string());
        Tally::report(run, names, results, true).outcome("sign", "images")
    }
}

/// A file that holds what one image's signature gives.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    whole_file::write(path, content, WriteOptions::product(true))
}

/// A limit for work that waits for a registry.
pub(super) fn in_time(context: &OpenContext<'_>) -> Result<(), Error> {
    context.time_left("sign").map(|_| ()).map_err(|error| match error.kind() {
        ErrorKind::Timeout => {
            error.hint("raise it with --timeout; what was signed before is in the registry")
        }
        _ => error,
    })
}
