//! Private keys: what a slot can hold, and what it does with them.

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use rand_core::OsRng;
use rsa::BigUint;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _};
use rsa::signature::SignatureEncoding as _;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256, Sha384};
use x509_cert::der::asn1::{Any, BitString, Null};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::Algorithm;
use crate::status::Status;
use crate::tlv::{self, Element};

const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A private key of any algorithm.
#[derive(Clone)]
pub(crate) enum PrivateKey {
    Rsa(Box<rsa::RsaPrivateKey>),
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl PrivateKey {
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, Status> {
        Ok(match algorithm {
            Algorithm::P256 => Self::P256(p256::SecretKey::random(&mut OsRng)),
            Algorithm::P384 => Self::P384(p384::SecretKey::random(&mut OsRng)),
            Algorithm::Ed25519 => Self::Ed25519(ed25519_dalek::SigningKey::generate(&mut OsRng)),
            Algorithm::Rsa1024 | Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096 => {
                let bits = 8 * algorithm.rsa_size().ok_or(Status::INTERNAL)?;
                Self::Rsa(Box::new(rsa::RsaPrivateKey::new(&mut OsRng, bits).map_err(|_| Status::INTERNAL)?))
            }
        })
    }

    /// An RSA key in PKCS#8.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        rsa::RsaPrivateKey::from_pkcs8_der(der).ok().map(|key| Self::Rsa(Box::new(key)))
    }

