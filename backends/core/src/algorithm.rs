//! The one table of algorithms. Signing, verifying, bundles and the command line read only this.
//!
//! Names are those of Sigstore's algorithm registry (protobuf-specs `PublicKeyDetails`) as Cosign's
//! `--signing-algorithm` spells them; rows with a hash that the registry does not pair with the key type carry a
//! name built the same way and exist so that signatures made elsewhere can be verified.

use std::fmt;

use crate::digest::HashAlgorithm::{self, Sha256, Sha384, Sha512};
use crate::error::{Error, ErrorKind, Result};

/// A type and size of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// NIST P-256 (secp256r1).
    P256,
    /// NIST P-384 (secp384r1).
    P384,
    /// NIST P-521 (secp521r1).
    P521,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// RSA with a modulus of 3072 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
    /// Ed25519 (RFC 8032).
    Ed25519,
}

impl KeyType {
    /// All of them, in the order lists are shown.
    pub const ALL: [Self; 7] =
        [Self::P256, Self::P384, Self::P521, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096, Self::Ed25519];

    /// The name people use, as in `P-256` or `RSA-3072`.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Rsa2048 => "RSA-2048",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The modulus size in bits of an RSA type.
    pub fn rsa_bits(self) -> Option<usize> {
        match self {
            Self::Rsa2048 => Some(2048),
            Self::Rsa3072 => Some(3072),
            Self::Rsa4096 => Some(4096),
            Self::P256 | Self::P384 | Self::P521 | Self::Ed25519 => None,
        }
    }

    /// The size of a curve's field element in bytes: half of a raw `r || s` signature.
    pub fn field_bytes(self) -> Option<usize> {
        match self {
            Self::P256 => Some(32),
            Self::P384 => Some(48),
            Self::P521 => Some(66),
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 | Self::Ed25519 => None,
        }
    }

    /// The algorithm used when nobody chose one.
    pub fn default_algorithm(self) -> Algorithm {
        TABLE
            .iter()
            .find(|row| row.algorithm.key_type == self && row.default)
            .map(|row| row.algorithm)
            .expect("the table has one default row for each key type; a test counts them")
    }

    /// Every algorithm of the table for this key type, the default first.
    pub fn algorithms(self) -> impl Iterator<Item = Algorithm> {
        TABLE.iter().map(|row| row.algorithm).filter(move |algorithm| algorithm.key_type == self)
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a signature is built from digest or message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// ECDSA (FIPS 186-5); signatures as ASN.1 DER `Ecdsa-Sig-Value` (RFC 3279 2.2.3).
    Ecdsa,
    /// RSASSA-PKCS1-v1_5 (RFC 8017 8.2).
    RsaPkcs1v15,
    /// RSASSA-PSS (RFC 8017 8.1), MGF1 with the same hash, salt as long as the hash.
    RsaPss,
    /// Pure Ed25519 (RFC 8032 5.1): signs the message itself.
    Ed25519,
    /// Ed25519ph (RFC 8032 5.1) with an empty context: signs a SHA-512 digest.
    Ed25519ph,
}

/// A key type, a scheme and a hash that go together. Only rows of the table exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Algorithm {
    key_type: KeyType,
    scheme: Scheme,
    hash: Option<HashAlgorithm>,
}

struct Row {
    algorithm: Algorithm,
    name: &'static str,
    default: bool,
}

const fn row(key_type: KeyType, scheme: Scheme, hash: Option<HashAlgorithm>, name: &'static str) -> Row {
    Row { algorithm: Algorithm { key_type, scheme, hash }, name, default: false }
}

const fn default(key_type: KeyType, scheme: Scheme, hash: Option<HashAlgorithm>, name: &'static str) -> Row {
    Row { algorithm: Algorithm { key_type, scheme, hash }, name, default: true }
}

