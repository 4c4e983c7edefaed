//! Whether a log holds an entry: its promise (SET), the inclusion proof (RFC 6962 2.1.1) and the signed checkpoint
//! (C2SP tlog-checkpoint) that the proof ends in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::hexadecimal::hex;
use countersign_core::{Input, PublicKey};
use jiff::Timestamp;
use sigstore_merkle::{hash_leaf, verify_inclusion_proof};
use sigstore_types::bundle::InclusionProof;

use super::material::LogProof;
use super::refusal::{Check, Refusal};
use super::trust::{Log, Trust};
use crate::bundle::LogEntry;

/// What an entry proves.
pub(super) struct Held<'a> {
    /// The log that holds it.
    pub(super) log: &'a Log,
    /// Where, as far as that is proven.
    pub(super) index: Option<u64>,
    /// When the log took it, under its signature.
    pub(super) integrated: Option<Timestamp>,
}

/// Checks one entry. None when no trusted log has its identifier: it proves nothing then, and harms nothing.
///
/// # Errors
/// [`Check::LogEntry`], [`Check::LogPromise`], [`Check::LogInclusion`], [`Check::LogCheckpoint`], [`Check::LogWindow`].
pub(super) fn check<'a>(
    entry: &LogEntry,
    demanded: LogProof,
    trust: &'a Trust,
) -> Result<Option<Held<'a>>, Refusal> {
    let logs: Vec<_> = trust.logs.iter().filter(|log| log.id == entry.log_id).collect();
    if logs.is_empty() {
        return Ok(None);
    }
    let bare = |what: &str| Check::LogEntry.refuse(format!("a log entry with {what}"), "one without");
    match (demanded, &entry.promise, &entry.proof) {
        (LogProof::Promise, None, _) => return Err(bare("a promise (SET)")),
        (LogProof::Inclusion, _, None) => return Err(bare("an inclusion proof")),
        (LogProof::Either, None, None) => return Err(bare("a promise (SET) or an inclusion proof")),
        _ => {}
    }
    let mut integrated = None;
    // Under a promise the index counts the whole log; without one, nothing vouches for another than the proof's.
    let in_the_tree = entry.proof.as_ref().is_some_and(|proof| proof.log_index.get() == entry.index);
    let index = Some(entry.index).filter(|_| entry.promise.is_some() || in_the_tree);
    // The same log may stand in the trusted root several times, with one window a key or a period.
    let mut log = None;
    if let Some(promise) = &entry.promise {
        let seconds = entry.integrated.ok_or_else(|| bare("a time beside its promise"))?;
        let message = promised(entry, seconds);
        let found = logs.iter().find(|log| signed(&log.key, message.as_bytes(), promise));
        log = Some(*found.ok_or_else(|| Check::LogPromise.refuse("", "it is not signed by the log's key"))?);
        let time =
            Timestamp::from_second(seconds).map_err(|cause| Check::LogEntry.refuse("", cause.to_string()))?;
        integrated = Some(time);
    }
    if let Some(proof) = &entry.proof {
        let tiles = entry.promise.is_none() && entry.integrated.is_none();
        if tiles && proof.log_index.get() != entry.index {
            return Err(Check::LogInclusion
                .refuse(format!("the index {}", entry.index), proof.log_index.get().to_string()));
        }
        include(&entry.body, proof)?;
        let signer = checkpoint(proof, &logs, demanded)?;
        log = log.or(signer);
    }
    let Some(log) = log else {
        return Err(bare("a promise (SET) or a checkpoint"));
    };
    if let Some(time) = integrated {
        let at_that_time = logs.iter().find(|one| one.key == log.key && one.window.contains(time));
        let log =
            at_that_time.ok_or_else(|| Check::LogWindow.refuse(log.window.words(), time.to_string()))?;
        return Ok(Some(Held { log, index, integrated }));
    }
    Ok(Some(Held { log, index, integrated }))
}

/// What a promise is over: four fields of the entry in canonical JSON (RFC 8785).
fn promised(entry: &LogEntry, seconds: i64) -> String {
    format!(
        r#"{{"body":"{}","integratedTime":{seconds},"logID":"{}","logIndex":{}}}"#,
        STANDARD.encode(&entry.body),
        hex(&entry.log_id),
        entry.index
    )
}

pub(super) fn include(body: &[u8], proof: &InclusionProof) -> Result<(), Refusal> {
    let index = proof.log_index.get();
    verify_inclusion_proof(&hash_leaf(body), index, proof.tree_size, &proof.hashes, &proof.root_hash)
        .map_err(|cause| Check::LogInclusion.refuse("", cause.to_string()))
}

/// The log that signed the checkpoint which the proof ends in.
fn checkpoint<'a>(
    proof: &InclusionProof,
    logs: &[&'a Log],
    demanded: LogProof,
) -> Result<Option<&'a Log>, Refusal> {
    let Some(checkpoint) = proof.checkpoint.checkpoint() else {
        return match demanded {
            // A proof that ends in an unsigned root proves nothing; the promise does.
            LogProof::Promise | LogProof::Either => Ok(None),
            LogProof::Inclusion => Err(Check::LogCheckpoint.refuse("a signed checkpoint", "none")),
        };
    };
    if *checkpoint.root_hash() != proof.root_hash {
        return Err(Check::LogCheckpoint.refuse(
            format!("the root {}", proof.root_hash.to_base64()),
            checkpoint.root_hash().to_base64(),
        ));
    }
    if checkpoint.tree_size() != proof.tree_size {
        return Err(Check::LogCheckpoint
            .refuse(format!("the tree size {}", proof.tree_size), checkpoint.tree_size().to_string()));
    }
    // The hint only says which signature to try: other keys may collide with it, witnesses sign beside the log.
    let by = |log: &&&Log| {
        let hint = log.id.get(..4);
        let mut own = checkpoint.signatures().iter().filter(|one| hint == Some(one.key_id.as_bytes()));
        own.any(|one| signed(&log.key, checkpoint.signed_data(), one.signature.as_bytes()))
    };
    let log = logs.iter().find(by);
    log.map(|log| Some(*log))
        .ok_or_else(|| Check::LogCheckpoint.refuse("a signature of the log's key", "none that matches"))
}

/// A log signs with its key type's own algorithm, ECDSA always over SHA-256.
fn signed(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let sha256 =
        countersign_core::Algorithm::with_hash(key.key_type(), countersign_core::HashAlgorithm::Sha256);
    let algorithm = sha256.unwrap_or_else(|| key.key_type().default_algorithm());
    let digest = algorithm.hash().map(|hash| hash.digest(message));
    key.verify(algorithm, digest.as_ref().map_or(Input::Message(message), Input::Digest), signature).is_ok()
}