    /// From the data of IMPORT KEY: 01 and 02 are the primes of RSA, 06 the scalar, 07 the seed. The exponent of an RSA
    /// key is 65537.
    pub(crate) fn import(algorithm: Algorithm, data: &[Element<'_>]) -> Result<Self, Status> {
        let value = |tag| tlv::find(data, tag).ok_or(Status::INCORRECT_DATA);
        match algorithm {
            Algorithm::P256 => {
                p256::SecretKey::from_slice(value(6)?).map(Self::P256).map_err(|_| Status::INCORRECT_DATA)
            }
            Algorithm::P384 => {
                p384::SecretKey::from_slice(value(6)?).map(Self::P384).map_err(|_| Status::INCORRECT_DATA)
            }
            Algorithm::Ed25519 => {
                let seed = value(7)?.try_into().map_err(|_| Status::INCORRECT_DATA)?;
                Ok(Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)))
            }
            Algorithm::Rsa1024 | Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096 => {
                let (p, q) = (BigUint::from_bytes_be(value(1)?), BigUint::from_bytes_be(value(2)?));
                let key = rsa::RsaPrivateKey::from_p_q(p, q, BigUint::from(65537u32));
                let key = key.map_err(|_| Status::INCORRECT_DATA)?;
                if Some(key.size()) != algorithm.rsa_size() {
                    return Err(Status::INCORRECT_DATA);
                }
                Ok(Self::Rsa(Box::new(key)))
            }
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::P256(_) => Algorithm::P256,
            Self::P384(_) => Algorithm::P384,
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::Rsa(key) => match key.size() {
                128 => Algorithm::Rsa1024,
                384 => Algorithm::Rsa3072,
                512 => Algorithm::Rsa4096,
                _ => Algorithm::Rsa2048,
            },
        }
    }

    /// What is inside 7F49 (SP 800-73-4 Part 2 table 11): 81 and 82 for RSA, else 86.
    pub(crate) fn public_elements(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => tlv::element(0x86, key.public_key().to_encoded_point(false).as_bytes()),
            Self::P384(key) => tlv::element(0x86, key.public_key().to_encoded_point(false).as_bytes()),
            Self::Ed25519(key) => tlv::element(0x86, key.verifying_key().as_bytes()),
            Self::Rsa(key) => {
                let mut elements = tlv::element(0x81, &key.n().to_bytes_be());
                tlv::push(&mut elements, 0x82, &key.e().to_bytes_be());
                elements
            }
        }
    }

    pub(crate) fn public_key_info(&self) -> Option<SubjectPublicKeyInfoOwned> {
        let document = match self {
            Self::P256(key) => key.public_key().to_public_key_der(),
            Self::P384(key) => key.public_key().to_public_key_der(),
            Self::Ed25519(key) => key.verifying_key().to_public_key_der(),
            Self::Rsa(key) => key.to_public_key().to_public_key_der(),
        };
        SubjectPublicKeyInfoOwned::from_der(document.ok()?.as_bytes()).ok()
    }

    /// GENERAL AUTHENTICATE with a challenge: RSA without padding, ECDSA of a digest no longer than the curve (shorter
    /// ones count as numbers), Ed25519 of the message.
    pub(crate) fn answer(&self, challenge: &[u8]) -> Result<Vec<u8>, Status> {
        match self {
            Self::P256(key) => {
                let key = p256::ecdsa::SigningKey::from(key);
                let signature: p256::ecdsa::Signature =
                    key.sign_prehash(&padded(challenge, 32)?).map_err(|_| Status::INTERNAL)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::P384(key) => {
                let key = p384::ecdsa::SigningKey::from(key);
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash(&padded(challenge, 48)?).map_err(|_| Status::INTERNAL)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::Ed25519(key) => Ok(key.sign(challenge).to_bytes().to_vec()),
            Self::Rsa(key) => {
                if challenge.len() != key.size() {
                    return Err(Status::INCORRECT_DATA);
                }
                let number = BigUint::from_bytes_be(challenge);
                if &number >= key.n() {
                    return Err(Status::INCORRECT_DATA);
                }
                let answer = rsa::hazmat::rsa_decrypt_and_check(&**key, Some(&mut OsRng), &number);
                padded(&answer.map_err(|_| Status::INTERNAL)?.to_bytes_be(), key.size())
            }
        }
    }

    /// GENERAL AUTHENTICATE with another's point: the x coordinate of the shared one.
    pub(crate) fn agree(&self, point: &[u8]) -> Result<Vec<u8>, Status> {
        match self {
            Self::P256(key) => {
                let point = p256::PublicKey::from_sec1_bytes(point).map_err(|_| Status::INCORRECT_DATA)?;
                let shared = p256::ecdh::diffie_hellman(key.to_nonzero_scalar(), point.as_affine());
                Ok(shared.raw_secret_bytes().to_vec())
            }
            Self::P384(key) => {
                let point = p384::PublicKey::from_sec1_bytes(point).map_err(|_| Status::INCORRECT_DATA)?;
                let shared = p384::ecdh::diffie_hellman(key.to_nonzero_scalar(), point.as_affine());
                Ok(shared.raw_secret_bytes().to_vec())
            }
            Self::Ed25519(_) | Self::Rsa(_) => Err(Status::INCORRECT_DATA),
        }
    }

    /// The algorithm that certificates by this key name.
    pub(crate) fn signature_algorithm(&self) -> AlgorithmIdentifierOwned {
        let (oid, parameters) = match self {
            Self::P256(_) => (ECDSA_WITH_SHA256, None),
            Self::P384(_) => (ECDSA_WITH_SHA384, None),
            Self::Ed25519(_) => (ED25519, None),
            Self::Rsa(_) => (SHA256_WITH_RSA, Some(Any::from(Null))),
        };
        AlgorithmIdentifierOwned { oid, parameters }
    }

    /// A signature of [`Self::signature_algorithm`] over a message.
    pub(crate) fn sign_message(&self, message: &[u8]) -> Option<BitString> {
        let signature = match self {
            Self::P256(_) => self.answer(&Sha256::digest(message)).ok()?,
            Self::P384(_) => self.answer(&Sha384::digest(message)).ok()?,
            Self::Ed25519(_) => self.answer(message).ok()?,
            Self::Rsa(key) => {
                let key = rsa::pkcs1v15::SigningKey::<Sha256>::new((**key).clone());
                rsa::signature::Signer::try_sign(&key, message).ok()?.to_vec()
            }
        };
        BitString::from_bytes(&signature).ok()
    }

    /// The DER of the public key (SubjectPublicKeyInfo).
    pub(crate) fn public_key_der(&self) -> Option<Vec<u8>> {
        self.public_key_info()?.to_der().ok()
    }
}

/// A number of at most `size` bytes, with zeros in front.
fn padded(number: &[u8], size: usize) -> Result<Vec<u8>, Status> {
    let zeros = size.checked_sub(number.len()).ok_or(Status::INCORRECT_DATA)?;
    let mut padded = vec![0; zeros];
    padded.extend_from_slice(number);
    Ok(padded)
}
