//! Keys and signatures that others published, if `COUNTERSIGN_VECTORS` says where they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::rig::{self, SIGN, VERIFY};
use crate::support;

fn ours(arguments: &[&str], password: &str) -> Output {
    support::run(support::countersign().args(arguments).env("COSIGN_PASSWORD", password))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the vectors have ASCII names")
}

/// The public key that our command reads in a key file or certificate, PEM.
fn public_key(path: &Path, password: &str) -> Result<String, String> {
    let output = ours(&["public-key", "--key", text(path)], password);
    if output.status.success() { Ok(support::stdout(&output)) } else { Err(rig::said(&output)) }
}

fn listed(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|cause| panic!("{}: {cause}", directory.display()));
    let paths = entries.map(|entry| entry.expect("its entry").path());
    let mut paths: Vec<_> = paths.filter(|path| text(path).ends_with(ending)).collect();
    paths.sort();
    paths
}

/// sigstore-rs: keys that it and Cosign sealed, old label and old scrypt size among them.
#[test]
fn opens_the_sealed_keys_of_sigstore_rs_and_signs_with_them() {
    let Some(vectors) = support::vectors() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| directory.path().join(name);
    fs::write(at("artifact"), "signed with a published key\n").expect("our own file");
    for (name, password, key_type) in [
        ("ECDSA_P256_ASN1_ENCRYPTED_PRIVATE_PEM.key", "password", "(ecdsa-sha2-256-nistp256)"),
        ("cosign_generated_encrypted_empty_private.key", "", "(ecdsa-sha2-256-nistp256)"),
        ("ecdsa_encrypted_private.key", "123", "(ecdsa-sha2-256-nistp256)"),
        ("ed25519_encrypted_private.key", "123", "(ed25519)"),
        ("rsa_encrypted_private.key", "123", "(rsa-sign-pkcs1-4096-sha256)"),
    ] {
        let sealed = vectors.join("sigstore-rs-keys").join(name);
        let pem = public_key(&sealed, password).unwrap_or_else(|said| panic!("{name}: {said}"));
        fs::write(at("public"), &pem).expect("our own file");
        if let Some(mut cosign) = support::cosign() {
            cosign.args(["public-key", "--key", text(&sealed)]).env("COSIGN_PASSWORD", password);
            assert_eq!(support::stdout(&support::succeed(&mut cosign)), pem, "what Cosign reads in {name}");
        }
        let (bundle, artifact, public) = (at("bundle"), at("artifact"), at("public"));
        let sign = ["--key", text(&sealed), "--bundle", text(&bundle), text(&artifact)];
        let output = ours(&[&SIGN[..], &sign].concat(), password);
        assert!(output.status.success(), "{name}: {}", rig::said(&output));
        let verify = ["--key", text(&public), "--bundle", text(&bundle), text(&artifact)];
        let said = rig::said(&ours(&[&VERIFY[..], &verify].concat(), ""));
        assert!(said.contains("Verified OK") && said.contains(key_type), "{name}: {said}");
        let refused = public_key(&sealed, "another password").expect_err("a wrong password opens nothing");
        assert!(refused.contains("the password is wrong"), "{name}: {refused}");
    }
}

#[test]
fn reads_the_public_key_of_sigstore_rs_alike_as_pem_and_der() {
    let Some(vectors) = support::vectors() else { return };
    let keys = vectors.join("sigstore-rs-keys");
    let pem = public_key(&keys.join("ECDSA_P256_ASN1_PUBLIC_PEM.pub"), "").expect("a public key");
    assert_eq!(pem, fs::read_to_string(keys.join("ECDSA_P256_ASN1_PUBLIC_PEM.pub")).expect("the file"));
    let der = public_key(&keys.join("ECDSA_P256_ASN1_PUBLIC_DER.pub"), "").expect("a public key");
    let body: String = der.lines().filter(|line| !line.starts_with("--")).collect();
    let expected = fs::read(keys.join("ECDSA_P256_ASN1_PUBLIC_DER.pub")).expect("the file");
    assert_eq!(STANDARD.decode(body).expect("base64"), expected);
}

/// Rekor: raw signatures by `openssl`, as its README there says.
#[test]
fn verifies_the_raw_signatures_of_rekor() {
    let Some(vectors) = support::vectors() else { return };
    let directory = vectors.join("rekor-raw-signatures");
    let signatures = [
        ("file1", "ec", "ec", &[][..], "(ecdsa-sha2-256-nistp256)"),
        ("file2", "ec", "ec", &[], "(ecdsa-sha2-256-nistp256)"),
        ("file1", "rsa", "rsa", &[], "(rsa-sign-pkcs1-2048-sha256)"),
        ("file2", "rsa", "rsa", &[], "(rsa-sign-pkcs1-2048-sha256)"),
        (
            "file2",
            "rsa512",
            "rsa",
            &["--signature-digest-algorithm", "sha512"],
            "(rsa-sign-pkcs1-2048-sha512)",
        ),
        ("file1", "ed25519", "ed25519", &[], "(ed25519)"),
        ("file1", "ed25519ph", "ed25519", &["--signing-algorithm", "ed25519-ph"], "(ed25519-ph)"),
    ];
    assert_eq!(
        listed(&directory, ".sig").len(),
        signatures.len(),
        "each signature there is in the list here"
    );
    for (file, name, key, flags, algorithm) in signatures {
        let verify = |artifact: &str, flags: &[&str]| {
            let signature = directory.join(format!("{file}.{name}.sig"));
            let (key, artifact) = (directory.join(format!("{key}_public.pem")), directory.join(artifact));
            let given = ["--key", text(&key), "--signature", text(&signature), text(&artifact)];
            ours(&[&VERIFY[..], flags, &given].concat(), "")
        };
        let said = rig::said(&verify(file, flags));
        assert!(said.contains("Verified OK") && said.contains(algorithm), "{file}.{name}: {said}");
        let other = verify(if file == "file1" { "file2" } else { "file1" }, flags);
        assert!(!other.status.success(), "{file}.{name} verifies the other file");
        assert!(support::stderr(&other).contains("signature does not match"), "{}", rig::said(&other));
        // The two kinds of Ed25519 signatures are never taken for each other.
        let mistaken = match name {
            "ed25519" => "ed25519-ph",
            "ed25519ph" => "ed25519",
            _ => continue,
        };
        let output = verify(file, &["--signing-algorithm", mistaken]);
        assert!(!output.status.success(), "{file}.{name} verifies as {mistaken}");
    }
}

