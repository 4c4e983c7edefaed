//! Decides whether a signature is good. Pure: signature material, policy, trust and the artifact's digests come in; no
//! file, network or clock is touched.
//!
//! Two steps, so that the artifact is read once: [`plan`] checks everything that needs no artifact and says which
//! digests are needed, [`verify`] decides. What each check demands is listed in `docs/verification.md`.

mod certificate;
mod chain;
mod claims;
mod entry;
mod identity;
mod log;
mod material;
mod policy;
mod refusal;
mod remembered;
mod sct;
mod statement;
mod timestamp;
mod trust;
mod witnesses;

use countersign_core::certificate::Certificate;
use countersign_core::{Algorithm, Digest, HashAlgorithm, Input, KeyType, PublicKey, Scheme};
use jiff::Timestamp;
use serde_json::Map;

pub use certificate::{Holder, NameKind, extension_name, extension_names};
pub use claims::{Claims, SIGNATURE, SIMPLE_SIGNING};
pub use identity::{Identity, Matcher};
pub use material::{Envelope, LogProof, Material, Origin};
pub use policy::{Evidence, Policy, Who};
pub use refusal::{Check, Refusal};
pub use sct::CertificateTimestamp;
pub use statement::{PAYLOAD_TYPE, Statement, Subject};
pub use trust::{Authority, Log, MAX_TRUSTED_ROOT_BYTES, Trust, Window};

use crate::artifact::{Measured, Wanted};
use witnesses::Witnessed;

/// What is settled before the artifact is read, and what is needed of it.
#[derive(Debug)]
pub struct Plan {
    key: PublicKey,
    candidates: Vec<Algorithm>,
    statement: Option<Statement>,
    claims: Option<Claims>,
    /// Whether statement or claims must be about the artifact.
    subject: bool,
    /// What must be said of the artifact.
    annotations: Vec<(String, String)>,
    /// Under which name the image must have been signed.
    repository: Option<String>,
    /// Digests of the artifact that log entries state.
    logged: Vec<Digest>,
    facts: Facts,
    /// What to read of the artifact.
    pub wanted: Wanted,
}

#[derive(Debug, Default)]
struct Facts {
    proven: Vec<String>,
    not_proven: Vec<String>,
    holder: Option<Holder>,
    times: Vec<Timestamp>,
}

/// What was proven, and what was not.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The algorithm that matched.
    pub algorithm: Algorithm,
    /// The key that signed.
    pub key: PublicKey,
    /// Whom its certificate names, where the certificate was checked.
    pub holder: Option<Holder>,
    /// What the attestation says, where it is one.
    pub statement: Option<Statement>,
    /// What the signature says of an image, where that is in the older form.
    pub claims: Option<Claims>,
    /// Times at which the signature existed.
    pub times: Vec<Timestamp>,
    /// One sentence for each fact.
    pub proven: Vec<String>,
    /// One sentence for each thing that a reader might assume and that was not checked.
    pub not_proven: Vec<String>,
}

