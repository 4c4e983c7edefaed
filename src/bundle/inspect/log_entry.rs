//! Describes an entry of a transparency log.

use sigstore_types::bundle::{InclusionProof, MediaType};

use super::outline::{Outline, hex, present};
use crate::bundle::LogEntry;

pub(super) fn describe(outline: &mut Outline, entry: &LogEntry, version: MediaType) {
    let (kind, kind_version) =
        entry.kind.as_deref().and_then(|kind| kind.split_once(' ')).unwrap_or_default();
    outline.line("Log Index", entry.index);
    outline.line("Log ID", hex(&entry.log_id));
    outline.line("Kind", kind);
    outline.line("Version", kind_version);
    integrated_time(outline, entry.integrated_time());
    if let Some(promise) = &entry.promise {
        outline.group("Inclusion Promise", "", |outline| {
            outline.line("Signed Entry Timestamp", present(promise.len()));
        });
    }
    if let Some(proof) = &entry.proof {
        outline.group("Inclusion Proof", "", |outline| describe_proof(outline, proof));
    }
    if !entry.body.is_empty() {
        outline.line("Canonicalized Body", present(entry.body.len()));
    }
    if version == MediaType::Bundle0_1 && entry.promise.is_none() {
        outline.warning("the entry has no inclusion promise, which a v0.1 bundle requires");
    }
    if version != MediaType::Bundle0_1 && entry.proof.is_none() {
        outline.warning("the entry has no inclusion proof, which bundles from v0.2 on require");
    }
}

/// Rekor v2 tells no time of its own; its entries carry none or zero.
pub(super) fn integrated_time(outline: &mut Outline, time: Option<impl std::fmt::Display>) {
    outline.line("Integrated Time", time.map_or_else(|| "0 (Not set)".to_owned(), |time| time.to_string()));
}

fn describe_proof(outline: &mut Outline, proof: &InclusionProof) {
    outline.line("Log Index", proof.log_index);
    outline.line("Tree Size", proof.tree_size);
    outline.line("Hashes", proof.hashes.len());
    let Some(checkpoint) = proof.checkpoint.checkpoint() else { return };
    outline.group("Checkpoint", "", |outline| {
        outline.line("Origin", checkpoint.origin());
        outline.line("Tree Size", checkpoint.tree_size());
        let others = checkpoint.other_content();
        if !others.is_empty() {
            outline.group("Other Content", format!("{} lines", others.len()), |outline| {
                for (index, other) in others.iter().enumerate() {
                    outline.line(&format!("[{index}]"), other);
                }
            });
        }
        let signatures = checkpoint.signatures();
        outline.group("Witnesses", signatures.len(), |outline| {
            for one in signatures {
                outline.line(&one.name, format!("Signature {}", present(one.signature.len())));
            }
        });
    });
}