/// DER of hmacWithSHA256, and what follows it in a well-formed file: NULL parameters.
const HMAC_WITH_SHA256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];
const NULL: [u8; 2] = [0x05, 0x00];

/// Fulcio: encrypted PKCS#8. Four of its keys name the hash with parameters that are no DER (tag 0 instead of NULL):
/// OpenSSL refuses them too. Mended by that one byte, they open.
#[test]
fn opens_the_encrypted_keys_of_fulcio_and_tells_pairs_from_mismatches() {
    let Some(vectors) = support::vectors() else { return };
    let Some(mut openssl) = support::openssl() else { return };
    let directory = vectors.join("fulcio-ca-keys");
    let work = tempfile::tempdir().expect("a temporary directory");
    let mended = work.path().join("key.pem");
    let certified =
        |case: &str| public_key(&directory.join(format!("{case}-cert.pem")), "").expect("a certificate");
    for (case, pairs) in [("ed25519", true), ("intermediate-2", true), ("notca", true), ("mismatch", false)] {
        let path = directory.join(format!("{case}-key.pem"));
        let refused = public_key(&path, "password123").expect_err("no DER");
        assert!(refused.contains("it is damaged"), "{case}: {refused}");
        fs::write(&mended, mend(&fs::read_to_string(&path).expect("the key"))).expect("our own file");
        let key = public_key(&mended, "password123").unwrap_or_else(|said| panic!("{case}: {said}"));
        assert_eq!(key == certified(case), pairs, "{case}");
        let refused = public_key(&mended, "password124").expect_err("a wrong password opens nothing");
        assert!(refused.contains("the password is wrong"), "{case}: {refused}");
    }
    assert_eq!(listed(&directory, "-key.pem").len(), 5, "each key there is in a list here");
    // The fifth is well-formed and encrypted with triple DES, which we leave to OpenSSL.
    let path = directory.join("openssl-key.pem");
    assert!(public_key(&path, "password123").is_err(), "triple DES is not for us");
    openssl.args(["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", text(&path), "-out", text(&mended)]);
    support::succeed(openssl.args(["-passin", "pass:password123", "-passout", "pass:password123"]));
    assert_eq!(public_key(&mended, "password123").expect("AES is for us"), certified("openssl"));
}

/// Puts the NULL where the parameters should be.
fn mend(pem: &str) -> String {
    let body: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
    let mut der = STANDARD.decode(body).expect("PEM is base64");
    let at = der.windows(HMAC_WITH_SHA256.len()).position(|window| window == HMAC_WITH_SHA256);
    let at = at.expect("the key is derived with HMAC-SHA-256") + HMAC_WITH_SHA256.len();
    assert_eq!(der[at..at + 2], [0, 0], "what is wrong with it");
    der[at..at + 2].copy_from_slice(&NULL);
    let body = STANDARD.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line)).collect();
    let label = "ENCRYPTED PRIVATE KEY";
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The Sigstore conformance suite: its cases with a key. Their log entries are not looked at here.
#[test]
fn verifies_the_managed_key_cases_of_the_conformance_suite() {
    let Some(vectors) = support::vectors() else { return };
    let mut seen = 0;
    for case in listed(&vectors.join("sigstore-conformance"), "") {
        let file = |name: &str| case.join(name);
        if !file("key.pub").is_file() {
            continue;
        }
        seen += 1;
        let facts: Value =
            serde_json::from_slice(&fs::read(file("case.json")).expect("a case")).expect("JSON");
        assert_eq!(
            facts["expect"],
            "accept",
            "{}: no case with a key is one to reject so far",
            case.display()
        );
        let (key, bundle, artifact) = (file("key.pub"), file("bundle.sigstore.json"), file("artifact"));
        let given = ["--key", text(&key), "--bundle", text(&bundle)];
        let output = ours(&[&VERIFY[..], &given, &[text(&artifact)]].concat(), "");
        assert!(output.status.success(), "{}: {}", case.display(), rig::said(&output));
        let refused = [
            // Another file, and no word of whose log is believed.
            ([&VERIFY[..], &given, &[text(&key)]].concat(), "another artifact"),
            ([&["verify-blob"], &given[..], &[text(&artifact)]].concat(), "TUF repository"),
        ];
        for (arguments, words) in refused {
            let output = ours(&arguments, "");
            assert!(!output.status.success(), "{arguments:?} verifies");
            assert!(support::stderr(&output).contains(words), "{arguments:?}: {}", rig::said(&output));
        }
        let other = vectors.join("sigstore-rs-keys").join("ECDSA_P256_ASN1_PUBLIC_PEM.pub");
        let given = ["--key", text(&other), "--bundle", text(&bundle), text(&artifact)];
        let output = ours(&[&VERIFY[..], &given].concat(), "");
        assert!(!output.status.success(), "{} verifies with a stranger's key", case.display());
    }
    assert!(seen >= 2, "the suite has two cases with a key, {seen} found");
}
