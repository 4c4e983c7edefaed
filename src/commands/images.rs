//! What `verify` and `verify-attestation` share: which images, how they are found, and what becomes of each.

use std::collections::BTreeMap;

use clap::Args;
use countersign_core::error::ErrorKind;
use countersign_core::{Algorithm, Digest, HashAlgorithm, OpenContext};

use super::Run;
use super::flags::key::parse_algorithm;
use super::flags::registry::{Place, RegistryFlags};
use super::judge::{Accepted, Judged, SignerFlags, Verdict, decide, item};
use super::verify_blob::parse_hash;
use crate::artifact::Artifact;
use crate::batch;
use crate::exit::{self, FAILURE, Failure};
use crate::image::find::Search;
use crate::image::tags::Ending;
use crate::image::{Found, Kind, fetch, platforms, resolve};
use crate::oci::{Access, Reference};
use crate::services::look_up::look_up;
use crate::verify::{Check, Material, Policy, Proven};

/// Refusals named when none of an image's signatures passes.
const MAX_REASONS: usize = 6;
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

    /// Verify every image of an index too, each for itself
    #[arg(long, short = 'r')]
    pub(crate) recursive: bool,

    /// Demand that the signature is about the image; false looks at the signature alone
    #[arg(long, default_value = "true")]
    pub(crate) check_claims: bool,

    /// Read bundles first; false reads the older layout alone
    #[arg(long, default_value = "true")]
    pub(crate) new_bundle_format: bool,

    /// Look a signature that comes without a log entry up in this log, the address of a Rekor of version 1
    #[arg(long, value_name = "URL")]
    pub(crate) rekor_url: Option<String>,

    /// Accept only this algorithm of Sigstore's registry
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm)]
    pub(crate) signing_algorithm: Option<Algorithm>,

    /// Accept only this hash: sha256, sha384 or sha512
    #[arg(long, value_name = "HASH", value_parser = parse_hash, conflicts_with = "signing_algorithm")]
    pub(crate) signature_digest_algorithm: Option<HashAlgorithm>,

    /// Fetch so many signatures at once
    #[arg(long, value_name = "COUNT", default_value = "10", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_workers: u16,

    /// Take bundles with more than the signer's own certificate; only that one is used
    #[arg(long, hide = true)]
    pub(crate) allow_certificate_chain: bool,
}

/// What a statement must satisfy beyond its type; gives what that proves.
pub(crate) type Asked<'a> = dyn Fn(&Material, &OpenContext<'_>) -> Result<Vec<String>, Failure> + Sync + 'a;
/// Tells of an image that passed.
pub(crate) type Tell<'a> = dyn Fn(&Run<'_>, &Image, &[Passed]) -> Result<(), Failure> + 'a;

/// What is demanded beside the signer.
pub(crate) struct Demand<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) predicate_type: &'a str,
    pub(crate) annotations: &'a [(String, String)],
    pub(crate) asked: &'a Asked<'a>,
}

/// A signature that passed.
pub(crate) struct Passed {
    pub(crate) found: Found,
    pub(crate) proven: Option<Proven>,
    pub(crate) judged: Judged,
}

/// One image, by its digest.
pub(crate) struct Image {
    /// As the user calls it; of an index's part, by its digest.
    pub(crate) name: String,
    pub(crate) reference: Reference,
    pub(crate) digest: Digest,
}

type Outcome = Result<Vec<Passed>, Failure>;

impl ImageFlags {
    /// Verifies all images, whatever becomes of the others, and tells of each in their order.
    pub(crate) fn verify_all(
        &self,
        run: &mut Run<'_>,
        demand: &Demand<'_>,
        tell: &Tell<'_>,
    ) -> Result<(), Failure> {
        let accepted = self.signer.accepted(run, true)?;
        let world = self.signer.password.world(run, false);
        let place = self.registry.place(&world.context())?;
        let images = self.images(run, &place)?;
        let workers = IMAGES.min(images.len());
        let outcomes = batch::run(&images, workers, &|| false, &|image| {
            let world = self.signer.password.world(run, false);
            self.verify(&accepted, &place, image, demand, &world.context())
        });
        let (total, mut failed, mut last, mut versions) = (images.len(), Vec::new(), None, None);
        for (image, outcome) in images.iter().zip(outcomes.into_iter().flatten()) {
            let mut verdict: Verdict = match &outcome {
                Ok(passed) => Ok(together(passed)),
                Err(_) => Ok(Judged::default()),
            };
            match outcome {
                Ok(passed) => tell(run, image, &passed)?,
                Err(failure) => {
                    verdict = Err(failure);
                    self.signer.explain(run, &accepted, &mut versions, &mut verdict);
                }
            }
            run.report.item(item(image.name.clone(), &verdict));
            if let Err(failure) = verdict {
                if total > 1 {
                    run.output.failure_of_one(&failure);
                }
                failed.push(failure.code());
                last = Some(failure);
            }
        }
        match last {
            None => Ok(()),
            Some(failure) if total == 1 => Err(failure),
            Some(failure) => {
                let same = failed.iter().all(|code| *code == failure.code());
                let code = if same { failure.code() } else { FAILURE };
                Err(Failure::Batch { failed: failed.len(), total, act: "verify", what: "images", code })
            }
        }
    }