/// Checks everything that needs no artifact, and says what is needed of it.
///
/// A bundle names its hash, and only that hash is tried. Older forms name none: the key type's own algorithm is tried,
/// and SHA-256, which Cosign's token and service keys use whatever the curve. Never more. A PKCS#1 v1.5 key never
/// tries PSS.
///
/// # Errors
/// The [`Refusal`] of the first check that does not hold.
pub fn plan(material: &Material, policy: &Policy<'_>, trust: &Trust) -> Result<Plan, Refusal> {
    let key = match policy.who {
        Who::Key(key, _) => {
            given_key(material, key)?;
            key.clone()
        }
        Who::Identities(_) => certificate(material)?.public_key().clone(),
    };
    let by_certificate = matches!(policy.who, Who::Identities(_));
    let subject = entry::Subject {
        signature: &material.signature,
        envelope: material.envelope.as_ref(),
        claims: material.claims.as_deref(),
        key: &key,
        certificate: material.certificate.as_ref(),
        by_certificate,
    };
    let witnessed = witnesses::look(material, &subject, policy, trust)?;
    let statement = statement(material, policy)?;
    let claims = material.claims.as_deref().map(Claims::parse).transpose()?;
    let logged = witnessed.digests.clone();
    let facts = match policy.who {
        Who::Key(_, window) => key_facts(material, window, witnessed)?,
        Who::Identities(identities) => certificate_facts(material, identities, policy, trust, witnessed)?,
    };
    let candidates = candidates(material, policy, &key)?;
    let mut wanted = Wanted::default();
    match (&statement, &claims) {
        (Some(_), _) | (_, Some(_)) if !policy.subject => {}
        // The signature is over envelope or claims; the artifact is known by the digests that they name.
        (Some(statement), _) => wanted.hashes = statement.hashes(),
        (None, Some(claims)) => wanted.hashes = vec![claims.digest.algorithm()],
        (None, None) => {
            for algorithm in &candidates {
                wanted.hashes.extend(algorithm.hash());
                wanted.message |= algorithm.signs_message();
            }
            // The stated digests are compared even where the signature is over the message itself.
            wanted.hashes.extend(material.digest.as_ref().map(Digest::algorithm));
            wanted.hashes.extend(logged.iter().map(Digest::algorithm));
            wanted.hashes.sort();
            wanted.hashes.dedup();
        }
    }
    let annotations = policy.annotations.to_vec();
    Ok(Plan {
        key,
        candidates,
        statement,
        claims,
        subject: policy.subject,
        annotations,
        repository: policy.repository.map(str::to_owned),
        logged,
        facts,
        wanted,
    })
}

impl Plan {
    /// What is proven before the artifact is read, one sentence for each fact.
    pub fn proven(&self) -> &[String] {
        &self.facts.proven
    }
}

/// Holds what services said against the signature that they were asked about, without trust in them. Gives one sentence for
/// each.
///
/// # Errors
/// The [`Refusal`] of the first that is about something else or contradicts itself.
pub fn about(material: &Material, key: &PublicKey) -> Result<Vec<String>, Refusal> {
    let subject = entry::Subject {
        signature: &material.signature,
        envelope: material.envelope.as_ref(),
        claims: material.claims.as_deref(),
        key,
        certificate: material.certificate.as_ref(),
        by_certificate: false,
    };
    witnesses::about(material, &subject)
}

/// Whether a certificate for signing code ends in the last certificate of a chain, at a time.
///
/// # Errors
/// What does not hold, in words.
pub fn chains(leaf: &Certificate, chain: &[Certificate], time: Timestamp) -> Result<(), String> {
    chain::check(leaf, chain, time, chain::Usage::CODE_SIGNING)
}

/// Whether a timestamp response answers a request about this signature with this nonce.
///
/// # Errors
/// What is wrong, in words.
pub fn answers(response: &[u8], signature: &[u8], nonce: &[u8]) -> Result<(), String> {
    let token = timestamp::Token::parse(response)?;
    token.covers(signature)?;
    token.answers(nonce)
}

/// What the material says of the key must be true of the given one.
fn given_key(material: &Material, key: &PublicKey) -> Result<(), Refusal> {
    let stated =
        [material.hint.as_deref(), material.envelope.as_ref().map(|envelope| envelope.key_id.as_str())];
    for hint in stated.into_iter().flatten().filter(|hint| material::is_fingerprint(hint)) {
        let expected = key.hint();
        if hint != expected {
            return Err(Check::KeyHint.refuse(format!("hint {expected}"), hint));
        }
    }
    let certified = material.certificate.as_ref().map(Certificate::public_key);
    if let Some(other) = certified.into_iter().chain(&material.key).find(|other| *other != key) {
        let (expected, found) = (key.fingerprint().to_string(), other.fingerprint().to_string());
        return Err(Check::CertifiedKey.refuse(expected, found));
    }
    Ok(())
}

fn certificate(material: &Material) -> Result<&Certificate, Refusal> {
    material.certificate.as_ref().ok_or_else(|| Check::Certificate.refuse("a certificate", "none"))
}

