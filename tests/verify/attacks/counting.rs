//! Nobody counts twice, and nobody counts for somebody else (numbers 13 and 14).

use std::path::Path;
use std::process::Output;

use countersign::verify::{Check, Evidence};
use serde_json::Value;

use crate::support::{countersign, run, stderr};
use crate::verify::forge::bundles::ARTIFACT;
use crate::verify::forge::certificates::{TIME_STAMPING, usage};
use crate::verify::forge::{
    Case, CertificateLog, Key, LONG, Leaf, Log, Signer, TIME, TimestampAuthority, WORLD, date,
};

#[test]
fn e2_13_two_entries_of_one_log() {
    let signer = WORLD.signer();
    let signature = signer.sign(ARTIFACT);
    let (one, two) = (signer.hashedrekord(ARTIFACT, &signature), signer.hashedrekord_2(ARTIFACT, &signature));
    let [log, other] = &WORLD.logs;
    let case = |entries: Vec<Value>| {
        let case = Case::new(&signer, signer.bundle(ARTIFACT, &signature, entries, &[]));
        case.demanding(Evidence { logs: 2, ..Evidence::STANDARD })
    };
    case(vec![log.entry(&one), other.entry(&one)]).accepted();
    case(vec![log.entry(&one), WORLD.tiles.entry(&two)]).accepted();
    let refusal = case(vec![log.entry(&one), log.entry_at(&one, TIME + 1)]).refused(Check::TransparencyLog);
    assert_eq!((refusal.expected(), refusal.found()), ("at least 2", "1"));
    case(vec![log.entry(&one); 2]).refused(Check::TransparencyLog);
    case(vec![log.entry(&one)]).refused(Check::TransparencyLog);
}

#[test]
fn e2_13_one_log_under_two_names() {
    let signer = WORLD.signer();
    let signature = signer.sign(ARTIFACT);
    let body = signer.hashedrekord(ARTIFACT, &signature);
    let log = &WORLD.logs[0];
    let under = |second: &Log| {
        let entries = vec![log.entry(&body), second.entry(&body)];
        let case = Case::new(&signer, signer.bundle(ARTIFACT, &signature, entries, &[]));
        let case = case.demanding(Evidence { logs: 2, ..Evidence::STANDARD });
        case.trusting("/tlogs/1", second.trusted())
    };
    let alias = Log { host: "alias.log.forge.example", id: vec![7; 32], ..log.clone() };
    under(&Log { key: Key::p256().into(), ..alias.clone() }).accepted();
    under(&alias).refused(Check::TransparencyLog);
    // One log with two keys.
    let key = Key::p256();
    under(&Log { host: "alias.log.forge.example", key: key.into(), ..log.clone() })
        .refused(Check::TransparencyLog);
}

#[test]
fn e2_13_two_timestamps_of_one_authority() {
    let signer = Signer::bare();
    let signature = signer.sign(ARTIFACT);
    let entry = WORLD.logs[0].entry(&signer.hashedrekord(ARTIFACT, &signature));
    let [authority, other] = &WORLD.authorities;
    let case = |stamps: &[Vec<u8>]| {
        let case = Case::new(&signer, signer.bundle(ARTIFACT, &signature, vec![entry.clone()], stamps));
        case.demanding(Evidence { timestamps: 2, ..Evidence::STANDARD })
    };
    let (first, again) = (authority.stamp(&signature, TIME), authority.stamp(&signature, TIME + 1));
    case(&[first.clone(), other.stamp(&signature, TIME)]).accepted();
    case(&[first.clone(), first.clone()]).refused(Check::TimestampCount);
    let twice = case(&[first, again]);
    twice.refused(Check::TimestampCount);
    // Listed twice it is still one.
    let mut named = authority.trusted();
    named["uri"] = "https://alias.time.forge.example".into();
    twice.trusting("/timestampAuthorities/1", named).refused(Check::TimestampCount);
}

#[test]
fn e2_13_one_authority_listed_in_two_ways() {
    let signer = Signer::bare();
    let signature = signer.sign(ARTIFACT);
    let entry = WORLD.logs[0].entry(&signer.hashedrekord(ARTIFACT, &signature));
    let [authority, other] = &WORLD.authorities;
    // Until some time with its signer, and from then on by its root alone.
    let mut first = TimestampAuthority { until: Some(TIME), ..authority.clone() }.trusted();
    let mut second = authority.trusted();
    second["certChain"]["certificates"].as_array_mut().unwrap().remove(0);
    second["validFor"]["start"] = date(TIME + 1).into();
    let case = |by: &TimestampAuthority, listed: &[Value]| {
        let stamps = [authority.stamp(&signature, TIME), by.stamp(&signature, TIME + 1)];
        let case = Case::new(&signer, signer.bundle(ARTIFACT, &signature, vec![entry.clone()], &stamps));
        let case = case.demanding(Evidence { timestamps: 2, ..Evidence::STANDARD });
        case.trusting("/timestampAuthorities", listed.to_vec())
    };
    case(other, &[first.clone(), other.trusted()]).accepted();
    case(authority, &[second.clone(), first.clone()]).refused(Check::TimestampCount);
    case(authority, &[first.clone(), second.clone()]).refused(Check::TimestampCount);
    // Two signers below one root that alone is listed are one authority.
    first = second.clone();
    first["validFor"]["start"] = date(TIME - 1).into();
    let colleague = TimestampAuthority {
        signer: authority.root.issue("CN=colleague", LONG, vec![usage(&[TIME_STAMPING], true)]),
        ..authority.clone()
    };
    case(other, &[first.clone(), other.trusted()]).accepted();
    case(&colleague, &[first]).refused(Check::TimestampCount);
}