    /// The images by their digests, with the parts of an index where they are wanted.
    fn images(&self, run: &Run<'_>, place: &Place<'_>) -> Result<Vec<Image>, Failure> {
        let references: Vec<_> =
            self.images.iter().map(|name| Reference::parse(name)).collect::<Result<_, _>>()?;
        let resolved = batch::run(&references, IMAGES, &|| false, &|reference| {
            let remote = place.image(reference, Access::Pull);
            let not_there = |error: countersign_core::Error| no_image(reference, error);
            if !self.recursive {
                return Ok(vec![resolve(&remote, reference).map_err(not_there)?]);
            }
            let whole = fetch(&remote, reference).map_err(not_there)?;
            let parts = platforms(&remote, &whole)?;
            Ok::<_, Failure>(parts.iter().map(|part| part.digest()).collect::<Result<_, _>>()?)
        });
        let mut images: Vec<Image> = Vec::new();
        for ((reference, digests), name) in
            references.iter().zip(resolved.into_iter().flatten()).zip(&self.images)
        {
            for (number, digest) in digests?.into_iter().enumerate() {
                let at = reference.repository.at(&digest);
                let name = if number == 0 { name.clone() } else { at.to_string() };
                if reference.digest.is_none() && number == 0 {
                    run.output.debug(format!("{reference} is {digest}"));
                }
                images.push(Image { name, reference: at, digest });
            }
        }
        Ok(images)
    }

    fn verify(
        &self,
        accepted: &Accepted,
        place: &Place<'_>,
        image: &Image,
        demand: &Demand<'_>,
        context: &OpenContext<'_>,
    ) -> Outcome {
        let remote = place.beside(&image.reference, Access::Pull);
        let tag = |kind| place.tag(Ending::of(kind), &image.digest);
        let search = |kind| Search {
            image: &image.digest,
            kind,
            threads: usize::from(self.max_workers),
            max_layer_bytes: place.max_layer_bytes,
        };
        if let Some((policy, trust)) = accepted.policy() {
            // A policy may speak of signatures and attestations alike, and of several of them.
            let mut found = Vec::new();
            if self.new_bundle_format {
                found.extend(search(Kind::Attestation(None)).bundles(&remote)?);
            }
            for kind in [Kind::Signature, Kind::Attestation(None)] {
                found.extend(search(kind).tags(&remote, &tag(kind))?);
            }
            return by_policy(policy, trust, image, found, context);
        }
        let mut judging = Judging {
            flags: self,
            accepted,
            image,
            demand,
            context,
            passed: Vec::new(),
            refused: Refused::default(),
        };
        if self.new_bundle_format {
            for found in search(demand.kind).bundles(&remote)? {
                judging.take(found)?;
            }
        }
        // The older layout is read where nothing newer passes: a deliberate second look, never in place of an error.
        if judging.passed.is_empty() {
            for found in search(demand.kind).tags(&remote, &tag(demand.kind))? {
                judging.take(found)?;
            }
        }
        match judging.passed.is_empty() {
            true => Err(judging.refused.failure(image, demand)),
            false => Ok(judging.passed),
        }
    }
}

/// One image under judgement.
struct Judging<'a> {
    flags: &'a ImageFlags,
    accepted: &'a Accepted,
    image: &'a Image,
    demand: &'a Demand<'a>,
    context: &'a OpenContext<'a>,
    passed: Vec<Passed>,
    refused: Refused,
}

impl Judging<'_> {
    /// Judges one of what was found.
    fn take(&mut self, found: Found) -> Result<(), Failure> {
        let Self { flags, accepted, image, demand, context, .. } = *self;
        let mut material = match &found.material {
            Ok(material) => material.clone(),
            Err(error) => {
                self.refused.unreadable(&found.place, error);
                return Ok(());
            }
        };
        let artifact = image.artifact();
        if let (Some(url), true, false) =
            (&flags.rekor_url, material.entries.is_empty(), flags.signer.trust.offline)
        {
            let beside = material.certificate.as_ref().map(|one| one.public_key().clone());
            if let Some(key) = accepted.key().cloned().or(beside) {
                material.entries = look_up(url, &material, &artifact, &key, context)?;
            }
        }
        let policy = flags.signer.policy(accepted);
        let policy = Policy {
            algorithm: flags
                .signing_algorithm
                .or(policy.algorithm.filter(|_| flags.signature_digest_algorithm.is_none())),
            hash: flags.signature_digest_algorithm,
            predicate_type: Some(demand.predicate_type),
            subject: flags.check_claims,
            annotations: demand.annotations,
            ..policy
        };
        let decided = decide(&artifact, &material, &policy, accepted, context.deadline);
        let decided = decided.and_then(|decided| Ok((decided, (demand.asked)(&material, context)?)));
        match decided {
            Ok(((proven, digests), more)) => {
                let judged = Judged {
                    algorithm: Some(proven.algorithm),
                    proven: proven.proven.iter().cloned().chain(more).collect(),
                    not_proven: proven.not_proven.clone(),
                    digests,
                };
                self.passed.push(Passed { found, proven: Some(proven), judged });
                Ok(())
            }
            Err(Failure::Refused { refusal, .. }) => {
                self.refused.by(&found.place, &refusal);
                Ok(())
            }
            Err(other) => Err(other),
        }
    }
}

