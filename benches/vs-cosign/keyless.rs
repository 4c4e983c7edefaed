//! Bundles with a certificate, from the conformance suite among the vectors, and the floor under verifying many of them: the
//! checks of signatures alone.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair};
use countersign_core::{Digest, HashAlgorithm, Input, KeyType, PublicKey};

use crate::Result;

/// The hidden first argument that makes this program the floor: then how many bundles.
pub(crate) const FLOOR: &str = "--floor-of-keyless";
/// The files of one bundle in the benchmark's directory.
const ARTIFACT: &str = "keyless";

/// A published bundle that both tools accept, and the words that they want for it.
pub(crate) struct Keyless {
    identity: String,
    issuer: String,
    root: PathBuf,
}

impl Keyless {
    /// Copies artifact and bundle into `dir`, the bundle where ours looks for it.
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let vectors = std::env::var_os("COUNTERSIGN_VECTORS");
        let vectors = PathBuf::from(vectors.ok_or("the keyless rows need COUNTERSIGN_VECTORS")?);
        let case = vectors.join("sigstore-conformance/happy-path-v0.3");
        let about: serde_json::Value = serde_json::from_slice(&fs::read(case.join("case.json"))?)?;
        let text =
            |name: &str| about[name].as_str().map(str::to_owned).ok_or(format!("no {name} in the case"));
        let keyless = Self {
            identity: text("identity")?,
            issuer: text("issuer")?,
            root: case.join(text("trusted_root")?),
        };
        fs::copy(case.join("artifact"), dir.join(ARTIFACT))?;
        fs::copy(case.join("bundle.sigstore.json"), dir.join(bundle(ARTIFACT)))?;
        Ok(keyless)
    }

    /// The same bundle many times under other names.
    pub(crate) fn copies(&self, dir: &Path, count: u32) -> Result<Vec<String>> {
        (0..count)
            .map(|number| {
                let name = format!("{ARTIFACT}-{number}");
                fs::copy(dir.join(ARTIFACT), dir.join(&name))?;
                fs::copy(dir.join(bundle(ARTIFACT)), dir.join(bundle(&name)))?;
                Ok(name)
            })
            .collect()
    }

    /// What follows `verify-blob`, for both tools.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let root = self.root.display().to_string();
        let flags = ["--certificate-identity", &self.identity, "--certificate-oidc-issuer", &self.issuer];
        flags.into_iter().chain(["--trusted-root", &root]).map(str::to_owned).collect()
    }

    /// The same with the bundle named, for one file.
    pub(crate) fn one(&self) -> Vec<String> {
        let bundle = bundle(ARTIFACT);
        self.arguments().into_iter().chain(["--bundle".to_owned(), bundle, ARTIFACT.to_owned()]).collect()
    }
}

fn bundle(artifact: &str) -> String {
    format!("{artifact}.sigstore.json")
}

/// The checks of signatures in such a bundle: the artifact's, the certificate timestamp's, the log's promise and its checkpoint
/// with P-256, two certificates with P-384.
pub(crate) fn floor(count: usize) -> Result<()> {
    let p256 = signed(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, KeyType::P256, HashAlgorithm::Sha256)?;
    let p384 = signed(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, KeyType::P384, HashAlgorithm::Sha384)?;
    for _ in 0..count {
        for (key, digest, signature) in [&p256; 4].into_iter().chain([&p384; 2]) {
            key.verify(key.key_type().default_algorithm(), Input::Digest(digest), signature)?;
        }
    }
    Ok(())
}

fn signed(
    algorithm: &'static EcdsaSigningAlgorithm,
    key_type: KeyType,
    hash: HashAlgorithm,
) -> Result<(PublicKey, Digest, Vec<u8>)> {
    const MESSAGE: &[u8] = b"what the floor signs";
    let key = EcdsaKeyPair::generate(algorithm)?;
    let public = PublicKey::from_parts(key_type, key.public_key().as_ref().to_vec())?;
    let signature = key.sign(&SystemRandom::new(), MESSAGE)?.as_ref().to_vec();
    Ok((public, hash.digest(MESSAGE), signature))
}
