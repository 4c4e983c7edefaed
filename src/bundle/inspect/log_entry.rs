//! Describes an entry of a transparency log.

use sigstore_types::bundle::{InclusionProof, MediaType, TransparencyLogEntry};

use super::outline::{Outline, hex, present};

pub(super) fn describe(outline: &mut Outline, entry: &TransparencyLogEntry, version: MediaType) {
    outline.line("Log Index", entry.log_index);
    outline.line("Log ID", hex(entry.log_id.key_id.as_bytes()));
    outline.line("Kind", entry.kind_version.kind());
    outline.line("Version", entry.kind_version.version());
    integrated_time(outline, entry.integrated_time);
    if let Some(promise) = &entry.inclusion_promise {
        outline.group("Inclusion Promise", "", |outline| {
            outline.line("Signed Entry Timestamp", present(promise.signed_entry_timestamp.len()));
        });
    }
    if let Some(proof) = &entry.inclusion_proof {
        outline.group("Inclusion Proof", "", |outline| describe_proof(outline, proof));
    }
    if !entry.canonicalized_body.is_empty() {
        outline.line("Canonicalized Body", present(entry.canonicalized_body.len()));
    }
    if version == MediaType::Bundle0_1 && entry.inclusion_promise.is_none() {
        outline.warning("the entry has no inclusion promise, which a v0.1 bundle requires");
    }
    if version != MediaType::Bundle0_1 && entry.inclusion_proof.is_none() {
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
