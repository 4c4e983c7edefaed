//! Two verifiers that others wrote decide every published bundle beside ours: the crate `sigstore-verify` and the real Cosign.
//! Where one of them decides otherwise, the case stands in a list with the reason; a case that is listed and agrees fails too.

use std::collections::BTreeSet;
use std::process::Command;

use countersign::verify::{Identity, Matcher};
use sigstore_types::{Artifact, ArtifactDigest, Bundle, DerPublicKey, HashAlgorithm};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, Verifier};

use super::vectors::{Accepts, Case};
use crate::support::{self, vectors};

/// A case by the end of its path, and why the other verifier decides otherwise.
type Listed = &'static [(&'static str, &'static str)];

const CRATE: Listed = &[];

const COSIGN: Listed = &[(
    "sigstore-conformance/intoto-tsa-timestamp-outside-cert-validity_fail",
    "it looks at a timestamp in the bundle only where --use-signed-timestamps demands one",
)];

/// Says what agrees, and fails on every difference that is not listed.
fn compare(who: &str, listed: Listed, theirs: impl Fn(&Case, &Identity) -> Result<(), String>) {
    let Some(vectors) = vectors() else { return };
    let (mut agreed, mut met, mut unlisted) = (0, BTreeSet::new(), Vec::new());
    for case in Case::all(&vectors) {
        let ours = case.accepted();
        // `vectors.rs` holds ours to what the case says.
        let nobody = Identity { name: Matcher::Exact(String::new()), issuer: None, extensions: Vec::new() };
        let identity = match case.accepts() {
            Accepts::Identity(identity) => identity,
            Accepts::Key(_) => nobody,
        };
        let theirs = theirs(&case, &identity);
        let name = case.folder.strip_prefix(&vectors).unwrap().to_str().unwrap().to_owned();
        if theirs.is_ok() == ours {
            agreed += 1;
        } else if let Some((known, _)) = listed.iter().find(|(known, _)| name == *known) {
            met.insert(*known);
        } else {
            unlisted.push(format!("{name}: ours {ours}, theirs {theirs:?}"));
        }
    }
    assert!(unlisted.is_empty(), "{who} decides otherwise:\n{}", unlisted.join("\n"));
    let stale: Vec<_> = listed.iter().filter(|(known, _)| !met.contains(known)).collect();
    assert!(stale.is_empty(), "{who} now agrees: {stale:?}");
    assert!(agreed >= 90, "{who} agreed on {agreed} only");
}

fn exact(matcher: &Matcher) -> &str {
    let Matcher::Exact(text) = matcher else { panic!("the cases name their signers exactly") };
    text
}

/// What a case's `digest` is, algorithm and value in hexadecimal.
fn digest(case: &Case) -> (&str, &str) {
    case.text("digest").unwrap().split_once(':').expect("algorithm:hex")
}

#[test]
fn the_crate_sigstore_verify_decides_alike() {
    compare("sigstore-verify", CRATE, |case, identity| {
        let words = |cause: &dyn std::fmt::Display| cause.to_string();
        let text = String::from_utf8(case.bundle()).map_err(|cause| words(&cause))?;
        let bundle = Bundle::from_json(&text).map_err(|cause| words(&cause))?;
        let root = std::fs::read_to_string(case.path(case.text("trusted_root").unwrap())).unwrap();
        let root = sigstore_trust_root::TrustedRoot::from_json(&root).map_err(|cause| words(&cause))?;
        let verifier = Verifier::new(&root).map_err(|cause| words(&cause))?;
        let bytes = case.text("artifact").map(|file| std::fs::read(case.path(file)).unwrap());
        let artifact = match &bytes {
            Some(bytes) => Artifact::from_blob(bytes),
            None => {
                let (algorithm, value) = digest(case);
                let algorithm = match algorithm {
                    "sha512" => HashAlgorithm::Sha2512,
                    _ => HashAlgorithm::Sha2256,
                };
                let value = hex(value);
                Artifact::from_digest(ArtifactDigest::new(algorithm, value).map_err(|cause| words(&cause))?)
            }
        };
        let verdict = match case.text("key") {
            Some(key) => {
                let key = DerPublicKey::from_pem(&std::fs::read_to_string(case.path(key)).unwrap());
                let key = key.map_err(|cause| words(&cause))?;
                verifier.verify(artifact, &bundle, &PublicKeyVerificationPolicy::new(key))
            }
            None => {
                let issuer = exact(identity.issuer.as_ref().unwrap());
                verifier.verify(artifact, &bundle, &VerificationPolicy::new(exact(&identity.name), issuer))
            }
        };
        verdict.map(drop).map_err(|cause| words(&cause))
    });
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_real_cosign_decides_alike() {
    if support::cosign().is_none() {
        return;
    }
    compare("Cosign", COSIGN, |case, identity| {
        let mut cosign = support::cosign().unwrap();
        let attested = case.about["dsse"].as_bool().unwrap();
        cosign.arg(if attested { "verify-blob-attestation" } else { "verify-blob" });
        cosign.arg("--bundle").arg(case.path("bundle.sigstore.json"));
        cosign.arg("--trusted-root").arg(case.path(case.text("trusted_root").unwrap()));
        match case.text("key") {
            Some(key) => cosign.arg("--key").arg(case.path(key)),
            None => cosign
                .args(["--certificate-identity", exact(&identity.name)])
                .args(["--certificate-oidc-issuer", exact(identity.issuer.as_ref().unwrap())]),
        };
        // Whatever it says: Cosign takes `custom` for granted, and ours any type.
        let stated = case.text("predicateType").map(str::to_owned).or_else(|| case.predicate_type());
        if let Some(predicate) = stated {
            cosign.args(["--type", &predicate]);
        }
        match case.text("artifact") {
            Some(file) => cosign.arg(case.path(file)),
            None => {
                let (algorithm, value) = digest(case);
                cosign.args(["--digest", value, "--digestAlg", algorithm])
            }
        };
        offline(&mut cosign);
        let output = support::run(&mut cosign);
        if output.status.success() { Ok(()) } else { Err(support::stderr(&output)) }
    });
}

/// Nothing here may ask the public instance.
fn offline(cosign: &mut Command) {
    cosign.env("HTTPS_PROXY", "http://127.0.0.1:9").env("TUF_MIRROR", "https://127.0.0.1:9");
}
