//! What we write is what Cosign writes, byte for byte, where nothing random is in it: random values are masked.

use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::KeyType;

use super::rig::{self, ARTIFACT, Rig, SIGN};
use crate::support;

const MARK: &str = "MASKED";

/// ECDSA draws a random number for each signature; the others sign the same file the same way.
fn is_random(key: KeyType) -> bool {
    matches!(key, KeyType::P256 | KeyType::P384 | KeyType::P521)
}

/// Replaces the value of a JSON field in place: everything around it stays as it was written.
fn mask(json: &str, field: &str) -> String {
    let start = json.find(&format!("\"{field}\":\"")).unwrap_or_else(|| panic!("no {field} in {json}"));
    let value = start + field.len() + 4;
    let end = value + json[value..].find('"').expect("a string ends");
    format!("{}{MARK}{}", &json[..value], &json[end..])
}

/// Both tools sign with the file that ours sealed; returns what each wrote to the file and to standard output.
fn sign(rig: &Rig, key: KeyType, what: &str, flags: &[&str], to: Option<&str>) -> [(String, Vec<u8>); 2] {
    let sealed = rig::sealed_by_ours(key);
    ["ours", "cosign"].map(|tool| {
        let file = format!("{tool}-{key}-{what}");
        let mut arguments = [&SIGN[..], &["--key", &sealed], flags].concat();
        arguments.extend(to.into_iter().flat_map(|flag| [flag, file.as_str()]));
        arguments.push(ARTIFACT);
        let mut command = if tool == "ours" { rig.ours(&arguments) } else { rig.cosign(&arguments) };
        let output = support::succeed(&mut command);
        let written = to.map(|_| String::from_utf8(rig.read(&file)).expect("JSON and base64 are text"));
        (written.unwrap_or_default(), output.stdout)
    })
}

const LEGACY: &str = "--new-bundle-format=false";
const KEYS: [KeyType; 5] = [KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Rsa2048, KeyType::Ed25519];

#[test]
fn bundles_are_the_bytes_of_cosign() {
    let Some(rig) = Rig::new() else { return };
    rig::in_parallel(&KEYS, |key| {
        let [ours, cosigns] = sign(&rig, *key, "bundle", &[], Some("--bundle"));
        assert_eq!(ours.1, cosigns.1, "standard output under {key}");
        let (ours, cosigns) = (ours.0, cosigns.0);
        if *key == KeyType::Ed25519 {
            // Cosign leaves the digest out, and then refuses the bundle. Ours states it; nothing else differs.
            let start = ours.find("\"algorithm\"").expect("ours states a digest");
            let end = start + ours[start..].find('}').expect("an object ends");
            assert_eq!(format!("{}{}", &ours[..start], &ours[end..]), cosigns);
        } else if is_random(*key) {
            assert_eq!(mask(&ours, "signature"), mask(&cosigns, "signature"), "under {key}");
        } else {
            assert_eq!(ours, cosigns, "under {key}");
        }
    });
}

#[test]
fn legacy_bundles_and_signatures_are_the_bytes_of_cosign() {
    let Some(rig) = Rig::new() else { return };
    rig::in_parallel(&KEYS, |key| {
        let [ours, cosigns] = sign(&rig, *key, "legacy", &[LEGACY], Some("--bundle"));
        if is_random(*key) {
            assert_eq!(mask(&ours.0, "base64Signature"), mask(&cosigns.0, "base64Signature"), "under {key}");
            // Without --output-signature both print the one that is in the bundle.
            for (tool, (bundle, stdout)) in [("ours", &ours), ("cosign", &cosigns)] {
                let printed = String::from_utf8_lossy(stdout).into_owned();
                let line = printed.strip_suffix('\n').unwrap_or_else(|| panic!("{tool} prints {printed:?}"));
                assert_eq!(mask(bundle, "base64Signature"), bundle.replace(line, MARK), "{tool}, {key}");
            }
        } else {
            assert_eq!(ours, cosigns, "under {key}");
        }
        let [ours, cosigns] = sign(&rig, *key, "signature", &[LEGACY], Some("--output-signature"));
        assert_eq!(ours.1, cosigns.1, "standard output under {key}");
        if is_random(*key) {
            // A DER signature varies by some bytes; what does not is one line of base64 without its ending.
            for signature in [&ours.0, &cosigns.0] {
                let bytes = STANDARD.decode(signature).expect("base64 and nothing else");
                assert_eq!(STANDARD.encode(bytes), *signature, "under {key}");
            }
        } else {
            assert_eq!(ours.0, cosigns.0, "under {key}");
        }
    });
}

#[test]
fn raw_signatures_on_standard_output_are_the_bytes_of_cosign() {
    let Some(rig) = Rig::new() else { return };
    let [ours, cosigns] = sign(&rig, KeyType::Rsa2048, "raw", &[LEGACY, "--b64=false"], None);
    assert_eq!(ours.1.len(), 256, "an RSA-2048 signature and no line ending");
    assert_eq!(ours.1, cosigns.1);
}

#[test]
fn key_files_have_the_shape_of_cosign() {
    let Some(rig) = Rig::new() else { return };
    for key in KeyType::ALL {
        let shapes = [rig::sealed_by_ours(key), rig::sealed_by_cosign(key)].map(|sealed| {
            let text = String::from_utf8(rig.read(&sealed)).expect("PEM is text");
            // Label lines as they stand, body lines by their length.
            let lines = text.split('\n').map(|line| match line.starts_with("--") {
                true => line.to_owned(),
                false => line.len().to_string(),
            });
            let body: String = text.lines().filter(|line| !line.starts_with("--")).collect();
            let json = String::from_utf8(STANDARD.decode(body).expect("base64")).expect("JSON is text");
            let masked = ["salt", "nonce", "ciphertext"].iter().fold(json, |json, field| mask(&json, field));
            (lines.collect::<Vec<_>>(), masked)
        });
        let [ours, cosigns] = shapes;
        assert_eq!(ours, cosigns, "the {key} key file");
        assert!(ours.1.contains("\"N\":65536,\"r\":8,\"p\":1"), "{}", ours.1);
    }
}

/// The seal of a key is new each time: the same key and password give another file.
#[test]
fn two_key_files_of_one_key_have_nothing_secret_in_common() {
    let Some(rig) = Rig::new() else { return };
    let plain = rig::plain(KeyType::P256);
    support::succeed(&mut rig.ours(&["import-key-pair", "-k", &plain, "-o", "again"]));
    let mode = rig.path("again.key").metadata().expect("it was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let [first, second] = [rig::sealed_by_ours(KeyType::P256), "again.key".to_owned()].map(|name| {
        let text = String::from_utf8(rig.read(&name)).expect("PEM is text");
        let body: String = text.lines().filter(|line| !line.starts_with("--")).collect();
        let json: serde_json::Value =
            serde_json::from_slice(&STANDARD.decode(body).expect("base64")).expect("JSON");
        ["/kdf/params/salt", "/kdf/salt", "/cipher/nonce", "/ciphertext"].map(|at| json.pointer(at).cloned())
    });
    let found = first.iter().zip(&second).filter(|(one, two)| one.is_some() && two.is_some() && one != two);
    assert_eq!(found.count(), 3, "salt, nonce and ciphertext differ");
}