/// The statement of an attestation, of the type demanded.
fn statement(material: &Material, policy: &Policy<'_>) -> Result<Option<Statement>, Refusal> {
    let Some(envelope) = &material.envelope else {
        return match policy.predicate_type {
            None => Ok(None),
            // Claims are what such a statement was before.
            Some(SIGNATURE) if material.claims.is_some() => Ok(None),
            Some(expected) => Err(Check::PredicateType.refuse(expected, "a signature without attestation")),
        };
    };
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Check::PayloadType.refuse(PAYLOAD_TYPE, &envelope.payload_type));
    }
    let statement = Statement::parse(&envelope.payload)?;
    match policy.predicate_type {
        Some(expected) if expected != statement.predicate_type => {
            Err(Check::PredicateType.refuse(expected, &statement.predicate_type))
        }
        _ => Ok(Some(statement)),
    }
}

fn key_facts(material: &Material, window: Window, witnessed: Witnessed) -> Result<Facts, Refusal> {
    let times: Vec<_> = witnessed.times.iter().map(|(time, _)| *time).collect();
    let mut facts = Facts {
        proven: witnessed.proven,
        not_proven: witnessed.not_proven,
        holder: None,
        times: times.clone(),
    };
    if window != Window::default() {
        if times.is_empty() {
            return Err(Check::KeyWindow.refuse(window.words(), "no proven time"));
        }
        if let Some(time) = times.iter().find(|time| !window.contains(**time)) {
            return Err(Check::KeyWindow.refuse(window.words(), time.to_string()));
        }
        facts.proven.push(format!("the key was used at {}", window.words()));
    }
    if times.is_empty() {
        facts.not_proven.push("when it was signed".to_owned());
    }
    if let Some(hint) = material.hint.as_deref().filter(|hint| !material::is_fingerprint(hint)) {
        facts
            .not_proven
            .push(format!("that the key is the one the bundle calls \"{hint}\": the name is no fingerprint"));
    }
    if material.certificate.is_some() {
        facts
            .not_proven
            .push("who holds the key: the certificate beside the signature was not checked".to_owned());
    }
    Ok(facts)
}

fn certificate_facts(
    material: &Material,
    identities: &[Identity],
    policy: &Policy<'_>,
    trust: &Trust,
    witnessed: Witnessed,
) -> Result<Facts, Refusal> {
    let leaf = certificate(material)?;
    let mut times = witnessed.times;
    let mut facts = Facts { proven: witnessed.proven, not_proven: witnessed.not_proven, ..Facts::default() };
    facts.times = times.iter().map(|(time, _)| *time).collect();
    if times.is_empty() {
        // Cosign's rule: with the log ignored, the certificate must still be valid now.
        if policy.evidence.logs > 0 {
            return Err(Check::Time.refuse("a log's or a timestamp authority's signed time", "none"));
        }
        times.push((policy.now, "this machine's clock".to_owned()));
        facts.not_proven.push("when it was signed: the certificate is valid now".to_owned());
    }
    let mut issuers = None;
    for (time, by) in &times {
        issuers = Some(chained(leaf, trust, *time, by)?);
    }
    let issuers = issuers.unwrap_or_default();
    if policy.evidence.certificate_logs == 0 {
        facts.not_proven.push(
            "that a certificate transparency log holds the certificate (--insecure-ignore-sct)".to_owned(),
        );
    } else {
        let logs = sct::vouching(leaf, material.certificate_timestamp.as_ref(), issuers, trust)?;
        if logs.len() < policy.evidence.certificate_logs {
            return Err(Check::CertificateTimestamp
                .refuse(format!("at least {}", policy.evidence.certificate_logs), logs.len().to_string()));
        }
        facts.proven.extend(logs.iter().map(|log| format!("{} holds the certificate", log.name)));
    }
    let holder = Holder::of(leaf)?;
    let mut refusal = Check::Identity.refuse("an identity in the policy", "none");
    let name = identities.iter().find_map(|identity| match identity.check(&holder) {
        Ok(name) => Some(name.to_owned()),
        Err(why) => {
            refusal = why;
            None
        }
    });
    let name = name.ok_or(refusal)?;
    let issuer = holder.issuer.as_deref().map_or_else(String::new, |issuer| format!(", says {issuer}"));
    facts.proven.push(format!("the signer is {name}{issuer}"));
    facts.holder = Some(holder);
    Ok(facts)
}

