//! Signs artifacts with an opened key: hash once, sign once. What the signature is put into is `bundle`'s matter,
//! where it goes is [`plan`]'s.

pub mod plan;

use std::time::Instant;

use countersign_core::algorithm;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Algorithm, Certificate, Digest, HashAlgorithm, Input, Signature, Signer};

use crate::artifact::{Artifact, Wanted, measure};
use crate::bundle::{self, Content, Draft, Signatory};
use crate::services::{Signed, Testimony, Witnesses};

/// An opened key with all that its signatures need beside them.
pub struct SigningKey<'a> {
    /// The key.
    pub signer: Box<dyn Signer + 'a>,
    /// How it signs.
    pub algorithm: Algorithm,
    /// What an authority says of it.
    pub certified: Certified,
    /// Who is asked to witness.
    pub witnesses: Witnesses<'a>,
}

/// A key's certificate and those above it, DER.
#[derive(Debug, Default)]
pub struct Certified {
    /// The key's own.
    pub certificate: Option<Vec<u8>>,
    /// Its issuers, the root last, where they are known.
    pub chain: Vec<Vec<u8>>,
}

impl SigningKey<'_> {
    /// Has a signature witnessed.
    ///
    /// # Errors
    /// Those of [`Witnesses::ask`].
    pub fn witness(&self, content: Content<'_>, signature: &[u8]) -> Result<Testimony> {
        self.witness_as(self.algorithm, content, signature)
    }

    /// The same for a signature by another algorithm than the key's own here.
    ///
    /// # Errors
    /// Those of [`Witnesses::ask`].
    pub fn witness_as(
        &self,
        algorithm: Algorithm,
        content: Content<'_>,
        signature: &[u8],
    ) -> Result<Testimony> {
        let key = &self.signer.info().public_key;
        let certificate = self.certified.certificate.as_deref();
        self.witnesses.ask(&Signed { signature, content, key, certificate, algorithm })
    }

    /// Its certificate in PEM.
    ///
    /// # Errors
    /// Those of a certificate that cannot be read.
    pub fn certificate_pem(&self) -> Result<Option<String>> {
        self.certified.certificate.as_deref().map(|der| Ok(Certificate::from_der(der)?.to_pem())).transpose()
    }

    /// A bundle of version 0.3.
    pub fn bundle(&self, content: Content<'_>, testimony: &Testimony) -> Vec<u8> {
        let hint = self.signer.info().public_key.hint();
        let signatory =
            self.certified.certificate.as_deref().map_or(Signatory::Hint(&hint), Signatory::Certificate);
        let Testimony { entries, timestamps, .. } = testimony;
        Draft { signatory, content, entries, timestamps }.to_json()
    }

    /// Cosign's older bundle around a signature, or an envelope in its place.
    pub fn legacy_bundle(&self, signature: &[u8], testimony: &Testimony) -> Vec<u8> {
        let certificate =
            self.certified.certificate.as_deref().and_then(|der| Certificate::from_der(der).ok());
        // Cosign takes nothing but a certificate in the place of one; a key is the verifier's to know.
        let pem = certificate.map(|certificate| certificate.to_pem());
        bundle::legacy_json(signature, pem.as_deref(), testimony.entries.first())
    }
}

/// A signature, and the digest that its bundle states.
#[derive(Debug)]
pub struct SignedBlob {
    /// The signature.
    pub signature: Signature,
    /// The digest that was signed; for message algorithms SHA-256 of the message, which readers look up by.
    pub digest: Digest,
}

/// Reads the artifact and signs it. Costs one pass over the artifact and one operation of the key.
///
/// # Errors
/// Those of [`measure`] and of the signer.
pub fn sign_blob(
    signer: &dyn Signer,
    algorithm: Algorithm,
    artifact: &Artifact,
    deadline: Option<Instant>,
    progress: &dyn Fn(usize),
) -> Result<SignedBlob> {
    let hash = algorithm.hash().unwrap_or(HashAlgorithm::Sha256);
    let hashes_itself = signer.info().hashes_itself.contains(&algorithm);
    let wanted = Wanted { hashes: vec![hash], message: algorithm.signs_message() || hashes_itself };
    let measured = measure(artifact, &wanted, deadline, progress)?;
    let digest = *measured.digest(hash).ok_or_else(|| Error::internal("the wanted digest was not taken"))?;
    sign_measured(signer, algorithm, digest, measured.message.as_deref())
}

/// Signs what is in memory. Costs one operation of the key.
///
/// # Errors
/// Those of the signer.
pub fn sign_bytes(signer: &dyn Signer, algorithm: Algorithm, bytes: &[u8]) -> Result<SignedBlob> {
    let hash = algorithm.hash().unwrap_or(HashAlgorithm::Sha256);
    sign_measured(signer, algorithm, hash.digest(bytes), Some(bytes))
}

/// Hands the signer what the algorithm demands; the message must be there where that is it.
fn sign_measured(
    signer: &dyn Signer,
    algorithm: Algorithm,
    digest: Digest,
    message: Option<&[u8]>,
) -> Result<SignedBlob> {
    let hashes_itself = signer.info().hashes_itself.contains(&algorithm);
    let input = match message {
        Some(message) if hashes_itself => Input::Hashed(&digest, message),
        Some(message) if algorithm.signs_message() => Input::Message(message),
        _ => Input::Digest(&digest),
    };
    Ok(SignedBlob { signature: signer.sign(algorithm, input)?, digest })
}

/// The algorithm to sign with: the chosen one if the key does it, else the key's default.
///
/// # Errors
/// [`ErrorKind::Unsupported`] with what the key does.
pub fn choose_algorithm(signer: &dyn Signer, chosen: Option<Algorithm>) -> Result<Algorithm> {
    let info = signer.info();
    match chosen {
        Some(algorithm) if info.algorithms.contains(&algorithm) => Ok(algorithm),
        Some(algorithm) => Err(Error::new(ErrorKind::Unsupported, format!("cannot sign with {}", info.uri))
            .why(format!("a {} key does not do {algorithm}", info.public_key.key_type()))
            .hint(format!(
                "leave --signing-algorithm out, or choose of: {}",
                algorithm::names(&info.algorithms)
            ))),
        None => info.algorithms.first().copied().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("cannot sign with {}", info.uri))
                .why("the key does no algorithm that we know")
        }),
    }
}
