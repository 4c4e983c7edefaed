//! The only place where private key bytes live: file keys, keys in variables, secrets of a cluster, ephemeral keys.
//!
//! [`LocalKey`] is a parsed private key; [`parse`] reads every form we take, [`seal`] writes Cosign's encrypted key
//! file. The forms have a file each: `cosign_key.rs`, `pkcs8_key.rs`, `openssh.rs`.

mod cosign_key;
mod openssh;
mod parse;
mod pkcs8_key;
#[cfg(test)]
mod tests;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self as aws, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding,
};
use zeroize::Zeroizing;

pub use cosign_key::seal;
pub use parse::{Form, form, parse};

use crate::algorithm::{Algorithm, KeyType, Scheme};
use crate::digest::{Digest, HashAlgorithm};
use crate::error::{Error, ErrorKind, Result};
use crate::input::Input;
use crate::prehashed::Prehashed;
use crate::public_key::PublicKey;
use crate::signer::{RawSignature, SignRequest};

/// A private key in memory.
pub struct LocalKey {
    key: Key,
    public_key: PublicKey,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519 {
        pair: Ed25519KeyPair,
        /// For Ed25519ph, which the pair's library does not do.
        seed: Zeroizing<[u8; 32]>,
    },
}

impl LocalKey {
    /// Makes a new key of this type from the system's randomness.
    pub fn generate(key_type: KeyType) -> Result<Self> {
        let failed = |_| Error::internal(format!("cannot make a {key_type} key"));
        match key_type {
            KeyType::P256 | KeyType::P384 | KeyType::P521 => {
                let pair = EcdsaKeyPair::generate(ecdsa(key_type)).map_err(failed)?;
                Self::from_ecdsa(key_type, pair)
            }
            KeyType::Rsa2048 => Self::from_rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?),
            KeyType::Rsa3072 => Self::from_rsa(RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?),
            KeyType::Rsa4096 => Self::from_rsa(RsaKeyPair::generate(KeySize::Rsa4096).map_err(failed)?),
            KeyType::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                aws_lc_rs::rand::fill(seed.as_mut()).map_err(failed)?;
                Self::from_ed25519_seed(seed)
            }
        }
    }

    fn from_ecdsa(key_type: KeyType, pair: EcdsaKeyPair) -> Result<Self> {
        let public_key = PublicKey::from_parts(key_type, pair.public_key().as_ref().to_vec())?;
        Ok(Self { key: Key::Ecdsa(pair), public_key })
    }

    fn from_rsa(pair: RsaKeyPair) -> Result<Self> {
        let public_key = PublicKey::from_rsa_der(pair.public_key().as_ref())?;
        Ok(Self { key: Key::Rsa(pair), public_key })
    }

    fn from_ed25519_seed(seed: Zeroizing<[u8; 32]>) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|cause| damaged(&cause))?;
        let public_key = PublicKey::from_parts(KeyType::Ed25519, pair.public_key().as_ref().to_vec())?;
        Ok(Self { key: Key::Ed25519 { pair, seed }, public_key })
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// What this key can sign, the default first. P-256 keys sign with their own hash only, P-384 keys with SHA-256 too, which
    /// older verifiers of images ask of every curve.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let own_hash = |algorithm: &Algorithm| match algorithm.key_type() {
            KeyType::P256 => *algorithm == algorithm.key_type().default_algorithm(),
            KeyType::P384 => algorithm.hash() != Some(HashAlgorithm::Sha512),
            KeyType::P521 | KeyType::Ed25519 | KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => true,
        };
        self.public_key.key_type().algorithms().filter(own_hash).collect()
    }

    /// The key as unencrypted PKCS#8 v1 DER (RFC 5208), wiped when dropped.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>> {
        let failed = |_| Error::internal("cannot encode a private key");
        Ok(Zeroizing::new(match &self.key {
            Key::Ecdsa(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Key::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(failed)?.as_ref().to_vec(),
            Key::Ed25519 { pair, .. } => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
        }))
    }

    /// Signs a request of the core's. The core verifies the result before it leaves.
    pub fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        let failed = |_| Error::internal(format!("cannot sign with {}", request.algorithm()));
        match (&self.key, request.input().essence()) {
            (Key::Ecdsa(pair), Input::Digest(digest)) => {
                // The pair carries the hash of its own algorithm; another hash needs the pair under that name.
                let own = request.algorithm() == request.algorithm().key_type().default_algorithm();
                let signature = if own {
                    pair.sign_digest(digest.aws()).map_err(failed)?
                } else if request.algorithm().key_type() == KeyType::P384 {
                    pair.sign_digest(widened(digest)?.aws()).map_err(failed)?
                } else {
                    let algorithm = ecdsa_with_hash(request.algorithm())?;
                    EcdsaKeyPair::from_pkcs8(algorithm, &self.to_pkcs8()?)
                        .map_err(|cause| damaged(&cause))?
                        .sign_digest(digest.aws())
                        .map_err(failed)?
                };
                Ok(RawSignature::EcdsaDer(signature.as_ref().to_vec()))
            }
            (Key::Rsa(pair), Input::Digest(digest)) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(rsa(request.algorithm()), digest.aws(), &mut signature).map_err(failed)?;
                Ok(RawSignature::Rsa(signature))
            }
            (Key::Ed25519 { pair, .. }, Input::Message(message)) => {
                Ok(RawSignature::Ed25519(pair.sign(message).as_ref().to_vec()))
            }
            (Key::Ed25519 { seed, .. }, Input::Digest(digest)) => {
                let prehashed =
                    Prehashed::new(digest).ok_or_else(|| Error::internal("Ed25519ph without SHA-512"))?;
                let signature = ed25519_dalek::SigningKey::from_bytes(seed)
                    .sign_prehashed(prehashed, None)
                    .map_err(|_| Error::internal("cannot sign with ed25519-ph"))?;
                Ok(RawSignature::Ed25519(signature.to_bytes().to_vec()))
            }
            (Key::Ecdsa(_) | Key::Rsa(_), Input::Message(_)) | (_, Input::Hashed(..)) => {
                Err(Error::internal("a message for a key that takes digests"))
            }
        }
    }
}

