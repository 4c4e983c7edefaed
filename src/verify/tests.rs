//! Tests of the verification rules: each accept and its refusals. Keys are made here, signatures by the core.

use countersign_core::local_key::LocalKey;
use countersign_core::{Digest, KeyInfo, Location, RawSignature, SignRequest, Signer};

use super::*;

const ARTIFACT: &[u8] = b"artifact";

struct Local(LocalKey, KeyInfo);

impl Signer for Local {
    fn info(&self) -> &KeyInfo {
        &self.1
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> countersign_core::error::Result<RawSignature> {
        self.0.sign_raw(request)
    }
}

fn key(key_type: KeyType) -> Box<dyn Signer> {
    let key = LocalKey::generate(key_type).unwrap();
    let (public_key, algorithms) = (key.public_key().clone(), key.algorithms());
    let info = KeyInfo::new("test:key".into(), public_key, algorithms, Location::File);
    Box::new(Local(key, info))
}

fn measured() -> Measured {
    Measured {
        digests: HashAlgorithm::ALL.into_iter().map(|hash| hash.digest(ARTIFACT)).collect(),
        message: Some(ARTIFACT.to_vec()),
    }
}

fn sign(signer: &dyn Signer, algorithm: Algorithm) -> Vec<u8> {
    let digest = algorithm.hash().map(|hash| hash.digest(ARTIFACT));
    let input = digest.as_ref().map_or(Input::Message(ARTIFACT), Input::Digest);
    signer.sign(algorithm, input).unwrap().bytes().to_vec()
}

fn material(signer: &dyn Signer, algorithm: Algorithm, stated: Option<HashAlgorithm>) -> Material {
    let origin = if stated.is_some() { Origin::Bundle } else { Origin::Detached };
    let mut material = Material::bare(origin, sign(signer, algorithm));
    material.digest = stated.map(|hash| hash.digest(ARTIFACT));
    material.hint = stated.map(|_| signer.info().public_key.hint());
    material
}

fn policy(key: &PublicKey) -> Policy<'_> {
    Policy::new(Who::Key(key, Window::default()), Evidence::NONE, Timestamp::UNIX_EPOCH)
}

fn refused(result: Result<Proven, Refusal>) -> Check {
    result.unwrap_err().kind()
}

fn decide(material: &Material, policy: &Policy<'_>) -> Result<Proven, Refusal> {
    verify(material, plan(material, policy, &Trust::default())?, &measured())
}

#[test]
fn accepts_every_key_type_in_bundles_and_bare() {
    for key_type in KeyType::ALL {
        let signer = key(key_type);
        let algorithm = key_type.default_algorithm();
        let policy = policy(&signer.info().public_key);
        for stated in [Some(algorithm.hash().unwrap_or(HashAlgorithm::Sha256)), None] {
            let proven = decide(&material(&*signer, algorithm, stated), &policy).unwrap();
            assert_eq!(proven.algorithm, algorithm);
            assert!(proven.not_proven.iter().any(|text| text.contains("transparency log")));
        }
    }
}

#[test]
fn accepts_sha256_under_a_larger_curve_and_says_so() {
    let signer = key(KeyType::P521);
    let algorithm = Algorithm::parse("ecdsa-sha2-256-nistp521").unwrap();
    let policy = policy(&signer.info().public_key);
    for stated in [Some(HashAlgorithm::Sha256), None] {
        let proven = decide(&material(&*signer, algorithm, stated), &policy).unwrap();
        assert_eq!(proven.algorithm, algorithm);
        assert!(proven.proven.iter().any(|text| text.contains("sha256")));
    }
}

/// A bundle names its hash, and no other is tried.
#[test]
fn refuses_a_hash_other_than_the_one_the_bundle_names() {
    let signer = key(KeyType::P521);
    let mut material =
        material(&*signer, Algorithm::parse("ecdsa-sha2-384-nistp521").unwrap(), Some(HashAlgorithm::Sha512));
    let policy = policy(&signer.info().public_key);
    assert_eq!(refused(decide(&material, &policy)), Check::Signature);
    // Bare, only the curve's own hash and SHA-256 are tried: SHA-384 under P-521 is neither.
    material.digest = None;
    assert_eq!(refused(decide(&material, &policy)), Check::Signature);
    let chosen = Policy { hash: Some(HashAlgorithm::Sha384), ..policy };
    assert!(decide(&material, &chosen).is_ok());
}

#[test]
fn accepts_both_kinds_of_ed25519_and_keeps_them_apart() {
    let signer = key(KeyType::Ed25519);
    let (pure, prehashed) = (KeyType::Ed25519.default_algorithm(), Algorithm::parse("ed25519-ph").unwrap());
    let policy = policy(&signer.info().public_key);
    for (algorithm, stated) in [
        (pure, Some(HashAlgorithm::Sha256)),
        (prehashed, Some(HashAlgorithm::Sha512)),
        (pure, None),
        (prehashed, None),
    ] {
        assert_eq!(decide(&material(&*signer, algorithm, stated), &policy).unwrap().algorithm, algorithm);
    }
    let only_pure = Policy { algorithm: Some(pure), ..policy.clone() };
    assert!(decide(&material(&*signer, prehashed, None), &only_pure).is_err());
    assert!(decide(&material(&*signer, prehashed, Some(HashAlgorithm::Sha256)), &policy).is_err());
}

