//! Flags that say which algorithm alone is accepted.

use clap::Args;
use countersign_core::{Algorithm, HashAlgorithm};

use super::key::parse_algorithm;
use crate::verify::Policy;

/// An algorithm, or a hash.
#[derive(Debug, Args)]
pub(crate) struct AlgorithmFlags {
    /// Accept only this algorithm of Sigstore's registry
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm)]
    signing_algorithm: Option<Algorithm>,

    /// Accept only this hash: sha256, sha384 or sha512
    #[arg(long, value_name = "HASH", value_parser = parse_hash, conflicts_with = "signing_algorithm")]
    signature_digest_algorithm: Option<HashAlgorithm>,
}

impl AlgorithmFlags {
    /// The policy with what they demand. Who names a hash means that one, whatever the key's store says.
    pub(crate) fn demanded_in<'a>(&self, policy: Policy<'a>) -> Policy<'a> {
        let hash = self.signature_digest_algorithm;
        let algorithm = self.signing_algorithm.or(policy.algorithm.filter(|_| hash.is_none()));
        Policy { algorithm, hash, ..policy }
    }
}

pub(crate) fn parse_hash(name: &str) -> Result<HashAlgorithm, String> {
    HashAlgorithm::parse(name).ok_or_else(|| "expected sha256, sha384 or sha512".to_owned())
}
