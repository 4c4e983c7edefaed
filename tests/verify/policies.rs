//! Policy files on published bundles: one GitHub Actions workflow, and a reusable workflow told apart from its caller.

use std::path::Path;
use std::process::Output;

use crate::support::{countersign, run, stderr, vectors};

const WORKFLOW: &str = "npm-attestations/supreme-googles-cli-v02-tag-provenance";
const REUSABLE: &str =
    "slsa-github/gha_container-based_v2.1.0_binary-linux-amd64-push-v14.2.intoto.build.slsa";
const ROOT: &str = "trusted-roots/public-good.json";
const NPM: &str =
    "https://github.com/trishankatdatadog/supreme-goggles/.github/workflows/npm-publish.yml@refs/tags/v1.0.5";
const GENERATOR: &str = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_container-based_slsa3.yml@refs/tags/";

fn verify(vectors: &Path, case: &str, artifact: &str, policy: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.yaml");
    let policy = format!("version: 1\ntrusted-root: {}\n{policy}", vectors.join(ROOT).display());
    std::fs::write(&file, policy).unwrap();
    let artifact = if artifact.contains(':') { artifact.into() } else { vectors.join(case).join(artifact) };
    let bundle = vectors.join(case).join("bundle.sigstore.json");
    let mut command = countersign();
    command.arg("verify-blob").arg("--policy-file").arg(file).arg("--bundle").arg(bundle).arg(artifact);
    run(&mut command)
}

fn signer(identity: &str, more: &str) -> String {
    format!(
        "signers:\n  ci:\n    {identity}\n    issuer: https://token.actions.githubusercontent.com\n{more}"
    )
}

#[test]
fn one_workflow_is_demanded() {
    let Some(vectors) = vectors() else { return };
    let policy = |identity: &str, kind: &str| {
        signer(identity, &format!("attestations:\n  - {{type: {kind}, by: ci}}\n"))
    };
    let exact = format!("identity: {NPM}");
    let accepted = verify(&vectors, WORKFLOW, "artifact", &policy(&exact, "slsaprovenance02"));
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    let pattern =
        r"identity-pattern: 'https://github\.com/trishankatdatadog/supreme-goggles/.*@refs/tags/v[0-9.]+'";
    let accepted =
        verify(&vectors, WORKFLOW, "artifact", &policy(pattern, "https://slsa.dev/provenance/v0.2"));
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    for (identity, kind, why) in [
        (format!("identity: {NPM}5"), "slsaprovenance02", "somebody else signed"),
        // Patterns are for the whole name.
        (
            "identity-pattern: 'https://github.com/trishankatdatadog'".to_owned(),
            "slsaprovenance02",
            "somebody else signed",
        ),
        (exact.clone(), "slsaprovenance1", "attestations of the type https://slsa.dev/provenance/v1 by ci"),
    ] {
        let refused = verify(&vectors, WORKFLOW, "artifact", &policy(&identity, kind));
        assert!(!refused.status.success() && stderr(&refused).contains(why), "{}", stderr(&refused));
    }
    let refused = verify(&vectors, WORKFLOW, "case.json", &policy(&exact, "slsaprovenance02"));
    assert!(stderr(&refused).contains("about other artifacts"), "{}", stderr(&refused));
    // An attestation is no signature.
    let required = signer(&exact, "require: ci\n");
    let refused = verify(&vectors, WORKFLOW, "artifact", &required);
    assert!(stderr(&refused).contains("signatures by ci, found no such signature"), "{}", stderr(&refused));
}

#[test]
fn a_reusable_workflow_is_told_from_its_caller() {
    let Some(vectors) = vectors() else { return };
    let digest = std::fs::read_to_string(vectors.join(REUSABLE).join("case.json")).unwrap();
    let digest: serde_json::Value = serde_json::from_str(&digest).unwrap();
    let digest = digest["digest"].as_str().unwrap();
    let verify = |repository: &str, builder: &str| {
        let extensions = format!(
            "    extensions:\n      sourceRepositoryURI: {repository}\n      buildSignerURI: {builder}\n"
        );
        let policy = signer(
            &format!("identity: {GENERATOR}v2.1.0"),
            &format!("{extensions}attestations:\n  - {{type: slsaprovenance1, by: ci}}\n"),
        );
        verify(&vectors, REUSABLE, digest, &policy)
    };
    let (caller, builder) =
        ("https://github.com/slsa-framework/example-package", format!("{GENERATOR}v2.1.0"));
    let accepted = verify(caller, &builder);
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    for (caller, builder) in [
        ("https://github.com/somebody/else", builder.as_str()),
        (caller, &format!("{GENERATOR}v2.0.0")),
        ("https://github.com/slsa-framework/slsa-github-generator", builder.as_str()),
    ] {
        let refused = verify(caller, builder);
        assert!(stderr(&refused).contains("certificate says something else"), "{}", stderr(&refused));
    }
}