#[test]
fn tries_pss_only_when_told_to() {
    let signer = key(KeyType::Rsa2048);
    let pss = Algorithm::parse("rsa-sign-pss-2048-sha256").unwrap();
    let policy = policy(&signer.info().public_key);
    for stated in [Some(HashAlgorithm::Sha256), None] {
        let material = material(&*signer, pss, stated);
        assert_eq!(refused(decide(&material, &policy)), Check::Signature);
        assert!(decide(&material, &Policy { algorithm: Some(pss), ..policy.clone() }).is_ok());
    }
}

/// E.2 4: the digest in the bundle is another artifact's though the signature is over this one, and the reverse.
#[test]
fn refuses_a_digest_of_another_artifact() {
    let signer = key(KeyType::P256);
    let policy = policy(&signer.info().public_key);
    let algorithm = KeyType::P256.default_algorithm();
    let mut material = material(&*signer, algorithm, Some(HashAlgorithm::Sha256));
    let good = material.digest;
    material.digest = Some(HashAlgorithm::Sha256.digest(b"another"));
    let refusal = decide(&material, &policy).unwrap_err();
    assert_eq!(refusal.kind(), Check::ArtifactDigest);
    assert_ne!(refusal.expected(), refusal.found());
    material.digest = good;
    let other = HashAlgorithm::Sha256.digest(b"another");
    material.signature = signer.sign(algorithm, Input::Digest(&other)).unwrap().bytes().to_vec();
    assert_eq!(refused(decide(&material, &policy)), Check::Signature);
}

/// E.2 5: the hint of another key.
#[test]
fn refuses_a_hint_of_another_key() {
    let (signer, other) = (key(KeyType::P256), key(KeyType::P256));
    let policy = policy(&signer.info().public_key);
    let mut material = material(&*signer, KeyType::P256.default_algorithm(), Some(HashAlgorithm::Sha256));
    material.hint = Some(other.info().public_key.hint());
    assert_eq!(refused(decide(&material, &policy)), Check::KeyHint);
    // A name that is no fingerprint proves nothing, and the verdict says so.
    material.hint = Some("release key".to_owned());
    let proven = decide(&material, &policy).unwrap();
    assert!(proven.not_proven.iter().any(|text| text.contains("release key")));
}

#[test]
fn refuses_another_key_a_changed_signature_and_no_log() {
    for key_type in KeyType::ALL {
        let (signer, other) = (key(key_type), key(key_type));
        let mut material = material(&*signer, key_type.default_algorithm(), None);
        assert_eq!(refused(decide(&material, &policy(&other.info().public_key))), Check::Signature);
        let policy = policy(&signer.info().public_key);
        let demanding = Policy { evidence: Evidence::STANDARD, ..policy.clone() };
        assert_eq!(refused(decide(&material, &demanding)), Check::TransparencyLog);
        for at in [0, material.signature.len() / 2, material.signature.len() - 1] {
            material.signature[at] ^= 1;
            assert!(decide(&material, &policy).is_err(), "{key_type}: byte {at} flipped");
            material.signature[at] ^= 1;
        }
        material.signature.pop();
        assert!(decide(&material, &policy).is_err(), "{key_type}: cut short");
        material.signature.clear();
        assert!(decide(&material, &policy).is_err(), "{key_type}: empty");
    }
}

#[test]
fn refuses_an_algorithm_that_does_not_fit_the_key_or_the_bundle() {
    let signer = key(KeyType::P256);
    let policy = policy(&signer.info().public_key);
    let material = material(&*signer, KeyType::P256.default_algorithm(), Some(HashAlgorithm::Sha256));
    let chosen = |name| Policy { algorithm: Some(Algorithm::parse(name).unwrap()), ..policy.clone() };
    assert_eq!(refused(decide(&material, &chosen("ed25519"))), Check::Algorithm);
    // One that fits the key is tried alone, whatever digest the bundle states.
    let other = decide(&material, &chosen("ecdsa-sha2-384-nistp256"));
    assert_eq!(refused(other), Check::Signature);
    let chosen = Policy { hash: Some(HashAlgorithm::Sha512), ..policy };
    assert_eq!(refused(decide(&material, &chosen)), Check::Signature);
}

#[test]
fn asks_for_what_it_needs_and_no_more() {
    let wanted = |key_type: KeyType, stated: Option<HashAlgorithm>| {
        let signer = key(key_type);
        let mut material = material(&*signer, key_type.default_algorithm(), None);
        material.digest = stated.map(|hash| Digest::from_bytes(hash, &vec![0; hash.size()]).unwrap());
        plan(&material, &policy(&signer.info().public_key), &Trust::default()).unwrap().wanted
    };
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    assert_eq!(wanted(KeyType::P256, None), Wanted { hashes: vec![Sha256], message: false });
    assert_eq!(wanted(KeyType::P384, None), Wanted { hashes: vec![Sha256, Sha384], message: false });
    assert_eq!(wanted(KeyType::P256, Some(Sha256)), Wanted { hashes: vec![Sha256], message: false });
    // Cosign's tokens sign SHA-256 and state the curve's own hash.
    assert_eq!(wanted(KeyType::P384, Some(Sha384)), Wanted { hashes: vec![Sha256, Sha384], message: false });
    assert_eq!(wanted(KeyType::Ed25519, None), Wanted { hashes: vec![Sha512], message: true });
    assert_eq!(wanted(KeyType::Ed25519, Some(Sha256)), Wanted { hashes: vec![Sha256], message: true });
}
