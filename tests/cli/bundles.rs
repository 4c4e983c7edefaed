//! Bundles, keys and artifacts that do not belong together, and bundles that are not what they seem.

use std::fs::File;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::bundle::MAX_BUNDLE_BYTES;
use serde_json::{Value, json};

use super::world::{SIGN, VERIFY, World};

const BUNDLE: &str = "blob.sigstore.json";

/// A world with `blob` signed, and its bundle.
fn signed() -> Option<(World, Value)> {
    let world = World::new()?;
    world.write("blob", "blob");
    world.sign("blob");
    let bundle = serde_json::from_str(&world.read(BUNDLE)).expect("a bundle is JSON");
    Some((world, bundle))
}

fn verify<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&VERIFY[..], more].concat()
}

/// `bundle` in place of the good one is refused with `words`; the good one verifies before and after.
fn refused(world: &World, bundle: impl AsRef<[u8]>, words: &[&str]) {
    let good = world.read(BUNDLE);
    world.run(&verify(&["--key", "key.pub", "blob"])).ok();
    world.write(BUNDLE, bundle);
    let ended = world.refuse(&verify(&["--key", "key.pub", "blob"]), words);
    ended.says_nothing_of(&["Verified OK", "panicked"]);
    assert_eq!(ended.stdout, "");
    world.write(BUNDLE, good);
}

#[test]
fn refuses_a_wrong_key_a_changed_file_and_a_missing_bundle() {
    let Some((world, _)) = signed() else { return };
    let words = ["cannot verify blob", "the bundle names another key", "expected hint", "found", "hint: "];
    world.refuse(&verify(&["--key", "other.pub", "blob"]), &words);
    world.write("blob", "blub");
    let words = ["the bundle is for another artifact: expected sha256:", "found sha256:", "hint: "];
    world.refuse(&verify(&["--key", "key.pub", "blob"]), &words);
    world.write("unsigned", "unsigned");
    let words = ["cannot read the bundle unsigned.sigstore.json", "hint: name the bundle with --bundle"];
    world.refuse(&verify(&["--key", "key.pub", "unsigned"]), &words);
    world.refuse(&verify(&["--key", "key.pub", "absent"]), &["absent"]);
}

#[test]
fn refuses_a_detached_signature_of_another_key_or_file() {
    let Some((world, _)) = signed() else { return };
    let to_file = ["--new-bundle-format=false", "--output-signature", "blob.sig", "--key", "key.pem", "blob"];
    world.run(&[&SIGN[..], &to_file].concat()).ok();
    world.run(&verify(&["--key", "key.pub", "--signature", "blob.sig", "blob"])).ok();
    // One fact and nothing about the step that failed.
    let words = ["cannot verify blob: signature does not match", "hint: the artifact was changed"];
    world.refuse(&verify(&["--key", "other.pub", "--signature", "blob.sig", "blob"]), &words);
    world.write("blob", "blub");
    world.refuse(&verify(&["--key", "key.pub", "--signature", "blob.sig", "blob"]), &words);
    for (name, content) in [("empty", ""), ("cut", &world.read("blob.sig")[..40]), ("junk", "no base64!")] {
        world.write(name, content);
        world.refuse(&verify(&["--key", "key.pub", "--signature", name, "blob"]), &["blob"]);
    }
    world.refuse(&verify(&["--key", "key.pub", "--signature", "absent", "blob"]), &["absent"]);
}

#[test]
fn refuses_a_truncated_bundle() {
    let Some((world, _)) = signed() else { return };
    let good = world.read(BUNDLE);
    for end in [0, 1, good.len() / 4, good.len() / 2, good.len() - 1] {
        refused(&world, &good[..end], &["cannot read the bundle blob.sigstore.json"]);
    }
    refused(&world, format!("{good}{{}}"), &["cannot read the bundle blob.sigstore.json", "trailing"]);
}

/// E.2 21: a bundle above the limit is refused by its size.
#[test]
fn refuses_a_huge_bundle() {
    let Some((world, bundle)) = signed() else { return };
    std::fs::remove_file(world.path(BUNDLE)).expect("the good bundle");
    let huge = File::create(world.path(BUNDLE)).expect("a new file");
    huge.set_len(MAX_BUNDLE_BYTES + (8 << 30)).expect("a sparse file");
    let words = ["cannot read the bundle", &format!("larger than {MAX_BUNDLE_BYTES} bytes")];
    world.refuse(&verify(&["--key", "key.pub", "blob"]), &words);
    world.refuse(&["bundle", "inspect", BUNDLE], &words);
    world.write(BUNDLE, bundle.to_string());
    // Within the limit of the file, above what any signature has.
    let mut long = bundle;
    long["messageSignature"]["signature"] = STANDARD.encode(vec![0x30; 4 << 20]).into();
    refused(&world, long.to_string(), &["signature does not match"]);
}

/// E.2 21: deep JSON; 33 log entries; 33 timestamps.
#[test]
fn refuses_deep_json_and_long_lists() {
    let Some((world, bundle)) = signed() else { return };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    refused(&world, &deep, &["cannot read the bundle", "recursion limit"]);
    let mut entries = bundle.clone();
    entries["verificationMaterial"]["tlogEntries"] = vec![json!({}); 33].into();
    refused(&world, entries.to_string(), &["more than 32 log entries"]);
    let mut times = bundle;
    let list = vec![json!({ "signedTimestamp": "AAAA" }); 33];
    times["verificationMaterial"]["timestampVerificationData"] = json!({ "rfc3161Timestamps": list });
    refused(&world, times.to_string(), &["more than 32 timestamps"]);
}

