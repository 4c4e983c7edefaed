//! What `verify` and `verify-attestation` share: which images, how they are found, and what becomes of each.

mod given;
mod judging;
mod refused;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::{Digest, OpenContext};

use super::Run;
use super::flags::algorithm::AlgorithmFlags;
use super::flags::registry::{Place, RegistryFlags};
use super::judge::{Accepted, Judged, SignerFlags, Verdict, item};
use crate::artifact::Artifact;
use crate::batch;
use crate::exit::{self, FAILURE, Failure};
use crate::image::budget::Kept;
use crate::image::local::Local;
use crate::image::tags::Ending;
use crate::image::{Found, Kind, fetch, platforms, resolve};
use crate::oci::{Access, Descriptor, Manifest, Reference, Repository, Source};
use crate::report::{Item, Signature};
use crate::verify::{Material, Proven};
pub(crate) use given::Detached;
use given::Given;
use judging::{Judging, Taken, by_policy, together};

/// Images verified at once.
const IMAGES: usize = 16;

/// Which images, and who should have signed them.
#[derive(Debug, Args)]
pub(crate) struct ImageFlags {
    /// Images to verify
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,

    #[command(flatten)]
    pub(crate) signer: SignerFlags,

    #[command(flatten)]
    pub(crate) registry: RegistryFlags,

    /// The images are files: directories or archives in OCI's image layout, as cosign save writes them; PATH:NAME or PATH@DIGEST
    /// where there are several in one
    #[arg(long)]
    pub(crate) local_image: bool,

    /// Verify every image of an index too, each for itself
    #[arg(long, short = 'r')]
    pub(crate) recursive: bool,

    /// Demand that the signature is about the image; false looks at the signature alone
    #[arg(long, default_value = "true")]
    pub(crate) check_claims: bool,

    /// Demand that the image was signed under this repository's name; copies of an image keep the name, and bundles of signatures hold
    /// none
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "policy_file")]
    pub(crate) signed_repository: Option<String>,

    /// Read bundles first; false reads the older layout alone
    #[arg(long, default_value = "true")]
    pub(crate) new_bundle_format: bool,

    /// Look a signature that comes without a log entry up in this log, the address of a Rekor of version 1
    #[arg(long, value_name = "URL")]
    pub(crate) rekor_url: Option<String>,

    #[command(flatten)]
    pub(crate) algorithm: AlgorithmFlags,

    /// Fetch so many signatures at once
    #[arg(long, value_name = "COUNT", default_value = "10", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_workers: u16,

    /// The signer's certificate, where it does not stand beside the signature: PEM, DER or base64 of either
    #[arg(long, alias = "cert", value_name = "FILE", conflicts_with = "policy_file")]
    pub(crate) certificate: Option<PathBuf>,

    /// What a log of certificates said of that one, where it does not stand in it: the log's JSON (RFC 6962 4.1)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) sct: Option<PathBuf>,

    /// Taken as in Cosign: what refers to an image is always looked at
    #[arg(long, hide = true)]
    pub(crate) experimental_oci11: bool,

    /// Take bundles with more than the signer's own certificate; only that one is used
    #[arg(long, hide = true)]
    pub(crate) allow_certificate_chain: bool,
}

/// What a statement must satisfy beyond its type; gives what that proves.
pub(crate) type Asked<'a> = dyn Fn(&Material, &OpenContext<'_>) -> Result<Vec<String>, Failure> + Sync + 'a;
/// Tells of an image that passed.
pub(crate) type Tell<'a> = dyn Fn(&Run<'_>, &Image<'_>, &[Passed]) -> Result<(), Failure> + 'a;

/// What is demanded beside the signer.
pub(crate) struct Demand<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) predicate_type: &'a str,
    pub(crate) annotations: &'a [(String, String)],
    pub(crate) asked: &'a Asked<'a>,
    /// A signature that is not taken from the registry.
    pub(crate) detached: Option<Detached>,
    /// Whether the images' SBOMs are meant, in place of the images.
    pub(crate) of_sboms: bool,
}

/// A signature that passed.
pub(crate) struct Passed {
    pub(crate) found: Found,
    pub(crate) proven: Option<Proven>,
    pub(crate) judged: Judged,
}

/// One image, by its digest.
pub(crate) struct Image<'a> {
    /// As the user calls it; of an index's part, by its digest.
    pub(crate) name: String,
    pub(crate) digest: Digest,
    /// Where its signatures lie.
    source: Arc<dyn Source + 'a>,
    /// Where it lies, where that is a registry.
    repository: Option<Repository>,
}

