//! What an opened key does: sign one digest or message.
//!
//! Backends implement [`Signer::sign_raw`]; callers use `sign` on `dyn Signer`, which refuses a pair the key cannot
//! do, asks the backend, encodes and **verifies locally** before the signature leaves. The request type can only be
//! made here, so no caller reaches a backend's signature unverified.

use crate::algorithm::{self, Algorithm, KeyType, Scheme};
use crate::encoding;
use crate::error::{Error, ErrorKind, Result};
use crate::input::Input;
use crate::public_key::PublicKey;

/// Where the private key lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In a file or variable of this machine; its bytes are in our memory while it is open.
    File,
    /// In a token, card or HSM.
    Token,
    /// In a service.
    Service,
}

impl Location {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Token => "token",
            Self::Service => "service",
        }
    }
}

/// What is known of an opened key.
#[derive(Debug, Clone)]
pub struct KeyInfo {
    /// The canonical URI, redacted: names this key and can be shown.
    pub uri: String,
    /// The public half.
    pub public_key: PublicKey,
    /// What this key can sign, the default first. Settled at opening.
    pub algorithms: Vec<Algorithm>,
    /// Those of them for which the store makes the digest: they take [`Input::Hashed`].
    pub hashes_itself: Vec<Algorithm>,
    /// The certificate that lies beside the key: DER, RFC 5280. Nothing is checked but that it holds this key.
    pub certificate: Option<Vec<u8>>,
    /// The version, where the store has versions: resolved once, signed with, reported.
    pub version: Option<String>,
    /// Where the private half lives.
    pub location: Location,
}

impl KeyInfo {
    /// A key without version or certificate, in a store that takes digests.
    pub fn new(uri: String, public_key: PublicKey, algorithms: Vec<Algorithm>, location: Location) -> Self {
        Self {
            uri,
            public_key,
            algorithms,
            hashes_itself: Vec::new(),
            certificate: None,
            version: None,
            location,
        }
    }
}

/// One signature to be made. Only the core makes these.
#[derive(Debug)]
pub struct SignRequest<'a> {
    algorithm: Algorithm,
    input: Input<'a>,
}

impl SignRequest<'_> {
    /// The algorithm, one of the key's own.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digest or message, of the kind the algorithm takes.
    pub fn input(&self) -> Input<'_> {
        self.input
    }
}

/// A signature as the store returned it.
#[derive(Debug)]
pub enum RawSignature {
    /// ECDSA as ASN.1 DER.
    EcdsaDer(Vec<u8>),
    /// ECDSA as `r || s`, each as wide as the curve's field.
    EcdsaFixed(Vec<u8>),
    /// RSA as the modulus-sized octet string.
    Rsa(Vec<u8>),
    /// Ed25519 and Ed25519ph: 64 bytes.
    Ed25519(Vec<u8>),
}

/// A verified signature. ECDSA: minimal ASN.1 DER; RSA: as long as the modulus, big-endian; Ed25519: 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Signature {
    /// The algorithm it was made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The encoded bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// One opened key. Blocking; shared freely between threads.
pub trait Signer: Send + Sync {
    /// What is known of the key.
    fn info(&self) -> &KeyInfo;

    /// Asks the store for a signature. Callers use `sign`, which checks what comes back.
    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature>;
}

impl dyn Signer + '_ {
    /// Signs. Costs one operation of the store (perhaps a touch or a network call) and one local verification.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], before the store is asked, for an algorithm or input the key does not take;
    /// [`ErrorKind::Integrity`] when what came back does not verify (it is withheld); else the store's own kinds.
    pub fn sign(&self, algorithm: Algorithm, input: Input<'_>) -> Result<Signature> {
        let info = self.info();
        if !info.algorithms.contains(&algorithm) {
            return Err(Error::new(ErrorKind::Unsupported, format!("cannot sign with {}", info.uri))
                .why(format!("this {} key does not do {algorithm}", info.public_key.key_type()))
                .hint(format!("it does: {}", algorithm::names(&info.algorithms))));
        }
        input.check(algorithm)?;
        if info.hashes_itself.contains(&algorithm) && matches!(input, Input::Digest(_)) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("cannot sign a digest with {}", info.uri),
            )
            .why("this key store takes the whole message and hashes it by itself")
            .hint("sign the file instead of its digest"));
        }
        let raw = self.sign_raw(&SignRequest { algorithm, input })?;
        let bytes =
            encode(algorithm, raw).map_err(|error| error.within(format!("cannot sign with {}", info.uri)))?;
        info.public_key.verify(algorithm, input.essence(), &bytes).map_err(|_| {
            Error::new(ErrorKind::Integrity, format!("the signature made with {} is withheld", info.uri))
                .why("it does not match the key's own public half")
                .hint("the key store returned a wrong signature: check the device or service before signing again")
        })?;
        Ok(Signature { algorithm, bytes })
    }
}

fn encode(algorithm: Algorithm, raw: RawSignature) -> Result<Vec<u8>> {
    let curve = algorithm.key_type();
    match (algorithm.scheme(), raw) {
        // Decoding and encoding again leaves strict DER whatever the store wrote.
        (Scheme::Ecdsa, RawSignature::EcdsaDer(der)) => {
            encoding::ecdsa_fixed_to_der(curve, &encoding::ecdsa_der_to_fixed(curve, &der)?)
        }
        (Scheme::Ecdsa, RawSignature::EcdsaFixed(raw)) => encoding::ecdsa_fixed_to_der(curve, &raw),
        (Scheme::RsaPkcs1v15 | Scheme::RsaPss, RawSignature::Rsa(bytes)) => sized(bytes, rsa_bytes(curve)),
        (Scheme::Ed25519 | Scheme::Ed25519ph, RawSignature::Ed25519(bytes)) => sized(bytes, 64),
        (_, RawSignature::EcdsaDer(_) | RawSignature::EcdsaFixed(_) | RawSignature::Rsa(_))
        | (_, RawSignature::Ed25519(_)) => {
            Err(Error::new(ErrorKind::Integrity, format!("the key store returned no {algorithm} signature")))
        }
    }
}

fn rsa_bytes(key_type: KeyType) -> usize {
    key_type.rsa_bits().map_or(0, |bits| bits / 8)
}

fn sized(bytes: Vec<u8>, expected: usize) -> Result<Vec<u8>> {
    if bytes.len() == expected {
        return Ok(bytes);
    }
    Err(Error::new(ErrorKind::Integrity, "the key store returned a signature of the wrong size")
        .why(format!("expected {expected} bytes, found {}", bytes.len())))
}

#[cfg(test)]
mod tests;
