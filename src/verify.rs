//! Decides whether a signature is good. Pure: signature material, key, policy and the artifact's digests come in, no
//! file, network or clock is touched.
//!
//! Two steps, so that the artifact is read once: [`plan`] says which digests are needed, [`verify`] decides. Today
//! the signer is named by a key; certificates and logs join the same two functions.

mod material;
mod refusal;

use countersign_core::{Algorithm, HashAlgorithm, Input, KeyType, PublicKey, Scheme};

pub use material::{Material, Origin};
pub use refusal::Refusal;

use crate::artifact::{Measured, Wanted};

/// Who may have signed, and how.
#[derive(Debug, Clone)]
pub struct KeyPolicy<'a> {
    /// The key.
    pub key: &'a PublicKey,
    /// The one algorithm to try; else the material and the key type decide.
    pub algorithm: Option<Algorithm>,
    /// The one hash to try (`--signature-digest-algorithm`).
    pub hash: Option<HashAlgorithm>,
    /// Whether the user accepts a signature without proof that a log holds it.
    pub ignore_log: bool,
}

/// The algorithms to try, in order, and what they need of the artifact.
#[derive(Debug)]
pub struct Plan {
    candidates: Vec<Algorithm>,
    /// What to read of the artifact.
    pub wanted: Wanted,
}

/// What was proven, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The algorithm that matched.
    pub algorithm: Algorithm,
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
/// A [`Refusal`] of the log, hint, certificate or algorithm checks.
pub fn plan(material: &Material, policy: &KeyPolicy<'_>) -> Result<Plan, Refusal> {
    if !policy.ignore_log {
        return Err(Refusal::LogNotChecked { entries: material.log_entries });
    }
    if let Some(hint) = material.hint.as_deref().filter(|hint| material::is_fingerprint(hint)) {
        let expected = policy.key.hint();
        if hint != expected {
            return Err(Refusal::KeyHint { expected, found: hint.to_owned(), signed_by: None });
        }
    }
    if let Some(key) = &material.certified_key
        && key != policy.key
    {
        return Err(Refusal::CertifiedKey {
            expected: policy.key.fingerprint().to_string(),
            found: key.fingerprint().to_string(),
        });
    }
    let candidates = candidates(material, policy)?;
    let mut wanted = Wanted::default();
    for algorithm in &candidates {
        wanted.hashes.extend(algorithm.hash());
        wanted.message |= algorithm.signs_message();
    }
    // The stated digest is compared even where the signature is over the message itself.
    wanted.hashes.extend(material.digest.as_ref().map(|digest| digest.algorithm()));
    wanted.hashes.sort();
    wanted.hashes.dedup();
    Ok(Plan { candidates, wanted })
}

fn candidates(material: &Material, policy: &KeyPolicy<'_>) -> Result<Vec<Algorithm>, Refusal> {
    let key_type = policy.key.key_type();
    let unsuited = |found: String| Refusal::Algorithm { key_type, found };
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
/// [`Refusal::ArtifactDigest`] when the bundle speaks of another artifact, [`Refusal::Signature`] when no candidate matches.
pub fn verify(
    material: &Material,
    plan: &Plan,
    policy: &KeyPolicy<'_>,
    artifact: &Measured,
) -> Result<Proven, Refusal> {
    if let Some(stated) = &material.digest {
        match artifact.digest(stated.algorithm()) {
            Some(found) if found == stated => {}
            found => {
                return Err(Refusal::ArtifactDigest {
                    expected: stated.to_string(),
                    found: found.map_or_else(|| "none".to_owned(), ToString::to_string),
                });
            }
        }
    }
    for algorithm in &plan.candidates {
        let input = match algorithm.hash() {
            Some(hash) => artifact.digest(hash).map(Input::Digest),
            None => artifact.message.as_deref().map(Input::Message),
        };
        let matches =
            input.is_some_and(|input| policy.key.verify(*algorithm, input, &material.signature).is_ok());
        if matches {
            return Ok(proven(material, policy, *algorithm, artifact));
        }
    }
    Err(Refusal::Signature { key: policy.key.fingerprint().to_string() })
}

fn proven(material: &Material, policy: &KeyPolicy<'_>, algorithm: Algorithm, artifact: &Measured) -> Proven {
    let key = policy.key;
    let mut proven = vec![format!(
        "the signature matches the artifact and the {} key {}",
        key.key_type(),
        key.fingerprint()
    )];
    proven.push(match algorithm.hash() {
        Some(hash) => format!("the signature is over the {hash} digest ({algorithm})"),
        None => format!("the signature is over the whole message ({algorithm})"),
    });
    if let Some(digest) = material.digest.as_ref().and_then(|stated| artifact.digest(stated.algorithm())) {
        proven.push(format!("the bundle's digest is the artifact's: {digest}"));
    }
    let mut not_proven =
        vec!["that a transparency log holds the signature (--insecure-ignore-tlog)".to_owned()];
    not_proven.push("when it was signed".to_owned());
    if let Some(hint) = material.hint.as_deref().filter(|hint| !material::is_fingerprint(hint)) {
        not_proven
            .push(format!("that the key is the one the bundle calls \"{hint}\": the name is no fingerprint"));
    }
    if material.certified_key.is_some() {
        not_proven.push("who holds the key: the certificate beside the signature was not checked".to_owned());
    }
    Proven { algorithm, proven, not_proven }
}

#[cfg(test)]
mod tests;
