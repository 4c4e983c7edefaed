//! Hash algorithms and digests, and hashing a stream into several digests in one pass.

use std::fmt;

use aws_lc_rs::digest as aws;

use crate::error::{Error, ErrorKind, Result};

/// The hashes that are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-384 (FIPS 180-4).
    Sha384,
    /// SHA-512 (FIPS 180-4).
    Sha512,
}

impl HashAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Digest size in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The short name: `sha256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The name in a bundle (protobuf-specs `HashAlgorithm`): `SHA2_256`.
    pub fn bundle_name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA2_256",
            Self::Sha384 => "SHA2_384",
            Self::Sha512 => "SHA2_512",
        }
    }

    /// The hash with this short name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.name() == name)
    }

    pub(crate) fn aws(self) -> &'static aws::Algorithm {
        match self {
            Self::Sha256 => &aws::SHA256,
            Self::Sha384 => &aws::SHA384,
            Self::Sha512 => &aws::SHA512,
        }
    }

    /// The digest of bytes already in memory.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        Digest(self, aws::digest(self.aws(), bytes))
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The bytes of a hash, and which hash it is.
#[derive(Clone, Copy)]
pub struct Digest(HashAlgorithm, aws::Digest);

impl Digest {
    /// A digest computed elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when the length is not the algorithm's.
    pub fn from_bytes(algorithm: HashAlgorithm, bytes: &[u8]) -> Result<Self> {
        aws::Digest::import_less_safe(bytes, algorithm.aws()).map(|digest| Self(algorithm, digest)).map_err(
            |_| {
                Error::new(ErrorKind::Integrity, format!("cannot take a {algorithm} digest")).why(format!(
                    "it is {} bytes long, not {}",
                    bytes.len(),
                    algorithm.size()
                ))
            },
        )
    }

    /// Which hash it is.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.0
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.1.as_ref()
    }

    /// The bytes in lower-case hexadecimal.
    pub fn hex(&self) -> String {
        crate::hexadecimal::hex(self.bytes())
    }

    pub(crate) fn aws(&self) -> &aws::Digest {
        &self.1
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 && self.bytes() == other.bytes()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0, self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes one stream into several digests at once.
pub struct Hasher(Vec<(HashAlgorithm, aws::Context)>);

impl Hasher {
    /// A hasher for each of `algorithms`; naming one twice costs nothing.
    pub fn new(algorithms: &[HashAlgorithm]) -> Self {
        let mut contexts: Vec<(HashAlgorithm, aws::Context)> = Vec::with_capacity(algorithms.len());
        for algorithm in algorithms {
            if !contexts.iter().any(|(present, _)| present == algorithm) {
                contexts.push((*algorithm, aws::Context::new(algorithm.aws())));
            }
        }
        Self(contexts)
    }

    /// Feeds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for (_, context) in &mut self.0 {
            context.update(bytes);
        }
    }

    /// The digests, in the order the algorithms were first named.
    pub fn finish(self) -> Vec<Digest> {
        self.0.into_iter().map(|(algorithm, context)| Digest(algorithm, context.finish())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_one_stream_into_several_digests() {
        let mut hasher = Hasher::new(&[HashAlgorithm::Sha512, HashAlgorithm::Sha256, HashAlgorithm::Sha512]);
        hasher.update(b"ab");
        hasher.update(b"c");
        let digests = hasher.finish();
        assert_eq!(digests.len(), 2);
        // FIPS 180-4 test vector "abc".
        assert!(digests[0].hex().starts_with("ddaf35a193617aba"));
        assert_eq!(digests[1], HashAlgorithm::Sha256.digest(b"abc"));
    }

    #[test]
    fn refuses_a_digest_of_the_wrong_length() {
        let error = Digest::from_bytes(HashAlgorithm::Sha384, &[0; 32]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
    }
}
