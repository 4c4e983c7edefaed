//! Key files: what one tool wrote, the other opens, signs with and names by the same public key.

use countersign_core::KeyType;

use super::openssl;
use super::rig::{self, ARTIFACT, CHANGED, PASSWORD, Rig, SIGN, VERIFY};
use crate::support;

#[test]
fn each_tool_opens_the_openssl_keys_that_the_other_imported() {
    let Some(rig) = Rig::new() else { return };
    rig::in_parallel(&KeyType::ALL, |key| {
        let public = rig::public(*key);
        let openssls = rig.read(&public);
        for sealed in [rig::sealed_by_ours(*key), rig::sealed_by_cosign(*key)] {
            let beside = rig.read(&format!("{}.pub", rig::prefix(&sealed)));
            assert_eq!(beside, openssls, "the public key beside {sealed}");
        }
        let (by_ours, by_cosign) = (rig::sealed_by_ours(*key), rig::sealed_by_cosign(*key));
        let read = support::succeed(&mut rig.cosign(&["public-key", "--key", &by_ours])).stdout;
        assert_eq!(read, openssls, "what Cosign reads in {by_ours}");
        let read = support::succeed(&mut rig.ours(&["public-key", "--key", &by_cosign])).stdout;
        assert_eq!(read, openssls, "what we read in {by_cosign}");
        // The matrix signs with Cosign and our file; here it is the other way round.
        let signature = format!("{by_cosign}.signature");
        let flags = ["--key", &by_cosign, "--new-bundle-format=false", "--b64=false"];
        let to = ["--output-signature", &signature, ARTIFACT];
        support::succeed(&mut rig.ours(&[&SIGN[..], &flags, &to].concat()));
        let algorithm = key.default_algorithm();
        support::succeed(&mut openssl::verify(&rig, algorithm, &public, ARTIFACT, &signature));
        let other = support::run(&mut openssl::verify(&rig, algorithm, &public, CHANGED, &signature));
        assert!(!other.status.success(), "OpenSSL verifies a changed artifact under {key}");
    });
}

#[test]
fn each_tool_signs_with_the_keys_that_the_other_generated() {
    let Some(rig) = Rig::new() else { return };
    // Cosign makes P-256 keys alone.
    support::succeed(&mut rig.cosign(&["generate-key-pair", "--output-key-prefix", "theirs"]));
    sign_and_verify(&rig, "theirs", "ecdsa-sha2-256-nistp256", &[]);
    rig::in_parallel(&KeyType::ALL, |key| {
        let name = key.default_algorithm().name();
        let prefix = format!("made-{name}");
        let generate = ["generate-key-pair", "--output-key-prefix", &prefix, "--signing-algorithm", name];
        support::succeed(&mut rig.ours(&generate));
        // The matrix tells why Cosign needs the flag.
        let digest: &[&str] = match key {
            KeyType::P384 => &["--signature-digest-algorithm", "sha384"],
            KeyType::P521 => &["--signature-digest-algorithm", "sha512"],
            KeyType::P256 | KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 | KeyType::Ed25519 => &[],
        };
        sign_and_verify(&rig, &prefix, name, digest);
    });
}

/// Signs with both tools and verifies with the other one.
fn sign_and_verify(rig: &Rig, prefix: &str, algorithm: &str, digest: &[&str]) {
    let (private, public) = (format!("{prefix}.key"), format!("{prefix}.pub"));
    let (by_ours, by_cosign) = (format!("{prefix}.by-ours"), format!("{prefix}.by-cosign"));
    let sign = |to| {
        [&SIGN[..], &["--key", &private, "--new-bundle-format=false", "--bundle", to, ARTIFACT]].concat()
    };
    support::succeed(&mut rig.ours(&sign(&by_ours)));
    support::succeed(&mut rig.cosign(&sign(&by_cosign)));
    let verify =
        |of| [&VERIFY[..], &["--key", &public, "--new-bundle-format=false", "--bundle", of]].concat();
    support::succeed(&mut rig.cosign(&[&verify(&by_ours), digest, &[ARTIFACT]].concat()));
    let output = support::succeed(&mut rig.ours(&[&verify(&by_cosign)[..], &[ARTIFACT]].concat()));
    assert!(support::stderr(&output).contains(&format!("({algorithm})")), "{prefix}: {}", rig::said(&output));
    for mut command in [
        rig.cosign(&[&verify(&by_ours), digest, &[CHANGED]].concat()),
        rig.ours(&[&verify(&by_cosign)[..], &[CHANGED]].concat()),
    ] {
        let output = support::run(&mut command);
        assert!(!output.status.success(), "{command:?} verifies a changed artifact");
    }
}

#[test]
fn neither_tool_opens_the_others_key_with_a_wrong_password() {
    let Some(rig) = Rig::new() else { return };
    let wrong = format!("{PASSWORD}.");
    let key = KeyType::P256;
    let mut ours = rig.ours(&["public-key", "--key", &rig::sealed_by_cosign(key)]);
    let mut cosigns = rig.cosign(&["public-key", "--key", &rig::sealed_by_ours(key)]);
    for (command, words) in [(&mut ours, "the password is wrong"), (&mut cosigns, "decrypt")] {
        let output = support::run(command.env("COSIGN_PASSWORD", &wrong));
        assert!(!output.status.success() && output.stdout.is_empty(), "{command:?}");
        assert!(support::stderr(&output).contains(words), "{command:?}: {}", rig::said(&output));
    }
}