/// The issuers through which the certificate was good at `time`.
fn chained<'a>(
    leaf: &Certificate,
    trust: &'a Trust,
    time: Timestamp,
    by: &str,
) -> Result<&'a [Certificate], Refusal> {
    let mut why = None;
    for authority in &trust.authorities {
        let attempt = chain::check(leaf, &authority.chain, time, chain::Usage::CODE_SIGNING);
        let issued = || {
            let issuer = &leaf.x509().tbs_certificate.issuer;
            authority.chain.iter().any(|one| one.x509().tbs_certificate.subject == *issuer)
        };
        match attempt {
            Ok(()) if authority.window.contains(time) => return Ok(&authority.chain),
            Ok(()) => why = Some(format!("{} may be used at {}", authority.name, authority.window.words())),
            // What an authority says that did not issue it explains nothing.
            Err(cause) if why.is_none() && issued() => why = Some(cause),
            Err(_) => {}
        }
    }
    let issuer = leaf.x509().tbs_certificate.issuer.to_string();
    let why =
        why.unwrap_or_else(|| format!("no authority in the trusted root issued it (its issuer is {issuer})"));
    Err(Check::CertificateChain.refuse("", format!("{why}; judged at {time}, by {by}")))
}

fn candidates(material: &Material, policy: &Policy<'_>, key: &PublicKey) -> Result<Vec<Algorithm>, Refusal> {
    let key_type = key.key_type();
    let unsuited = |found: String| Check::Algorithm.refuse(format!("one for a {key_type} key"), found);
    let stated = material.digest.as_ref().map(|digest| digest.algorithm());
    if let Some(algorithm) = policy.algorithm {
        // What a bundle states is a digest of the artifact; which one was signed only the signature tells.
        return if algorithm.key_type() == key_type {
            Ok(vec![algorithm])
        } else {
            Err(unsuited(algorithm.name().to_owned()))
        };
    }
    let default = key_type.default_algorithm();
    if key_type == KeyType::Ed25519 {
        let prehashed = key_type.algorithms().filter(|algorithm| algorithm.scheme() == Scheme::Ed25519ph);
        // The two cannot be mistaken for each other: Ed25519ph signs behind a prefix of its own (RFC 8032 2).
        return Ok(match policy.hash.or(stated) {
            Some(HashAlgorithm::Sha512) => prehashed.chain([default]).collect(),
            Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384) => vec![default],
            None => [default].into_iter().chain(prehashed).collect(),
        });
    }
    if let Some(hash) = policy.hash {
        return Algorithm::with_hash(key_type, hash)
            .map(|one| vec![one])
            .ok_or_else(|| unsuited(hash.name().to_owned()));
    }
    let first = match stated {
        Some(hash) => Algorithm::with_hash(key_type, hash).ok_or_else(|| unsuited(hash.name().to_owned()))?,
        None => default,
    };
    // Cosign's keys on tokens sign SHA-256 under every curve, and its bundles then state the curve's own hash.
    let sha256 = Algorithm::with_hash(key_type, HashAlgorithm::Sha256);
    let sha256 = sha256.filter(|algorithm| *algorithm != first && algorithm.scheme() == Scheme::Ecdsa);
    Ok([first].into_iter().chain(sha256).collect())
}