/// A SHA-256 digest as one of SHA-384's length, for the library has no P-384 signer with SHA-256. ECDSA reads a digest as a
/// number, and zeros before it change none (FIPS 186-5 6.4.1, step 3, with a digest no longer than the curve's order).
fn widened(digest: &Digest) -> Result<Digest> {
    let mut wide = vec![0; HashAlgorithm::Sha384.size() - digest.bytes().len()];
    wide.extend_from_slice(digest.bytes());
    Digest::from_bytes(HashAlgorithm::Sha384, &wide)
}

fn ecdsa(key_type: KeyType) -> &'static EcdsaSigningAlgorithm {
    match key_type {
        KeyType::P384 => &aws::ECDSA_P384_SHA384_ASN1_SIGNING,
        KeyType::P521 => &aws::ECDSA_P521_SHA512_ASN1_SIGNING,
        KeyType::P256 | KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 | KeyType::Ed25519 => {
            &aws::ECDSA_P256_SHA256_ASN1_SIGNING
        }
    }
}

fn ecdsa_with_hash(algorithm: Algorithm) -> Result<&'static EcdsaSigningAlgorithm> {
    match (algorithm.key_type(), algorithm.hash()) {
        (KeyType::P521, Some(HashAlgorithm::Sha256)) => Ok(&aws::ECDSA_P521_SHA256_ASN1_SIGNING),
        (KeyType::P521, Some(HashAlgorithm::Sha384)) => Ok(&aws::ECDSA_P521_SHA384_ASN1_SIGNING),
        _ => Err(Error::new(ErrorKind::Unsupported, format!("a local key does not sign with {algorithm}"))),
    }
}

fn rsa(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    let hash = algorithm.hash().unwrap_or(Sha256);
    match (algorithm.scheme() == Scheme::RsaPss, hash) {
        (true, Sha256) => &aws::RSA_PSS_SHA256,
        (true, Sha384) => &aws::RSA_PSS_SHA384,
        (true, Sha512) => &aws::RSA_PSS_SHA512,
        (false, Sha256) => &aws::RSA_PKCS1_SHA256,
        (false, Sha384) => &aws::RSA_PKCS1_SHA384,
        (false, Sha512) => &aws::RSA_PKCS1_SHA512,
    }
}

fn damaged(cause: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Integrity, "cannot read the private key").why(format!("it is damaged ({cause})"))
}

fn unsupported(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, "cannot use the private key").why(why)
}

fn wrong_password() -> Error {
    Error::new(ErrorKind::WrongPin { tries_left: None }, "cannot decrypt the private key")
        .why("the password is wrong, or the file is damaged")
        .hint("give the password by prompt, COSIGN_PASSWORD or --password-source")
}