impl Image {
    /// The image as the engine knows it: by its digest.
    fn artifact(&self) -> Artifact {
        Artifact::Digest(self.digest.algorithm(), self.digest.bytes().to_vec())
    }
}

fn by_policy(
    policy: &super::by_policy::PolicyInForce,
    trust: &crate::verify::Trust,
    image: &Image,
    found: Vec<Found>,
    context: &OpenContext<'_>,
) -> Outcome {
    let artifact = image.artifact();
    let mut materials = Vec::new();
    for one in &found {
        if let Ok(material) = &one.material {
            materials.push((one.place.clone(), material.clone()));
        }
    }
    if materials.is_empty() {
        return Err(Refused::default().nothing(image, "signature or attestation"));
    }
    match policy.judge(&artifact, &materials, trust, context) {
        Ok(judged) => {
            let first = found.into_iter().find(|one| one.material.is_ok());
            Ok(first
                .into_iter()
                .map(|found| Passed { found, proven: None, judged: judged.clone() })
                .collect())
        }
        Err(Failure::Refused { refusal, .. }) => Err(Failure::Image {
            code: exit::NO_MATCHING_SIGNATURE,
            message: format!("cannot verify {}: {refusal}", image.name),
            hint: refusal.hint(),
        }),
        Err(other) => Err(other),
    }
}

/// What is known of an image by all signatures that passed, each fact once.
fn together(passed: &[Passed]) -> Judged {
    let mut all = passed.first().map(|one| one.judged.clone()).unwrap_or_default();
    for one in passed.iter().skip(1) {
        all.proven.extend(one.judged.proven.iter().cloned());
        all.not_proven.extend(one.judged.not_proven.iter().cloned());
    }
    for facts in [&mut all.proven, &mut all.not_proven] {
        let mut seen = std::collections::HashSet::new();
        facts.retain(|fact| seen.insert(fact.clone()));
    }
    all
}

/// Why an image's signatures did not pass.
#[derive(Default)]
struct Refused {
    reasons: Vec<String>,
    /// How often each check refused.
    checks: BTreeMap<&'static str, usize>,
    hint: Option<String>,
    /// What could not be fetched: then nobody knows what there is.
    failure: Option<String>,
}

impl Refused {
    fn by(&mut self, place: &str, refusal: &crate::verify::Refusal) {
        *self.checks.entry(refusal.check()).or_default() += 1;
        self.hint = self.hint.take().or_else(|| refusal.hint());
        self.reasons.push(format!("{place}: {refusal}"));
    }

    fn unreadable(&mut self, place: &str, error: &countersign_core::Error) {
        if !matches!(error.kind(), ErrorKind::Integrity | ErrorKind::Unsupported) {
            self.failure = Some(error.to_string());
        }
        self.reasons.push(format!("{place}: {error}"));
    }

    fn failure(mut self, image: &Image, demand: &Demand<'_>) -> Failure {
        let what = match demand.kind {
            Kind::Signature => "signature",
            Kind::Attestation(_) => "attestation",
        };
        if self.reasons.is_empty() {
            return self.nothing(image, what);
        }
        let more = self.reasons.len().saturating_sub(MAX_REASONS);
        self.reasons.truncate(MAX_REASONS);
        if more > 0 {
            self.reasons.push(format!("and {more} more"));
        }
        let without_certificate = self.checks.get(Check::Certificate.name()).copied().unwrap_or_default();
        let is_all = without_certificate > 0 && self.checks.len() == 1 && self.failure.is_none();
        let code = match (&self.failure, is_all) {
            (Some(_), _) => FAILURE,
            (None, true) => exit::NO_CERTIFICATE,
            (None, false) => exit::NO_MATCHING_SIGNATURE,
        };
        Failure::Image {
            code,
            message: format!(
                "cannot verify {}: no matching {what}s: {}",
                image.name,
                self.reasons.join("; ")
            ),
            hint: self.hint,
        }
    }

    fn nothing(self, image: &Image, what: &str) -> Failure {
        Failure::Image {
            code: exit::NO_SIGNATURE,
            message: format!("cannot verify {}: no {what}s found", image.name),
            hint: Some(format!("countersign tree {} shows what is there", image.reference)),
        }
    }
}

/// A tag that is not there has a code of its own.
fn no_image(reference: &Reference, error: countersign_core::Error) -> Failure {
    if error.kind() != ErrorKind::NotFound {
        return Failure::Error(error);
    }
    Failure::Image {
        code: exit::NO_IMAGE,
        message: format!("image tag not found: {reference}: {}", error.cause().unwrap_or_default()),
        hint: error.next_step().map(str::to_owned),
    }
}
