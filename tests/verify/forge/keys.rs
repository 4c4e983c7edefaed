//! Key pairs of the forge, by the cryptographic library itself: nothing of ours signs here.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::PublicKey;

use super::sha256;

/// A key pair.
pub(crate) struct Key(Pair);

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    /// A new one that signs SHA-256 digests, ECDSA in DER.
    pub(crate) fn p256() -> Self {
        Self(Pair::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()))
    }

    /// A new one that signs messages.
    pub(crate) fn ed25519() -> Self {
        Self(Pair::Ed25519(Ed25519KeyPair::generate().unwrap()))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Pair::P256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public half as SubjectPublicKeyInfo, DER.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match &self.0 {
            Pair::P256(pair) => pair.public_key().as_der().unwrap(),
            Pair::Ed25519(pair) => pair.public_key().as_der().unwrap(),
        };
        der.as_ref().to_vec()
    }

    /// The public half without any wrapping.
    pub(crate) fn raw(&self) -> Vec<u8> {
        match &self.0 {
            Pair::P256(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The identifier that logs of version 1 and CT logs derive from it (RFC 6962 3.2).
    pub(crate) fn id(&self) -> Vec<u8> {
        sha256(&self.spki()).to_vec()
    }

    /// The hint that bundles state.
    pub(crate) fn hint(&self) -> String {
        STANDARD.encode(self.id())
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_spki_der(&self.spki()).unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki())
    }

    /// How a trusted root names its algorithm.
    pub(crate) fn details(&self) -> &'static str {
        match self.0 {
            Pair::P256(_) => "PKIX_ECDSA_P256_SHA_256",
            Pair::Ed25519(_) => "PKIX_ED25519",
        }
    }
}

/// DER as PEM, lines of 64 characters.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
