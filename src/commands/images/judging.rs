//! One image under judgement: each of its signatures for itself, or all of them by a policy.

use countersign_core::{Algorithm, OpenContext};

use super::given::Given;
use super::refused::Refused;
use super::{Demand, Image, ImageFlags, Outcome, Passed};
use crate::commands::by_policy::PolicyInForce;
use crate::commands::judge::{Accepted, Judged, decide};
use crate::exit::{self, Failure};
use crate::image::Found;
use crate::report::Signature;
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
        let signatures = taken.iter().map(Taken::reported).collect();
        for one in taken {
            match one {
                Taken::Passed(one) => passed.push(*one),
                Taken::Refused(place, refusal) => refused.by(&place, &refusal),
                Taken::Unreadable(place, error) => refused.unreadable(&place, &error),
            }
        }
        let verdict =
            if passed.is_empty() { Err(refused.failure(self.image, self.demand)) } else { Ok(passed) };
        Outcome { signatures, verdict }
    }
}

impl Taken {
    /// For the report.
    fn reported(&self) -> Signature {
        match self {
            Self::Passed(one) => Signature {
                place: one.found.place.clone(),
                outcome: "verified",
                algorithm: one.judged.algorithm.map(Algorithm::name),
                proven: one.judged.proven.clone(),
                not_proven: one.judged.not_proven.clone(),
                ..Signature::default()
            },
            Self::Refused(place, refusal) => Signature {
                place: place.clone(),
                outcome: "refused",
                failure: Some(refusal.into()),
                ..Signature::default()
            },
            Self::Unreadable(place, error) => Signature {
                place: place.clone(),
                outcome: "unreadable",
                failure: Some(error.into()),
                ..Signature::default()
            },
        }
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
    let (mut materials, mut readable, mut signatures) = (Vec::new(), None, Vec::new());
    for one in found {
        match &one.material {
            Ok(material) => {
                materials.push((one.place.clone(), material.clone()));
                readable.get_or_insert(one);
            }
            Err(error) => {
                let failure = Some(error.into());
                signatures.push(Signature {
                    place: one.place,
                    outcome: "unreadable",
                    failure,
                    ..Signature::default()
                });
            }
        }
    }
    let Some(found) = readable else {
        let verdict = Err(Refused::default().nothing(image, "signature or attestation"));
        return Outcome { signatures, verdict };
    };
    let verdict = match policy.judge(&image.artifact(), &materials, trust, context) {
        Ok(judged) => Ok(vec![Passed { found, proven: None, judged }]),
        Err(Failure::Refused { refusal, .. }) => Err(Failure::Image {
            code: exit::NO_MATCHING_SIGNATURE,
            message: format!("cannot verify {}: {refusal}", image.name),
            hint: refusal.hint(),
        }),
        Err(other) => Err(other),
    };
    Outcome { signatures, verdict }
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