/// What becomes of one image.
struct Outcome {
    /// What was found beside it, for the report.
    signatures: Vec<Signature>,
    /// The signatures that passed, else why none did.
    verdict: Result<Vec<Passed>, Failure>,
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self { signatures: Vec::new(), verdict: Err(failure) }
    }
}

impl ImageFlags {
    /// Verifies all images, whatever becomes of the others, and tells of each in their order.
    pub(crate) fn verify_all(
        &self,
        run: &mut Run<'_>,
        demand: &Demand<'_>,
        tell: &Tell<'_>,
    ) -> Result<(), Failure> {
        if self.signed_repository.is_some() && !self.check_claims {
            return Err(Failure::usage_with_hint(
                "--signed-repository is part of the claims, and --check-claims=false does not look at those",
                "leave one of them out",
            ));
        }
        let accepted = self.signer.accepted(run, true)?;
        let world = self.signer.password.world(run, false);
        let place = self.registry.place(&world.context())?;
        let given = Given::read(self, demand, run.global.deadline())?;
        let images = self.images(run, &place, demand);
        let workers = IMAGES.min(images.len());
        let outcomes = batch::run(&images, workers, &|| false, &|(_, image)| {
            let image = image.as_ref().ok()?;
            let world = self.signer.password.world(run, false);
            let outcome = self.verify(&accepted, &place, (image, &given), demand, &world.context());
            Some(outcome.unwrap_or_else(Outcome::from))
        });
        let (total, mut failed, mut last, mut versions) = (images.len(), Vec::new(), None, None);
        for ((name, image), outcome) in images.into_iter().zip(outcomes) {
            let (signatures, mut judged): (_, Verdict) = match (image, outcome.flatten()) {
                (Ok(image), Some(Outcome { signatures, verdict: Ok(passed) })) => {
                    tell(run, &image, &passed)?;
                    (signatures, Ok(together(&passed)))
                }
                (Ok(_), Some(Outcome { signatures, verdict: Err(failure) })) => (signatures, Err(failure)),
                (Err(failure), _) => (Vec::new(), Err(failure)),
                (Ok(_), None) => (Vec::new(), Err(left_out())),
            };
            self.signer.explain(run, &accepted, &mut versions, &mut judged);
            run.report.item(Item { signatures, ..item(name, &judged) });
            if let Err(failure) = judged {
                if total > 1 {
                    run.output.failure_of_one(&failure);
                }
                failed.push(failure.code());
                last = Some(failure);
            }
        }
        match last {
            None if total == 0 => Err(left_out()),
            None => Ok(()),
            Some(failure) if total == 1 => Err(failure),
            Some(failure) => {
                let same = failed.iter().all(|code| *code == failure.code());
                let code = if same { failure.code() } else { FAILURE };
                Err(Failure::Batch { failed: failed.len(), total, act: "verify", what: "images", code })
            }
        }
    }

