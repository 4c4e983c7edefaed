//! Public keys and local verification of every algorithm in the table.

use std::fmt;

use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::asn1::UintRef;
use der::{Decode, Encode};
use spki::SubjectPublicKeyInfoRef;
use x509_cert::Certificate;

use crate::algorithm::{Algorithm, KeyType, Scheme};
use crate::digest::{Digest, HashAlgorithm};
use crate::encoding;
use crate::error::{Error, ErrorKind, Result};
use crate::input::Input;
use crate::prehashed::Prehashed;

/// A public key of a type in the table, with its canonical SPKI.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key_type: KeyType,
    /// Uncompressed point, `RSAPublicKey` DER or 32 bytes.
    key: Vec<u8>,
    spki: Vec<u8>,
}

impl PublicKey {
    /// Reads `SubjectPublicKeyInfo` DER (RFC 5280 4.1.2.7). The key is checked: a point must lie on its curve.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a type or size outside the table, [`ErrorKind::Integrity`] for damaged DER.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|cause| damaged(&cause))?;
        let key =
            spki.subject_public_key.as_bytes().ok_or_else(|| damaged(&"the bit string has unused bits"))?;
        let oid = spki.algorithm.oid;
        if oid == encoding::EC_PUBLIC_KEY {
            let curve =
                spki.algorithm.parameters_oid().map_err(|_| unsupported("its curve is not a named one"))?;
            let key_type = encoding::curve(curve)
                .ok_or_else(|| unsupported(&format!("its curve ({curve}) is not P-256, P-384 or P-521")))?;
            Self::from_parts(key_type, key.to_vec())
        } else if oid == encoding::RSA_ENCRYPTION {
            Self::from_rsa_der(key)
        } else if oid == encoding::ED25519 {
            Self::from_parts(KeyType::Ed25519, key.to_vec())
        } else if oid == encoding::RSASSA_PSS {
            Err(unsupported("it is bound to RSASSA-PSS parameters")
                .hint("use a plain RSA key and --signing-algorithm rsa-sign-pss-…"))
        } else {
            Err(unsupported(&format!("its algorithm is {oid}")))
        }
    }

    /// Reads an `RSAPublicKey` (RFC 8017 A.1.1).
    pub fn from_rsa_der(der: &[u8]) -> Result<Self> {
        let rsa = pkcs1::RsaPublicKey::from_der(der).map_err(|cause| damaged(&cause))?;
        let modulus = rsa.modulus.as_bytes();
        let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        let key_type =
            KeyType::ALL.into_iter().find(|key_type| key_type.rsa_bits() == Some(bits)).ok_or_else(|| {
                unsupported(&format!("an RSA modulus of {bits} bits is not in Sigstore's registry"))
                    .hint("use RSA 2048, 3072 or 4096")
            })?;
        Self::from_parts(key_type, der.to_vec())
    }

    /// Builds an RSA key from its two numbers, big-endian.
    pub fn from_rsa_numbers(modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        let encode = || {
            pkcs1::RsaPublicKey { modulus: UintRef::new(modulus)?, public_exponent: UintRef::new(exponent)? }
                .to_der()
        };
        Self::from_rsa_der(&encode().map_err(|cause: der::Error| damaged(&cause))?)
    }

    /// Builds a key from its own form: an uncompressed point, `RSAPublicKey` DER or the 32 bytes of Ed25519.
    pub fn from_parts(key_type: KeyType, key: Vec<u8>) -> Result<Self> {
        // RFC 5480 2.2 lets an SPKI hold a compressed point; Cosign and Go read none, so neither do we.
        if let Some(width) = key_type.field_bytes()
            && key.len() != 1 + 2 * width
        {
            return Err(unsupported("its point is not in the uncompressed form"));
        }
        // Ed25519 keys are checked when they verify: a bad point fits no signature.
        let algorithm = verification(key_type.default_algorithm());
        UnparsedPublicKey::new(algorithm, &key).parse().map_err(|cause| damaged(&cause))?;
        let spki = encoding::spki_der(key_type, &key)?;
        Ok(Self { key_type, key, spki })
    }

    /// Reads a public key from a file's content: PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`) or DER of the
    /// same three. Of a certificate, only its key is taken: nothing else in it is checked.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when it holds something else (a private key, say), [`ErrorKind::Integrity`] when
    /// it is damaged.
    pub fn from_pem_or_der(bytes: &[u8]) -> Result<Self> {
        if let Some(start) = find(bytes, b"-----BEGIN ") {
            let block = pem::parse(&bytes[start..]).map_err(|cause| damaged(&cause))?;
            return match block.tag() {
                "PUBLIC KEY" => Self::from_spki_der(block.contents()),
                "RSA PUBLIC KEY" => Self::from_rsa_der(block.contents()),
                "CERTIFICATE" => Self::from_certificate_der(block.contents()),
                tag if tag.ends_with("PRIVATE KEY") => Err(unsupported("this is a private key").hint(
                    "write its public half with: countersign public-key --key FILE --outfile FILE.pub",
                )),
                tag => Err(unsupported(&format!("a PEM block \"{tag}\" holds no public key"))),
            };
        }
        Self::from_spki_der(bytes).or_else(|error| {
            // The first error speaks of the likeliest form; the others only count when they succeed.
            Self::from_certificate_der(bytes).or_else(|_| Self::from_rsa_der(bytes)).map_err(|_| error)
        })
    }

    /// Reads the key out of an X.509 certificate's DER.
    pub fn from_certificate_der(der: &[u8]) -> Result<Self> {
        let certificate = Certificate::from_der(der).map_err(|cause| damaged(&cause))?;
        let spki =
            certificate.tbs_certificate.subject_public_key_info.to_der().map_err(|cause| damaged(&cause))?;
        Self::from_spki_der(&spki)
    }

    /// The key type.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The canonical `SubjectPublicKeyInfo` DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The SPKI as PEM, `PUBLIC KEY`, lines of 64 characters ended by LF: what Cosign writes to `cosign.pub`.
    pub fn to_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("PUBLIC KEY", self.spki.as_slice()), config)
    }

    /// SHA-256 over the SPKI DER: how a key is told from another.
    pub fn fingerprint(&self) -> Digest {
        HashAlgorithm::Sha256.digest(&self.spki)
    }

    /// The fingerprint in base64: Cosign's public-key hint in bundles.
    pub fn hint(&self) -> String {
        STANDARD.encode(self.fingerprint().bytes())
    }

    /// Verifies a signature as [`crate::Signature`] encodes it.
    ///
    /// Ed25519 follows RFC 8032 with the cofactorless equation and refuses `S` out of range; Ed25519ph also refuses
    /// points of small order. RSA-PSS takes a salt as long as the hash, no other.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when the signature does not match: one fact, without detail.
    /// [`ErrorKind::Unsupported`] when algorithm, key and input do not go together.
    pub fn verify(&self, algorithm: Algorithm, input: Input<'_>, signature: &[u8]) -> Result<()> {
        if algorithm.key_type() != self.key_type {
            return Err(unsupported(&format!("{algorithm} does not fit a {} key", self.key_type)));
        }
        input.check(algorithm)?;
        let verified = match (algorithm.scheme(), input) {
            (Scheme::Ed25519ph, Input::Digest(digest) | Input::Hashed(digest, _)) => {
                self.verify_ed25519ph(digest, signature)
            }
            (_, Input::Digest(digest) | Input::Hashed(digest, _)) => {
                UnparsedPublicKey::new(verification(algorithm), &self.key)
                    .verify_digest(digest.aws(), signature)
                    .is_ok()
            }
            (_, Input::Message(message)) => {
                UnparsedPublicKey::new(verification(algorithm), &self.key).verify(message, signature).is_ok()
            }
        };
        if verified { Ok(()) } else { Err(Error::new(ErrorKind::Integrity, "signature does not match")) }
    }

    fn verify_ed25519ph(&self, digest: &Digest, signature: &[u8]) -> bool {
        let key = <&[u8; 32]>::try_from(self.key.as_slice())
            .ok()
            .and_then(|key| ed25519_dalek::VerifyingKey::from_bytes(key).ok());
        let signature = ed25519_dalek::Signature::from_slice(signature).ok();
        match (key, signature, Prehashed::new(digest)) {
            (Some(key), Some(signature), Some(digest)) => {
                key.verify_prehashed_strict(digest, None, &signature).is_ok()
            }
            _ => false,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.key_type, self.fingerprint())
    }
}