/// Decides, from what was read of the artifact.
///
/// # Errors
/// [`Check::ArtifactDigest`] or [`Check::Subject`] when the material speaks of another artifact, [`Check::Signature`] when
/// no candidate matches.
pub fn verify(material: &Material, plan: Plan, artifact: &Measured) -> Result<Proven, Refusal> {
    let Plan { key, candidates, statement, claims, subject, annotations, repository, logged, facts, .. } =
        plan;
    let stated = material.digest.iter().map(|stated| (stated, Check::ArtifactDigest));
    for (stated, check) in stated.chain(logged.iter().map(|logged| (logged, Check::LogBinding))) {
        match artifact.digest(stated.algorithm()) {
            Some(found) if found == stated => {}
            found => {
                let found = found.map_or_else(|| "none".to_owned(), ToString::to_string);
                return Err(check.refuse(stated.to_string(), found));
            }
        }
    }
    let signed = material.envelope.as_ref().map(Envelope::signed).or_else(|| material.claims.clone());
    let matching = candidates.into_iter().find(|algorithm| match (&signed, algorithm.hash()) {
        (Some(signed), Some(hash)) => {
            key.verify(*algorithm, Input::Digest(&hash.digest(signed)), &material.signature).is_ok()
        }
        (Some(signed), None) => key.verify(*algorithm, Input::Message(signed), &material.signature).is_ok(),
        (None, hash) => {
            let input = match hash {
                Some(hash) => artifact.digest(hash).map(Input::Digest),
                None => artifact.message.as_deref().map(Input::Message),
            };
            input.is_some_and(|input| key.verify(*algorithm, input, &material.signature).is_ok())
        }
    });
    let Some(algorithm) = matching else {
        return Err(Check::Signature.refuse(format!("one by the key {}", key.fingerprint()), ""));
    };
    let what = match (&statement, &claims) {
        (Some(_), _) => "the envelope",
        (None, Some(_)) => "the claims",
        (None, None) => "the artifact",
    };
    let mut proven =
        vec![format!("the signature matches {what} and the {} key {}", key.key_type(), key.fingerprint())];
    proven.push(match algorithm.hash() {
        Some(hash) => format!("the signature is over the {hash} digest ({algorithm})"),
        None => format!("the signature is over the whole message ({algorithm})"),
    });
    if let Some(digest) = material.digest.as_ref().and_then(|stated| artifact.digest(stated.algorithm())) {
        proven.push(format!("the bundle's digest is the artifact's: {digest}"));
    }
    let Facts { proven: witnessed, mut not_proven, holder, times } = facts;
    if let Some(statement) = &statement {
        if subject {
            let about = statement.check(artifact)?;
            claims::annotated(&annotations, &about.annotations)?;
            proven.extend(claims::named(repository.as_deref(), &about.name)?);
            let digests = artifact.digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            proven.push(format!("the attestation is about the artifact {digests}"));
        } else {
            // Whom it says that of is not looked at.
            claims::annotated(&annotations, &Map::new())?;
            not_proven.push("what artifact the attestation is about (--check-claims=false)".to_owned());
        }
        proven.push(format!("the attestation is of the type {}", statement.predicate_type));
    }
    if let Some(claims) = &claims {
        match artifact.digest(claims.digest.algorithm()) {
            _ if !subject => {
                not_proven.push("what image the signature is about (--check-claims=false)".to_owned())
            }
            Some(found) if *found == claims.digest => {
                proven.push(format!("the signature is about the image {}", claims.digest));
            }
            found => {
                let found = found.map_or_else(|| "none".to_owned(), ToString::to_string);
                return Err(Check::Subject.refuse(found, claims.digest.to_string()));
            }
        }
        claims::annotated(&annotations, &claims.annotations)?;
        claims::named(repository.as_deref(), &claims.reference)?;
        proven.push(format!("the image was signed as {}", claims.reference));
    }
    if statement.is_none() && claims.is_none() {
        claims::annotated(&annotations, &Map::new())?;
    }
    if !annotations.is_empty() {
        let said: Vec<_> = annotations.iter().map(|(name, value)| format!("{name}={value}")).collect();
        proven.push(format!("the signature says {}", said.join(", ")));
    }
    proven.extend(witnessed);
    Ok(Proven { algorithm, key, holder, statement, claims, times, proven, not_proven })
}

#[cfg(test)]
mod tests;