    /// The images by their digests, with the parts of an index where they are wanted; or why one cannot be found.
    fn images<'a>(
        &self,
        run: &Run<'_>,
        place: &Place<'a>,
        demand: &Demand<'_>,
    ) -> Vec<(String, Result<Image<'a>, Failure>)> {
        let found = batch::run(&self.images, IMAGES, &|| false, &|name| match self.local_image {
            true => self.in_files(name, run),
            false => self.in_registry(name, run, place, demand.of_sboms),
        });
        let named = self.images.iter().zip(found);
        named
            .flat_map(|(name, found)| match found.unwrap_or_else(|| Err(left_out())) {
                Ok(images) => images.into_iter().map(|image| (image.name.clone(), Ok(image))).collect(),
                Err(failure) => vec![(name.clone(), Err(failure))],
            })
            .collect()
    }

    fn in_registry<'a>(
        &self,
        name: &str,
        run: &Run<'_>,
        place: &Place<'a>,
        of_sbom: bool,
    ) -> Result<Vec<Image<'a>>, Failure> {
        let mut reference = Reference::parse(name)?;
        if of_sbom {
            reference = place.sbom(&reference)?;
        }
        let remote = place.image(&reference, Access::Pull);
        let not_there = |error: Error| no_image(&reference, error);
        let digests = match self.recursive {
            false => vec![resolve(&remote, &reference).map_err(not_there)?],
            true => digests(&remote, &fetch(&remote, &reference).map_err(not_there)?)?,
        };
        if let (None, Some(digest)) = (reference.digest, digests.first()) {
            run.output.debug(format!("{reference} is {digest}"));
        }
        let source: Arc<dyn Source + 'a> = Arc::new(place.beside(&reference, Access::Pull));
        let called = |digest: &Digest| reference.repository.at(digest).to_string();
        Ok(Image::all(name, &digests, &source, Some(&reference.repository), &called))
    }

    fn in_files<'a>(&self, name: &str, run: &Run<'_>) -> Result<Vec<Image<'a>>, Failure> {
        let local = Local::open(name, run.global.deadline())?;
        let digests = match self.recursive {
            false => vec![local.manifest.digest],
            true => digests(&local, &local.manifest)?,
        };
        run.output.debug(format!("{name} is {}", local.manifest.digest));
        let source: Arc<dyn Source> = Arc::new(local);
        Ok(Image::all(name, &digests, &source, None, &|digest| source.name_of(&digest.to_string())))
    }

    fn verify(
        &self,
        accepted: &Accepted,
        place: &Place<'_>,
        (image, given): (&Image<'_>, &Given<'_>),
        demand: &Demand<'_>,
        context: &OpenContext<'_>,
    ) -> Result<Outcome, Failure> {
        let judging = Judging { flags: self, accepted, image, given, demand, context };
        if let Some(found) = given.detached(image)? {
            return Ok(judging.outcome(vec![judging.judge(found)?]));
        }
        let source = &*image.source;
        let tag = |kind| place.tag(Ending::of(kind), &image.digest);
        let search = |kind| place.search(&image.digest, kind, usize::from(self.max_workers));
        if let Some((policy, trust)) = accepted.policy() {
            // A policy may speak of signatures and attestations alike, and of several of them.
            let (mut found, kept) = (Vec::new(), Kept::default());
            let keep = |found| kept.keep(found);
            if self.new_bundle_format {
                found.extend(search(Kind::Attestation(None)).referrers(source, &keep)?);
            }
            for kind in [Kind::Signature, Kind::Attestation(None)] {
                found.extend(search(kind).tags(source, &tag(kind), &keep)?);
            }
            return Ok(by_policy(policy, trust, image, found, context));
        }
        let judge = |found| judging.judge(found);
        let mut taken = Vec::new();
        if self.new_bundle_format {
            taken =
                search(demand.kind).referrers(source, &judge)?.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        // The older layout is read where nothing newer passes: a deliberate second look, never in place of an error.
        if !taken.iter().any(|taken| matches!(taken, Taken::Passed(_))) {
            let older = search(demand.kind).tags(source, &tag(demand.kind), &judge)?;
            taken.extend(older.into_iter().collect::<Result<Vec<_>, _>>()?);
        }
        Ok(judging.outcome(taken))
    }
}

impl<'a> Image<'a> {
    /// The first is called as the user does, the others by their digests.
    fn all(
        name: &str,
        digests: &[Digest],
        source: &Arc<dyn Source + 'a>,
        repository: Option<&Repository>,
        called: &dyn Fn(&Digest) -> String,
    ) -> Vec<Self> {
        let one = |(number, digest): (usize, &Digest)| Self {
            name: if number == 0 { name.to_owned() } else { called(digest) },
            digest: *digest,
            source: Arc::clone(source),
            repository: repository.cloned(),
        };
        digests.iter().enumerate().map(one).collect()
    }

    /// The image as the engine knows it: by its digest.
    fn artifact(&self) -> Artifact {
        Artifact::Digest(self.digest.algorithm(), self.digest.bytes().to_vec())
    }
}

/// An image and everything in it, by digests.
fn digests(source: &dyn Source, whole: &Manifest) -> Result<Vec<Digest>, Failure> {
    let parts = platforms(source, whole)?;
    Ok(parts.iter().map(Descriptor::digest).collect::<Result<_, _>>()?)
}

/// What is never to happen, and must not look like success.
fn left_out() -> Failure {
    Error::internal("an image was left out").into()
}

/// A tag that is not there has a code of its own.
fn no_image(reference: &Reference, error: Error) -> Failure {
    if error.kind() != ErrorKind::NotFound {
        return Failure::Error(error);
    }
    Failure::Image {
        code: exit::NO_IMAGE,
        message: format!("image tag not found: {reference}: {}", error.cause().unwrap_or_default()),
        hint: error.next_step().map(str::to_owned),
    }
}