/// The library's name for a row of the table. Ed25519ph is not among its algorithms and is handled apart.
fn verification(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    let hash = algorithm.hash().unwrap_or(Sha512);
    match (algorithm.scheme(), algorithm.key_type(), hash) {
        (Scheme::Ed25519 | Scheme::Ed25519ph, _, _) => &aws::ED25519,
        (Scheme::RsaPkcs1v15, _, Sha256) => &aws::RSA_PKCS1_2048_8192_SHA256,
        (Scheme::RsaPkcs1v15, _, Sha384) => &aws::RSA_PKCS1_2048_8192_SHA384,
        (Scheme::RsaPkcs1v15, _, Sha512) => &aws::RSA_PKCS1_2048_8192_SHA512,
        (Scheme::RsaPss, _, Sha256) => &aws::RSA_PSS_2048_8192_SHA256,
        (Scheme::RsaPss, _, Sha384) => &aws::RSA_PSS_2048_8192_SHA384,
        (Scheme::RsaPss, _, Sha512) => &aws::RSA_PSS_2048_8192_SHA512,
        (Scheme::Ecdsa, KeyType::P256, Sha256) => &aws::ECDSA_P256_SHA256_ASN1,
        (Scheme::Ecdsa, KeyType::P256, Sha384) => &aws::ECDSA_P256_SHA384_ASN1,
        (Scheme::Ecdsa, KeyType::P256, Sha512) => &aws::ECDSA_P256_SHA512_ASN1,
        (Scheme::Ecdsa, KeyType::P384, Sha256) => &aws::ECDSA_P384_SHA256_ASN1,
        (Scheme::Ecdsa, KeyType::P384, Sha384) => &aws::ECDSA_P384_SHA384_ASN1,
        (Scheme::Ecdsa, KeyType::P384, Sha512) => &aws::ECDSA_P384_SHA512_ASN1,
        (Scheme::Ecdsa, _, Sha256) => &aws::ECDSA_P521_SHA256_ASN1,
        (Scheme::Ecdsa, _, Sha384) => &aws::ECDSA_P521_SHA384_ASN1,
        (Scheme::Ecdsa, _, Sha512) => &aws::ECDSA_P521_SHA512_ASN1,
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

fn damaged(cause: &dyn fmt::Display) -> Error {
    Error::new(ErrorKind::Integrity, "cannot read the public key")
        .why(format!("it is damaged or not a key ({cause})"))
}

fn unsupported(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "cannot use the public key").why(why)
}

#[cfg(test)]
mod tests;