#[test]
fn e2_13_two_timestamps_of_one_certificate_log() {
    let [log, other] = &WORLD.certificate_logs;
    let stranger = CertificateLog::new("stranger.ct.forge.example");
    let in_logs = |logs: &[&CertificateLog]| {
        let signer = Signer::certified(Leaf::default().issue(&WORLD.issuer, logs));
        Case::logged(&signer).demanding(Evidence { certificate_logs: 2, ..Evidence::STANDARD })
    };
    in_logs(&[log, other]).accepted();
    in_logs(&[log, log]).refused(Check::CertificateTimestamp);
    in_logs(&[log]).refused(Check::CertificateTimestamp);
    in_logs(&[]).refused(Check::CertificateTimestamp);
    // A stranger neither helps nor harms; somebody else in a known log's name harms.
    in_logs(&[log, other, &stranger]).accepted();
    in_logs(&[log, &stranger]).refused(Check::CertificateTimestamp);
    let thief = CertificateLog { id: other.id.clone(), ..stranger };
    in_logs(&[log, other, &thief]).refused(Check::CertificateTimestamp);
    // One log under two names.
    let alias = CertificateLog { id: vec![7; 32], ..log.clone() };
    let under = |second: &CertificateLog| in_logs(&[log, second]).trusting("/ctlogs/1", second.trusted());
    under(&CertificateLog { key: Key::p256().into(), ..alias.clone() }).accepted();
    under(&alias).refused(Check::CertificateTimestamp);
}

/// Verifies by a policy that two of two must have signed, with these keys and bundles.
fn two_of_two(directory: &Path, keys: [&[u8]; 2], bundles: [&Case; 2]) -> Output {
    let write = |name: &str, content: &[u8]| std::fs::write(directory.join(name), content).unwrap();
    write("artifact", ARTIFACT);
    write("root.json", bundles[0].trusted_root.to_string().as_bytes());
    let mut command = countersign();
    command.current_dir(directory).args(["verify-blob", "--policy-file", "policy.yaml", "artifact"]);
    for ((name, key), bundle) in ["alice", "bob"].into_iter().zip(keys).zip(bundles) {
        write(name, key);
        write(&format!("{name}.bundle"), bundle.bundle.to_string().as_bytes());
        command.args(["--bundle", &format!("{name}.bundle")]);
    }
    let policy = "version: 1
trusted-root: root.json
signers:
  alice: {key: alice}
  bob: {key: bob}
require: {at-least: 2, of: [alice, bob]}
";
    write("policy.yaml", policy.as_bytes());
    run(&mut command)
}

#[test]
fn e2_13_one_key_under_two_names_or_in_two_encodings() {
    let (alice, bob) = (Signer::bare(), Signer::bare());
    let pem = |signer: &Signer| signer.key.pem().into_bytes();
    let (by_alice, by_bob) = (Case::logged(&alice), Case::logged(&bob));
    let directory = tempfile::tempdir().unwrap();
    let accepted = two_of_two(directory.path(), [&pem(&alice), &pem(&bob)], [&by_alice, &by_bob]);
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    let again = Case::logged(&alice);
    for (keys, bundles) in [
        ([pem(&alice), pem(&alice)], [&by_alice, &again]),
        ([pem(&alice), alice.key.spki()], [&by_alice, &again]),
        ([pem(&alice), pem(&bob)], [&by_alice, &again]),
        ([pem(&alice), pem(&bob)], [&by_bob, &by_bob]),
    ] {
        let refused = two_of_two(directory.path(), [&keys[0], &keys[1]], bundles);
        let said = stderr(&refused);
        assert!(!refused.status.success() && said.contains(Check::PolicyRule.title()), "{said}");
    }
}

#[test]
fn e2_14_a_witness_in_the_place_of_the_log() {
    let witness = Key::ed25519();
    for signer in [Signer::bare(), WORLD.signer()] {
        let case = Case::tiled(&signer);
        let witnessed = |beside_the_log: bool| {
            let mut entry = case.bundle.pointer("/verificationMaterial/tlogEntries/0").unwrap().clone();
            WORLD.tiles.witness(&mut entry, &witness, beside_the_log);
            case.with_entry(entry)
        };
        witnessed(true).accepted();
        witnessed(false).refused(Check::LogCheckpoint);
    }
}

#[test]
fn e2_13_a_stranger_s_witnesses_do_not_count() {
    let signer = Signer::bare();
    let signature = signer.sign(ARTIFACT);
    let stranger = Log::version_1("stranger.log.forge.example");
    let entry = |log: &Log| log.entry(&signer.hashedrekord(ARTIFACT, &signature));
    let stamp = TimestampAuthority::new("stranger.time.forge.example").stamp(&signature, TIME);
    let case = |log: &Log, timestamps: usize| {
        let case = Case::new(
            &signer,
            signer.bundle(ARTIFACT, &signature, vec![entry(log)], std::slice::from_ref(&stamp)),
        );
        case.demanding(Evidence { timestamps, ..Evidence::STANDARD })
    };
    let proven = case(&WORLD.logs[0], 0).accepted();
    assert!(proven.not_proven.iter().any(|text| text.contains("authority that is not in the trusted root")));
    case(&WORLD.logs[0], 1).refused(Check::TimestampCount);
    case(&stranger, 0).refused(Check::TransparencyLog);
}
