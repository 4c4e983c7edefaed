//! Trust by Cosign's variables, part by part, on a bundle of the public instance with the keys and certificates that the
//! instance published before it had a trusted root.

use crate::support::{countersign, run, stderr, vectors};

const PARTS: [(&str, &str); 3] = [
    ("SIGSTORE_REKOR_PUBLIC_KEY", "rekor.pub"),
    ("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "ctfe_2022.pub"),
    ("SIGSTORE_ROOT_FILE", "chain.pem"),
];

#[test]
fn each_part_that_a_variable_names_counts_alone() {
    let Some(vectors) = vectors() else { return };
    let case = vectors.join("sigstore-conformance/happy-path-v0.2");
    let published = vectors.join("tuf-root-signing/targets");
    let here = tempfile::tempdir().unwrap();
    for name in ["rekor.pub", "ctfe_2022.pub", "ctfe.pub", "fulcio.crt.pem"] {
        std::fs::copy(published.join(name), here.path().join(name)).unwrap();
    }
    let chain = ["fulcio_intermediate_v1.crt.pem", "fulcio_v1.crt.pem"];
    let chain = chain.map(|name| std::fs::read_to_string(published.join(name)).unwrap()).concat();
    std::fs::write(here.path().join("chain.pem"), &chain).unwrap();
    std::fs::write(
        here.path().join("rootless.pem"),
        chain.split("-----BEGIN").nth(1).map(|pem| format!("-----BEGIN{pem}")).unwrap(),
    )
    .unwrap();
    std::fs::write(here.path().join("junk"), "junk").unwrap();
    let about: serde_json::Value =
        serde_json::from_slice(&std::fs::read(case.join("case.json")).unwrap()).unwrap();
    let verify = |another: Option<(&str, &str)>, root: bool| {
        let mut command = countersign();
        command.current_dir(here.path()).arg("verify-blob");
        command.args(["--certificate-identity", about["identity"].as_str().unwrap()]);
        command.args(["--certificate-oidc-issuer", about["issuer"].as_str().unwrap()]);
        command.arg("--bundle").arg(case.join("bundle.sigstore.json"));
        if root {
            command.arg("--trusted-root").arg(case.join(about["trusted_root"].as_str().unwrap()));
        }
        command.arg(case.join("artifact"));
        for (variable, file) in PARTS {
            let file = another.filter(|(name, _)| *name == variable).map_or(file, |(_, file)| file);
            if !file.is_empty() {
                command.env(variable, file);
            }
        }
        let output = run(&mut command);
        (output.status.success(), stderr(&output))
    };
    let (accepted, said) = verify(None, false);
    assert!(accepted, "{said}");
    // Another key or certificate of the same instance, none at all, and files that are not what they should be.
    for (variable, file, expected) in [
        ("SIGSTORE_REKOR_PUBLIC_KEY", "ctfe_2022.pub", "too few transparency logs"),
        ("SIGSTORE_REKOR_PUBLIC_KEY", "junk", "(SIGSTORE_REKOR_PUBLIC_KEY)"),
        ("SIGSTORE_REKOR_PUBLIC_KEY", "missing", "(SIGSTORE_REKOR_PUBLIC_KEY)"),
        ("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "ctfe.pub", "certificate transparency"),
        ("SIGSTORE_ROOT_FILE", "fulcio.crt.pem", "certificate"),
        ("SIGSTORE_ROOT_FILE", "rootless.pem", "none of its certificates is a root"),
        ("SIGSTORE_ROOT_FILE", "rekor.pub", "(SIGSTORE_ROOT_FILE)"),
        // What no variable names comes from the repository, which is not there.
        ("SIGSTORE_ROOT_FILE", "", "127.0.0.1:9"),
        ("SIGSTORE_REKOR_PUBLIC_KEY", "", "127.0.0.1:9"),
        ("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "", "127.0.0.1:9"),
    ] {
        let (accepted, said) = verify(Some((variable, file)), false);
        assert!(!accepted && said.contains(expected), "{variable}={file}: {said}");
    }
    // A trusted root stands above them all, and says so.
    let (accepted, said) = verify(Some(("SIGSTORE_REKOR_PUBLIC_KEY", "ctfe_2022.pub")), true);
    assert!(accepted && said.contains("SIGSTORE_ROOT_FILE is set and not used"), "{said}");
}
