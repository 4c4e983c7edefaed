//! Holds signatures against a policy: every signature against every signer, the artifact read once.

use countersign_core::PublicKey;
use countersign_core::error::Result;
use jiff::Timestamp;

use super::rule::Rule;
use super::{PolicyFile, Who};
use crate::artifact::{Measured, Wanted};
use crate::verify::{self, Check, Evidence, Material, Policy, Refusal, SIGNATURE, Trust, Window, plan};

/// Refusals named when a policy is not satisfied.
const MAX_REASONS: usize = 6;

/// A signer with the key looked up.
pub enum Signer<'a> {
    /// A key.
    Key(PublicKey, Window),
    /// An identity.
    Identity(&'a verify::Identity),
}

/// What policies in Rego and CUE say of a statement, by the number of the attestation in the policy.
pub type Asked<'a> = dyn Fn(usize, &[u8]) -> Result<std::result::Result<Vec<String>, Refusal>> + 'a;

/// One signature that verifies as one signer's.
struct Accepted {
    material: usize,
    signer: usize,
    /// Who it turned out to be: the key, or identity and issuer.
    person: String,
    predicate_type: Option<String>,
    proven: Vec<String>,
}

/// What is proven where the policy is satisfied.
#[derive(Debug)]
pub struct Satisfied {
    /// One sentence for each fact.
    pub proven: Vec<String>,
}

/// Decides. `measure` reads the artifact.
///
/// # Errors
/// Inside, the refusal, which names what is missing and why signatures did not count; outside, why it could not be decided.
pub fn decide(
    policy: &PolicyFile,
    signers: &[Signer<'_>],
    materials: &[(String, Material)],
    trust: &Trust,
    now: Timestamp,
    measure: &dyn Fn(&Wanted) -> Result<Measured>,
    asked: &Asked<'_>,
) -> Result<std::result::Result<Satisfied, Refusal>> {
    let mut reasons = Vec::new();
    let mut plans = Vec::new();
    for (at, (name, material)) in materials.iter().enumerate() {
        for (signer, who) in signers.iter().enumerate() {
            match first(policy, who, material, trust, now) {
                Ok(plan) => plans.push((at, signer, plan)),
                Err(refusal) => reasons.push(format!("{name} for {}: {refusal}", policy.signers[signer].0)),
            }
        }
    }
    let mut wanted = Wanted::default();
    for (_, _, plan) in &plans {
        wanted.hashes.extend(&plan.wanted.hashes);
        wanted.message |= plan.wanted.message;
    }
    wanted.hashes.sort();
    wanted.hashes.dedup();
    let measured = if plans.is_empty() { Measured::default() } else { measure(&wanted)? };
    let mut accepted = Vec::new();
    for (material, signer, plan) in plans {
        let (name, of) = &materials[material];
        match verify::verify(of, plan, &measured) {
            Ok(proven) => accepted.push(Accepted {
                material,
                signer,
                person: match &proven.holder {
                    Some(holder) => format!("{:?} {:?}", holder.names, holder.issuer),
                    None => proven.key.hint(),
                },
                predicate_type: proven.statement.map(|statement| statement.predicate_type),
                proven: proven.proven,
            }),
            Err(refusal) => reasons.push(format!("{name} for {}: {refusal}", policy.signers[signer].0)),
        }
    }
    let mut proven: Vec<String> = Vec::new();
    let names = |at: usize| policy.signers[at].0.clone();
    let missing = |what: &str, rule: &Rule, mut reasons: Vec<String>| {
        let more = reasons.len().saturating_sub(MAX_REASONS);
        reasons.truncate(MAX_REASONS);
        if more > 0 {
            reasons.push(format!("and {more} more"));
        }
        let found = if reasons.is_empty() { "no such signature".to_owned() } else { reasons.join("; ") };
        Check::PolicyRule.refuse(format!("{what} by {}", rule.words(&names)), found)
    };
    let mut satisfies = |rule: &Rule, by: &[&Accepted]| {
        let people: Vec<&str> = by.iter().map(|one| one.person.as_str()).collect();
        let person =
            |one: &Accepted| people.iter().position(|person| *person == one.person).unwrap_or_default();
        let signed: Vec<_> = by.iter().map(|one| (one.signer, person(one))).collect();
        let is_satisfied = rule.is_satisfied(&signed);
        if let Ok(true) = is_satisfied {
            proven.extend(by.iter().flat_map(|one| one.proven.clone()));
        }
        is_satisfied
    };
    let too_many = |why: String| Check::PolicyRule.refuse("a rule that can be decided", why);
    if let Some(rule) = &policy.require {
        let is_signature =
            |one: &&Accepted| one.predicate_type.as_deref().is_none_or(|kind| kind == SIGNATURE);
        let by: Vec<_> = accepted.iter().filter(is_signature).collect();
        match satisfies(rule, &by) {
            Ok(true) => {}
            Ok(false) => return Ok(Err(missing("signatures", rule, reasons))),
            Err(why) => return Ok(Err(too_many(why))),
        }
    }
    let mut facts = Vec::new();
    for (at, attestation) in policy.attestations.iter().enumerate() {
        let mut by = Vec::new();
        for one in
            accepted.iter().filter(|one| one.predicate_type.as_ref() == Some(&attestation.predicate_type))
        {
            let (name, material) = &materials[one.material];
            let statement = material.envelope.as_ref().map(|envelope| &*envelope.payload).unwrap_or_default();
            match asked(at, statement)? {
                Ok(more) => {
                    facts.extend(more);
                    by.push(one);
                }
                Err(refusal) => reasons.push(format!("{name} for {}: {refusal}", names(one.signer))),
            }
        }
        match satisfies(&attestation.by, &by) {
            Ok(true) => {}
            Ok(false) => {
                let what = format!("attestations of the type {}", attestation.predicate_type);
                return Ok(Err(missing(&what, &attestation.by, reasons)));
            }
            Err(why) => return Ok(Err(too_many(why))),
        }
    }
    proven.extend(facts);
    let mut seen = std::collections::HashSet::new();
    proven.retain(|fact| seen.insert(fact.clone()));
    Ok(Ok(Satisfied { proven }))
}

/// The plan under the first kind of evidence that holds.
fn first(
    policy: &PolicyFile,
    who: &Signer<'_>,
    material: &Material,
    trust: &Trust,
    now: Timestamp,
) -> std::result::Result<verify::Plan, Refusal> {
    let identity;
    let (who, kinds): (verify::Who<'_>, &[Evidence]) = match who {
        Signer::Key(key, window) => (verify::Who::Key(key, *window), &policy.keys),
        Signer::Identity(one) => {
            identity = std::slice::from_ref(*one);
            (verify::Who::Identities(identity), &policy.certificates)
        }
    };
    let mut refusal = None;
    for evidence in kinds {
        match plan(material, &Policy::new(who, *evidence, now), trust) {
            Ok(plan) => return Ok(plan),
            Err(other) => refusal = refusal.or(Some(other)),
        }
    }
    Err(refusal.unwrap_or_else(|| Check::PolicyRule.refuse("some evidence", "none is demanded")))
}

impl<'a> Signer<'a> {
    /// Looks a key up with `key`; an identity is itself.
    ///
    /// # Errors
    /// Those of `key`.
    pub fn of(who: &'a Who, key: &dyn Fn(&str) -> Result<PublicKey>) -> Result<Self> {
        Ok(match who {
            Who::Key(uri, window) => Self::Key(key(uri)?, *window),
            Who::Identity(identity) => Self::Identity(identity),
        })
    }
}