use KeyType::{Ed25519, P256, P384, P521, Rsa2048, Rsa3072, Rsa4096};
use Scheme::{Ecdsa, RsaPkcs1v15, RsaPss};

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // The registry's rows (protobuf-specs PublicKeyDetails); the default of each key type first.
    default(P256,    Ecdsa,             Some(Sha256), "ecdsa-sha2-256-nistp256"),
    default(P384,    Ecdsa,             Some(Sha384), "ecdsa-sha2-384-nistp384"),
    default(P521,    Ecdsa,             Some(Sha512), "ecdsa-sha2-512-nistp521"),
    default(Rsa2048, RsaPkcs1v15,       Some(Sha256), "rsa-sign-pkcs1-2048-sha256"),
    default(Rsa3072, RsaPkcs1v15,       Some(Sha256), "rsa-sign-pkcs1-3072-sha256"),
    default(Rsa4096, RsaPkcs1v15,       Some(Sha256), "rsa-sign-pkcs1-4096-sha256"),
    default(Ed25519, Scheme::Ed25519,   None,         "ed25519"),
    row(Ed25519,     Scheme::Ed25519ph, Some(Sha512), "ed25519-ph"),
    row(Rsa2048,     RsaPss,            Some(Sha256), "rsa-sign-pss-2048-sha256"),
    row(Rsa3072,     RsaPss,            Some(Sha256), "rsa-sign-pss-3072-sha256"),
    row(Rsa4096,     RsaPss,            Some(Sha256), "rsa-sign-pss-4096-sha256"),
    // SHA-256 under the larger curves: what Cosign's token and KMS keys write, and the legacy image layout.
    row(P384,        Ecdsa,             Some(Sha256), "ecdsa-sha2-256-nistp384"),
    row(P521,        Ecdsa,             Some(Sha256), "ecdsa-sha2-256-nistp521"),
    // Other pairings that key services and `openssl dgst` produce.
    row(P256,        Ecdsa,             Some(Sha384), "ecdsa-sha2-384-nistp256"),
    row(P256,        Ecdsa,             Some(Sha512), "ecdsa-sha2-512-nistp256"),
    row(P384,        Ecdsa,             Some(Sha512), "ecdsa-sha2-512-nistp384"),
    row(P521,        Ecdsa,             Some(Sha384), "ecdsa-sha2-384-nistp521"),
    row(Rsa2048,     RsaPkcs1v15,       Some(Sha384), "rsa-sign-pkcs1-2048-sha384"),
    row(Rsa3072,     RsaPkcs1v15,       Some(Sha384), "rsa-sign-pkcs1-3072-sha384"),
    row(Rsa4096,     RsaPkcs1v15,       Some(Sha384), "rsa-sign-pkcs1-4096-sha384"),
    row(Rsa2048,     RsaPkcs1v15,       Some(Sha512), "rsa-sign-pkcs1-2048-sha512"),
    row(Rsa3072,     RsaPkcs1v15,       Some(Sha512), "rsa-sign-pkcs1-3072-sha512"),
    row(Rsa4096,     RsaPkcs1v15,       Some(Sha512), "rsa-sign-pkcs1-4096-sha512"),
];

impl Algorithm {
    /// Every row of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.algorithm)
    }

    /// The row with this registry name.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with all names in the hint.
    pub fn parse(name: &str) -> Result<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.algorithm).ok_or_else(|| {
            let names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
            Error::new(ErrorKind::Unsupported, format!("unknown signing algorithm \"{name}\""))
                .hint(format!("one of: {}", names.join(", ")))
        })
    }

    /// The row for a key type, scheme family and hash: the key's default scheme with another hash.
    pub fn with_hash(key_type: KeyType, hash: HashAlgorithm) -> Option<Self> {
        let scheme = key_type.default_algorithm().scheme;
        key_type.algorithms().find(|row| row.scheme == scheme && row.hash == Some(hash))
    }

    /// The key type it needs.
    pub fn key_type(self) -> KeyType {
        self.key_type
    }

    /// The scheme.
    pub fn scheme(self) -> Scheme {
        self.scheme
    }

    /// The hash whose digest is signed; `None` for message algorithms, which sign the message itself.
    pub fn hash(self) -> Option<HashAlgorithm> {
        self.hash
    }

    /// Whether it signs the message itself and so cannot stream.
    pub fn signs_message(self) -> bool {
        self.hash.is_none()
    }

    /// The registry's name, as in `ecdsa-sha2-256-nistp256`.
    pub fn name(self) -> &'static str {
        TABLE
            .iter()
            .find(|row| row.algorithm == self)
            .map(|row| row.name)
            .expect("only rows of the table exist")
    }
}

/// Their names for a message, with commas between.
pub fn names(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_type_has_exactly_one_default() {
        for key_type in KeyType::ALL {
            let defaults =
                TABLE.iter().filter(|row| row.algorithm.key_type == key_type && row.default).count();
            assert_eq!(defaults, 1, "{key_type}");
            assert_eq!(key_type.algorithms().next(), Some(key_type.default_algorithm()), "default first");
        }
    }

    #[test]
    fn names_are_unique_and_parse_back() {
        for algorithm in Algorithm::all() {
            assert_eq!(Algorithm::parse(algorithm.name()).unwrap(), algorithm);
        }
        assert_eq!(Algorithm::parse("rsa").unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
