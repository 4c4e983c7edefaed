//! The contract: what comes back from a store is checked before it leaves. Each case is a store that misbehaves.

use super::*;
use crate::HashAlgorithm;
use crate::local_key::LocalKey;

type Spoil = fn(RawSignature) -> RawSignature;

/// A store that spoils what a good key signed.
struct Misbehaving {
    info: KeyInfo,
    key: LocalKey,
    spoil: Spoil,
}

impl Signer for Misbehaving {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        Ok((self.spoil)(self.key.sign_raw(request)?))
    }
}

fn store(key_type: KeyType, spoil: Spoil) -> Box<dyn Signer> {
    let key = LocalKey::generate(key_type).unwrap();
    let info =
        KeyInfo::new("test:key".to_owned(), key.public_key().clone(), key.algorithms(), Location::Token);
    Box::new(Misbehaving { info, key, spoil })
}

fn sign(key_type: KeyType, spoil: Spoil) -> Result<Signature> {
    let algorithm = key_type.default_algorithm();
    let digest = algorithm.hash().map(|hash| hash.digest(b"artifact"));
    store(key_type, spoil).sign(algorithm, digest.as_ref().map_or(Input::Message(b"artifact"), Input::Digest))
}

fn bytes(raw: RawSignature) -> Vec<u8> {
    match raw {
        RawSignature::EcdsaDer(bytes) | RawSignature::EcdsaFixed(bytes) => bytes,
        RawSignature::Rsa(bytes) | RawSignature::Ed25519(bytes) => bytes,
    }
}

fn to_fixed(raw: RawSignature) -> RawSignature {
    RawSignature::EcdsaFixed(encoding::ecdsa_der_to_fixed(KeyType::P256, &bytes(raw)).unwrap())
}

/// E.2 29: the property behind the padding of `r` and `s`.
#[test]
fn takes_raw_pairs_as_tokens_return_them() {
    // Enough signatures that r or s has leading zeros in some: the padding that several tools got wrong.
    let store = store(KeyType::P256, to_fixed);
    for counter in 0..10_000_u32 {
        let digest = HashAlgorithm::Sha256.digest(&counter.to_be_bytes());
        store.sign(KeyType::P256.default_algorithm(), Input::Digest(&digest)).unwrap();
    }
}

/// E.2 29 of the must-not-repeat list: wrong, truncated, of another key, raw instead of DER.
#[test]
fn withholds_every_wrong_signature() {
    let spoilers: [(KeyType, Spoil); 9] = [
        (KeyType::P256, |raw| {
            let mut bytes = bytes(raw);
            *bytes.last_mut().unwrap() ^= 1;
            RawSignature::EcdsaDer(bytes)
        }),
        (KeyType::P256, |raw| RawSignature::EcdsaDer(bytes(raw)[..60].to_vec())),
        (KeyType::P256, |raw| RawSignature::EcdsaDer(bytes(to_fixed(raw)))),
        (KeyType::P256, |raw| RawSignature::EcdsaFixed(bytes(raw))),
        (KeyType::P256, |raw| RawSignature::Rsa(bytes(raw))),
        (KeyType::P256, |_| {
            let other = LocalKey::generate(KeyType::P256).unwrap();
            let digest = HashAlgorithm::Sha256.digest(b"artifact");
            let request =
                SignRequest { algorithm: KeyType::P256.default_algorithm(), input: Input::Digest(&digest) };
            other.sign_raw(&request).unwrap()
        }),
        (KeyType::Rsa2048, |raw| RawSignature::Rsa(bytes(raw)[1..].to_vec())),
        (KeyType::Rsa2048, |_| RawSignature::Rsa(vec![0; 256])),
        (KeyType::Ed25519, |raw| {
            let mut bytes = bytes(raw);
            bytes[0] ^= 1;
            RawSignature::Ed25519(bytes)
        }),
    ];
    for (at, (key_type, spoil)) in spoilers.into_iter().enumerate() {
        let error = sign(key_type, spoil).expect_err("a wrong signature leaves");
        assert_eq!(error.kind(), ErrorKind::Integrity, "case {at}: {error}");
    }
    assert!(sign(KeyType::P256, |raw| raw).is_ok());
}

/// E.2 29: both halves of an ECDSA signature's `s` are valid: Cosign does not ask for the low one, so neither do we.
#[test]
fn takes_high_and_low_s() {
    let store = store(KeyType::P256, |raw| raw);
    let highs = (0..64_u32)
        .filter(|counter| {
            let digest = HashAlgorithm::Sha256.digest(&counter.to_be_bytes());
            let signature = store.sign(KeyType::P256.default_algorithm(), Input::Digest(&digest)).unwrap();
            encoding::ecdsa_der_to_fixed(KeyType::P256, signature.bytes()).unwrap()[32] & 0x80 != 0
        })
        .count();
    assert!((1..64).contains(&highs), "{highs} of 64 have a high s");
}

#[test]
fn refuses_input_of_the_wrong_kind_before_the_store_is_asked() {
    let store = store(KeyType::P384, |_| panic!("the store was asked"));
    let algorithm = KeyType::P384.default_algorithm();
    let sha256 = HashAlgorithm::Sha256.digest(b"artifact");
    for input in [Input::Digest(&sha256), Input::Message(b"artifact")] {
        assert_eq!(store.sign(algorithm, input).unwrap_err().kind(), ErrorKind::Unsupported);
    }
    let other = KeyType::P256.default_algorithm();
    assert_eq!(store.sign(other, Input::Digest(&sha256)).unwrap_err().kind(), ErrorKind::Unsupported);
}