/// E.2 7: two readers take different ones of two equal keys, and base64 whose last bits mean nothing has two spellings.
#[test]
fn refuses_repeated_keys_and_base64_that_is_not_canonical() {
    let Some((world, bundle)) = signed() else { return };
    let good = world.read(BUNDLE);
    for (key, doubled) in [
        ("mediaType", r#""mediaType":"x", "#),
        ("hint", r#""hint":"x", "#),
        ("signature", r#""signature":"AAAA", "#),
    ] {
        let text = good.replace(&format!("\"{key}\":"), &format!("{doubled}\"{key}\":"));
        refused(&world, text, &[&format!("the key \"{key}\" stands twice")]);
    }
    let digest = bundle["messageSignature"]["messageDigest"]["digest"].as_str().expect("a digest");
    refused(&world, good.replace(digest, &not_canonical(digest)), &["cannot read the bundle"]);
    let signature = bundle["messageSignature"]["signature"].as_str().expect("a signature");
    if signature.ends_with('=') {
        refused(&world, good.replace(signature, &not_canonical(signature)), &["cannot read the bundle"]);
    }
    refused(&world, good.replace(signature, &format!("{signature} ")), &["cannot read the bundle"]);
}

#[test]
fn refuses_fields_and_versions_that_it_does_not_know() {
    let Some((world, bundle)) = signed() else { return };
    for place in [
        "",
        "/verificationMaterial",
        "/verificationMaterial/publicKey",
        "/messageSignature",
        "/messageSignature/messageDigest",
    ] {
        let mut more = bundle.clone();
        more.pointer_mut(place).expect("a place in the bundle")["surprise"] = 1.into();
        refused(&world, more.to_string(), &["cannot read the bundle", "unknown field"]);
    }
    for version in ["application/vnd.dev.sigstore.bundle.v0.4+json", "text/plain", ""] {
        let mut other = bundle.clone();
        other["mediaType"] = version.into();
        refused(&world, other.to_string(), &["its media type is", "expected version 0.1, 0.2 or 0.3"]);
    }
    for text in ["{}", "[]", "null", "\"blob\"", r#"{"mediaType":1}"#] {
        refused(&world, text, &["cannot read the bundle"]);
    }
}

/// E.2 4: the bundle's digest and the artifact differ though the signature is over the artifact, and the reverse.
#[test]
fn refuses_a_bundle_whose_digest_is_not_the_artifacts() {
    let Some((world, bundle)) = signed() else { return };
    world.write("other", "other");
    world.sign("other");
    let other: Value = serde_json::from_str(&world.read("other.sigstore.json")).expect("a bundle is JSON");
    let mut digest = bundle.clone();
    digest["messageSignature"]["messageDigest"] = other["messageSignature"]["messageDigest"].clone();
    refused(&world, digest.to_string(), &["the bundle is for another artifact"]);
    let mut signature = bundle.clone();
    signature["messageSignature"]["signature"] = other["messageSignature"]["signature"].clone();
    refused(&world, signature.to_string(), &["signature does not match"]);
    refused(&world, other.to_string(), &["the bundle is for another artifact"]);
    let mut hash = bundle;
    hash["messageSignature"]["messageDigest"]["algorithm"] = "SHA2_512".into();
    refused(&world, hash.to_string(), &["blob"]);
}

/// E.2 5: a hint of another key; certificate and key both present; the certificate of another key.
#[test]
fn refuses_a_bundle_that_names_another_key_or_two() {
    let Some((world, bundle)) = signed() else { return };
    world.write("elsewhere", "blob");
    world.run(&[&SIGN[..], &["--key", "other.pem", "elsewhere"]].concat()).ok();
    let other: Value =
        serde_json::from_str(&world.read("elsewhere.sigstore.json")).expect("a bundle is JSON");
    let mut hint = bundle.clone();
    hint["verificationMaterial"] = other["verificationMaterial"].clone();
    refused(&world, hint.to_string(), &["the bundle names another key: expected hint", "found"]);
    let mut both = bundle.clone();
    both["verificationMaterial"]["certificate"] = json!({ "rawBytes": "AAAA" });
    refused(
        &world,
        both.to_string(),
        &["expected exactly one of certificate, x509CertificateChain, publicKey, found 2"],
    );
    let mut two = bundle.clone();
    two["dsseEnvelope"] = json!({});
    refused(&world, two.to_string(), &["expected exactly one of messageSignature, dsseEnvelope, found 2"]);
    let signature = bundle["messageSignature"]["signature"].clone();
    let legacy = json!({ "base64Signature": signature, "cert": STANDARD.encode(world.read("other.pub")) });
    refused(&world, legacy.to_string(), &["the certificate is for another key"]);
}

/// The last letter before the padding, with a bit set that decodes to nothing.
fn not_canonical(text: &str) -> String {
    let at = text.trim_end_matches('=').len() - 1;
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = letters.iter().position(|letter| *letter == text.as_bytes()[at]).expect("base64");
    let mut changed = text.to_owned();
    changed.replace_range(at..=at, &char::from(letters[value | 1]).to_string());
    assert_ne!(changed, text, "the letter had no free bit");
    changed
}
