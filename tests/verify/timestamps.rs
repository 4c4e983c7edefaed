//! Published timestamps (RFC 3161): of real authorities, damaged, and with certificates that somebody put in.

use std::path::Path;

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use countersign::verify::{
    Authority, Check, Evidence, Material, Origin, Plan, Policy, Refusal, Trust, Who, Window, answers, plan,
};
use countersign_core::certificate::Certificate;
use der::{Decode, Encode};
use jiff::Timestamp;

use super::forge::Key;
use crate::support::vectors;

const SAMPLES: &str = "sigstore-java/samples/timestamp-response";
const INJECTED: &str = "rfc3161/response-injected-certs.tsr";
/// What the injected one answers.
const NONCE: [u8; 8] = [0x36, 0xa4, 0x4f, 0x9f, 0x4a, 0x39, 0x1f, 0xd3];

/// What is proven of a timestamp over these bytes, where one authority is demanded.
fn decide(stamp: &[u8], over: &[u8], trust: &Trust) -> Result<Plan, Refusal> {
    let key = Key::p256().public();
    let mut material = Material::bare(Origin::Detached, over.to_vec());
    material.timestamps = vec![stamp.to_vec()];
    let evidence = Evidence { timestamps: 1, ..Evidence::NONE };
    let policy = Policy::new(Who::Key(&key, Window::default()), evidence, Timestamp::now());
    plan(&material, &policy, trust)
}

fn refused(decided: Result<Plan, Refusal>) -> Check {
    decided.expect_err("a timestamp was accepted").kind()
}

fn read(vectors: &Path, file: &str) -> Vec<u8> {
    std::fs::read(vectors.join(file)).unwrap()
}

#[test]
fn a_real_authority_s_timestamps_prove_the_time_that_openssl_reads() {
    let Some(vectors) = vectors() else { return };
    let trust = |name: &str| Trust::parse(&read(&vectors, &format!("trusted-roots/{name}.json"))).unwrap();
    let (staging, other) = (trust("staging"), trust("public-good"));
    for (file, time) in [
        ("sigstage_tsa_response_with_embedded_certs.tsr", "2025-05-28T15:15:55Z"),
        ("sigstage_tsa_response_without_embedded_certs.tsr", "2025-05-28T15:17:58Z"),
    ] {
        let stamp = read(&vectors, &format!("{SAMPLES}/valid/{file}"));
        let proven = decide(&stamp, b"test\n", &staging).unwrap();
        assert!(proven.proven()[0].contains(&format!("existed at {time}")), "{:?}", proven.proven());
        assert_eq!(refused(decide(&stamp, b"test", &staging)), Check::Timestamp);
        assert_eq!(refused(decide(&stamp, b"test\n", &other)), Check::TimestampCount);
        // Every second byte changed by a bit: whatever is still accepted says the same time.
        for at in (0..stamp.len()).step_by(2) {
            let mut changed = stamp.clone();
            changed[at] ^= 1;
            if let Ok(changed) = decide(&changed, b"test\n", &staging) {
                assert_eq!(changed.proven(), proven.proven(), "byte {at}");
            }
        }
    }
}

#[test]
fn a_timestamp_is_read_whoever_made_it_and_refused_where_it_is_damaged() {
    let Some(vectors) = vectors() else { return };
    // Of these the bytes that they are over are not published: they can be read, and are over something else.
    for file in [
        "freetsa_response.tsr",
        "sigstore_tsa_response_with_embedded_certs.tsr",
        "sigstore_tsa_response_without_embedded_certs.tsr",
    ] {
        let stamp = read(&vectors, &format!("{SAMPLES}/valid/{file}"));
        assert_eq!(answers(&stamp, b"test\n", &NONCE).unwrap_err(), "it is over another signature", "{file}");
    }
    let damaged = read(&vectors, &format!("{SAMPLES}/invalid/sigstore_tsa_response_invalid.tsr"));
    let why = answers(&damaged, b"test\n", &NONCE).unwrap_err();
    assert_ne!(why, "it is over another signature");
    for end in 0..damaged.len() {
        assert!(answers(&damaged[..end], b"test\n", &NONCE).is_err(), "cut at {end}");
    }
}

#[test]
fn certificates_that_somebody_put_into_a_token_are_not_trusted() {
    let Some(vectors) = vectors() else { return };
    let stamp = read(&vectors, INJECTED);
    answers(&stamp, b"hello", &NONCE).unwrap();
    assert!(answers(&stamp, b"hello", &NONCE[1..]).unwrap_err().contains("nonce"));
    assert!(answers(&stamp, b"hello!", &NONCE).is_err());
    let response: Vec<der::Any> = Vec::from_der(&stamp).unwrap();
    let token: ContentInfo = response[1].decode_as().unwrap();
    let token: SignedData = token.content.decode_as().unwrap();
    let mut tried = 0;
    for choice in token.certificates.unwrap().0.iter() {
        let CertificateChoices::Certificate(one) = choice else { continue };
        let Ok(certificate) = Certificate::from_der(&one.to_der().unwrap()) else { continue };
        let issued_for_it = certificate.subject().contains("Intermediate");
        assert!(!issued_for_it, "the token brings its authority");
        // Whoever is named as authority, the token does not chain to it: its own is not among them.
        let name = certificate.subject();
        let authority = Authority { name: name.clone(), chain: vec![certificate], window: Window::default() };
        let trust = Trust { timestamp_authorities: vec![authority], ..Trust::default() };
        let check = refused(decide(&stamp, b"hello", &trust));
        assert!([Check::Timestamp, Check::TimestampCount].contains(&check), "{name}: {check:?}");
        tried += 1;
    }
    assert_eq!(tried, 3);
}
