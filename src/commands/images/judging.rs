//! One image under judgement: each of its signatures for itself, or all of them by a policy.

use countersign_core::OpenContext;

use super::given::Given;
use super::refused::Refused;
use super::{Demand, Image, ImageFlags, Outcome, Passed};
use crate::commands::by_policy::PolicyInForce;
use crate::commands::judge::{Accepted, Judged, decide};
use crate::exit::{self, Failure};
use crate::image::Found;
use crate::services::look_up::look_up;
use crate::verify::{Policy, Refusal, Trust};

/// One image under judgement.
pub(super) struct Judging<'a> {
    pub(super) flags: &'a ImageFlags,
    pub(super) accepted: &'a Accepted,
    pub(super) image: &'a Image<'a>,
    pub(super) given: &'a Given<'a>,
    pub(super) demand: &'a Demand<'a>,
    pub(super) context: &'a OpenContext<'a>,
}

/// What becomes of one of what was found. Of what did not pass no more is kept than why.
pub(super) enum Taken {
    Passed(Box<Passed>),
    Refused(String, Refusal),
    Unreadable(String, countersign_core::Error),
}

impl Judging<'_> {
    /// Judges one of what was found.
    pub(super) fn judge(&self, mut found: Found) -> Result<Taken, Failure> {
        let Self { flags, accepted, image, demand, context, .. } = *self;
        let material = match found.material {
            Ok(ref mut material) => material,
            Err(error) => return Ok(Taken::Unreadable(found.place, error)),
        };
        if let Err(error) = self.given.add(material) {
            return Ok(Taken::Unreadable(found.place, error));
        }
        let artifact = image.artifact();
        if let (Some(url), true, false) =
            (&flags.rekor_url, material.entries.is_empty(), flags.signer.trust.offline)
        {
            let beside = material.certificate.as_ref().map(|one| one.public_key().clone());
            if let Some(key) = accepted.key().cloned().or(beside) {
                material.entries = look_up(url, material, &artifact, &key, context)?;
            }
        }
        let policy = Policy {
            predicate_type: Some(demand.predicate_type),
            subject: flags.check_claims,
            annotations: demand.annotations,
            repository: flags.signed_repository.as_deref(),
            ..flags.algorithm.demanded_in(flags.signer.policy(accepted))
        };
        let decided = decide(&artifact, material, &policy, accepted, context.deadline);
        let decided = decided.and_then(|decided| Ok((decided, (demand.asked)(material, context)?)));
        match decided {
            Ok(((proven, digests), more)) => {
                let judged = Judged {
                    algorithm: Some(proven.algorithm),
                    proven: proven.proven.iter().cloned().chain(more).collect(),
                    not_proven: proven.not_proven.clone(),
                    digests,
                };
                Ok(Taken::Passed(Box::new(Passed { found, proven: Some(proven), judged })))
            }
            Err(Failure::Refused { refusal, .. }) => Ok(Taken::Refused(found.place, refusal)),
            Err(other) => Err(other),
        }
    }

    /// What all of them come to: those that passed, else why none did.
    pub(super) fn outcome(&self, taken: Vec<Taken>) -> Outcome {
        let (mut passed, mut refused) = (Vec::new(), Refused::default());
        for one in taken {
            match one {
                Taken::Passed(one) => passed.push(*one),
                Taken::Refused(place, refusal) => refused.by(&place, &refusal),
                Taken::Unreadable(place, error) => refused.unreadable(&place, &error),
            }
        }
        if passed.is_empty() { Err(refused.failure(self.image, self.demand)) } else { Ok(passed) }
    }
}

/// Judges all of it by a policy.
pub(super) fn by_policy(
    policy: &PolicyInForce,
    trust: &Trust,
    image: &Image<'_>,
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
pub(super) fn together(passed: &[Passed]) -> Judged {
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
