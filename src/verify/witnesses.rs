//! Who else saw the signature: timestamp authorities and logs, each counted once, and the times that they prove.

use countersign_core::PublicKey;
use jiff::{SignedDuration, Timestamp};

use super::entry::{Body, Subject};
use super::log;
use super::material::Material;
use super::policy::Policy;
use super::refusal::{Check, Refusal};
use super::timestamp::{Reason, Token};
use super::trust::{Log, Trust};

/// How far another clock may be ahead of ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What the witnesses prove.
#[derive(Debug, Default)]
pub(super) struct Witnessed {
    /// Every proven time and who says it.
    pub(super) times: Vec<(Timestamp, String)>,
    /// The artifact's digests that log entries state.
    pub(super) digests: Vec<countersign_core::Digest>,
    /// One sentence for each fact.
    pub(super) proven: Vec<String>,
    /// One sentence for each thing beside the signature that proves nothing here.
    pub(super) not_proven: Vec<String>,
}

/// Looks at all witnesses that the policy cares for.
///
/// # Errors
/// The refusal of the first one that does not hold, or of the count.
pub(super) fn look(
    material: &Material,
    subject: &Subject<'_>,
    policy: &Policy<'_>,
    trust: &Trust,
) -> Result<Witnessed, Refusal> {
    let mut witnessed = Witnessed::default();
    timestamps(material, policy, trust, &mut witnessed)?;
    if policy.evidence.logs == 0 {
        witnessed
            .not_proven
            .push("that a transparency log holds the signature (--insecure-ignore-tlog)".to_owned());
    } else {
        logs(material, subject, policy, trust, &mut witnessed)?;
    }
    for (time, by) in &witnessed.times {
        let ahead = policy.now.checked_add(CLOCK_SKEW).is_ok_and(|limit| *time > limit);
        if ahead {
            return Err(Check::Time
                .refuse(format!("a time until now, {}", policy.now), format!("{time} from {by}"))
                .with_hint("check the clock of this machine"));
        }
    }
    Ok(witnessed)
}

/// What services said of a signature, without trust in them: every timestamp is over it, every entry is about it and lies where
/// its proof says. Gives a sentence for each.
///
/// # Errors
/// [`Check::Timestamp`], [`Check::LogEntry`], [`Check::LogBinding`], [`Check::LogInclusion`].
pub(super) fn about(material: &Material, subject: &Subject<'_>) -> Result<Vec<String>, Refusal> {
    let mut proven = Vec::new();
    for token in &material.timestamps {
        let bad = |found: String| Check::Timestamp.refuse("", found);
        let token = Token::parse(token).map_err(bad)?;
        token.covers(&material.signature).map_err(bad)?;
        proven.push(format!("a timestamp of {} is over the signature", token.time().map_err(bad)?));
    }
    for entry in &material.entries {
        if let Some(stated) = Body::parse(&entry.body)?.tie(subject)?
            && material.digest.as_ref().is_some_and(|digest| *digest != stated)
        {
            return Err(Check::LogBinding.refuse("an entry about this artifact", stated.to_string()));
        }
        if let Some(proof) = &entry.proof {
            log::include(&entry.body, proof)?;
        }
        proven.push(format!("the log's entry {} is about the signature", entry.index));
    }
    Ok(proven)
}

fn timestamps(
    material: &Material,
    policy: &Policy<'_>,
    trust: &Trust,
    witnessed: &mut Witnessed,
) -> Result<(), Refusal> {
    let (mut count, mut keys): (_, Vec<PublicKey>) = (0, Vec::new());
    for token in &material.timestamps {
        let bad = |found: String| Check::Timestamp.refuse("", found);
        let token = Token::parse(token).map_err(bad)?;
        token.covers(&material.signature).map_err(bad)?;
        let mut why_not = None;
        let by = trust.timestamp_authorities.iter().find_map(|authority| match token.by(authority) {
            Ok(signer) => Some((authority, signer)),
            Err(Reason::Other) => None,
            Err(Reason::Bad(why)) => {
                why_not = Some(why);
                None
            }
        });
        match (by, why_not) {
            (Some((authority, signer)), _) => {
                let time = token.time().map_err(bad)?;
                witnessed.times.push((time, authority.name.clone()));
                witnessed.proven.push(format!("the signature existed at {time}, says {}", authority.name));
                // Whoever holds one key is one witness, however often and in whichever way the trusted root lists it; so is
                // an authority with several signers.
                let first = authority.chain.first().map(|one| one.public_key().clone());
                let own: Vec<_> = first.into_iter().chain([signer]).collect();
                count += usize::from(!own.iter().any(|key| keys.contains(key)));
                keys.extend(own);
            }
            (None, Some(why)) => return Err(bad(why)),
            (None, None) => {
                witnessed
                    .not_proven
                    .push("a timestamp of an authority that is not in the trusted root".to_owned());
            }
        }
    }
    if count < policy.evidence.timestamps {
        return Err(Check::TimestampCount
            .refuse(format!("at least {}", policy.evidence.timestamps), count.to_string()));
    }
    Ok(())
}

fn logs(
    material: &Material,
    subject: &Subject<'_>,
    policy: &Policy<'_>,
    trust: &Trust,
    witnessed: &mut Witnessed,
) -> Result<(), Refusal> {
    let mut counted: Vec<&Log> = Vec::new();
    for entry in &material.entries {
        let body = Body::parse(&entry.body)?;
        if let Some(kind) = entry.kind.as_ref().filter(|kind| **kind != body.kind) {
            return Err(Check::LogEntry.refuse(format!("the kind {kind}"), body.kind));
        }
        // Also of a log that is not trusted: material that contradicts itself is not accepted.
        witnessed.digests.extend(body.tie(subject)?);
        let Some(held) = log::check(entry, material.log_proof, trust)? else {
            witnessed.not_proven.push("an entry of a log that is not in the trusted root".to_owned());
            continue;
        };
        let name = &held.log.name;
        let place = held.index.map_or_else(String::new, |index| format!(" at index {index}"));
        match held.integrated {
            Some(time) => {
                witnessed.times.push((time, name.clone()));
                witnessed.proven.push(format!("{name} holds it{place} since {time}"));
            }
            None => {
                // Without a time of its own, the log's key must have been valid at the times that others prove.
                let outside = witnessed.times.iter().find(|(time, _)| !held.log.window.contains(*time));
                if let Some((time, _)) = outside {
                    return Err(Check::LogWindow.refuse(held.log.window.words(), time.to_string()));
                }
                witnessed.proven.push(format!("{name} holds it{place}"));
            }
        }
        if !counted.iter().any(|other| other.id == held.log.id || other.key == held.log.key) {
            counted.push(held.log);
        }
    }
    if counted.len() < policy.evidence.logs {
        return Err(Check::TransparencyLog
            .refuse(format!("at least {}", policy.evidence.logs), counted.len().to_string()));
    }
    Ok(())
}
