//! Times are proven before they are used, and everything must have been valid at every one of them (numbers 15 to 17).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::verify::{Check, Evidence, Trust, Window};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::verify::forge::authorities::{Answers, GRANTED};
use crate::verify::forge::bundles::ARTIFACT;
use crate::verify::forge::certificates::{CODE_SIGNING, Period, TIME_STAMPING, usage};
use crate::verify::forge::{
    CERTIFIED_UNTIL, Case, Certified, Key, LONG, Leaf, Signer, TIME, TimestampAuthority, WORLD, YEAR, date,
    trusted_authority,
};

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

#[test]
fn e2_15_a_certificate_outside_its_dates() {
    let valid = |period: Period| Case::logged(&WORLD.certified(&Leaf { period, ..Leaf::default() }));
    // Both ends are inclusive.
    valid((TIME, TIME)).accepted();
    let refusal = valid((TIME - 60, TIME - 1)).refused(Check::CertificateChain);
    assert!(refusal.found().contains("expired on 2025-06-01T11:59:59Z"), "{refusal}");
    let refusal = valid((TIME + 1, TIME + 60)).refused(Check::CertificateChain);
    assert!(refusal.found().contains("not valid before 2025-06-01T12:00:01Z"), "{refusal}");
}

#[test]
fn e2_15_an_authority_outside_its_dates() {
    let below = |root: Period, issuer: Period| {
        let root = Certified::root("CN=other root", root);
        let issuer = root.authority("CN=other issuer", issuer);
        let signer = Signer::certified(Leaf::default().issue(&issuer, &[&WORLD.certificate_logs[0]]));
        Case::logged(&signer).trusting("/certificateAuthorities/0", trusted_authority(&[&issuer, &root]))
    };
    let (ended, ends) = ((TIME - YEAR, TIME - 1), (TIME - YEAR, TIME));
    below(ends, ends).accepted();
    below(LONG, ended).refused(Check::CertificateChain);
    below(ended, LONG).refused(Check::CertificateChain);
    below(LONG, (TIME + 1, TIME + YEAR)).refused(Check::CertificateChain);
    below((TIME + 1, TIME + YEAR), LONG).refused(Check::CertificateChain);
}

#[test]
fn e2_15_a_key_or_authority_outside_its_window_in_the_trusted_root() {
    let signer = WORLD.signer();
    let (logged, tiled) = (Case::logged(&signer), Case::tiled(&signer));
    for (case, place, refused_by) in [
        (&logged, "/certificateAuthorities/0/validFor", Check::CertificateChain),
        (&logged, "/ctlogs/0/publicKey/validFor", Check::CertificateTimestamp),
        (&logged, "/tlogs/0/publicKey/validFor", Check::LogWindow),
        (&tiled, "/tlogs/2/publicKey/validFor", Check::LogWindow),
        (&tiled, "/timestampAuthorities/0/validFor", Check::Timestamp),
    ] {
        let within =
            |start: i64, end: i64| case.trusting(place, json!({"start": date(start), "end": date(end)}));
        within(TIME, TIME).accepted();
        within(TIME - YEAR, TIME - 1).refused(refused_by);
        within(TIME + 1, TIME + YEAR).refused(refused_by);
        // A window with no start is none.
        for window in
            [json!({}), json!({"end": date(TIME)}), json!({"start": Value::Null, "end": date(TIME)})]
        {
            let root = case.trusting(place, window).trusted_root.to_string();
            let error = Trust::parse(root.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("cannot read the trusted root"), "{place}: {error}");
        }
    }
}

#[test]
fn e2_15_a_key_outside_the_window_that_a_policy_sets() {
    let (logged, tiled) = (Case::logged(&Signer::bare()), Case::tiled(&Signer::bare()));
    let time = |seconds: i64| Some(Timestamp::from_second(seconds).unwrap());
    for case in [&logged, &tiled] {
        let within = |start: i64, end: i64| Case {
            window: Window { start: time(start), end: time(end) },
            ..case.clone()
        };
        within(TIME, TIME).accepted();
        within(TIME - YEAR, TIME - 1).refused(Check::KeyWindow);
        within(TIME + 1, TIME + YEAR).refused(Check::KeyWindow);
    }
    // With a window, a time must be proven.
    let place = "/verificationMaterial/timestampVerificationData";
    let untimed = tiled.with(place, Value::Null);
    untimed.accepted();
    let bounded = Case { window: Window { start: None, end: time(TIME) }, ..untimed };
    bounded.refused(Check::KeyWindow);
}

#[test]
fn e2_16_a_time_that_nobody_promised() {
    for signer in [Signer::bare(), WORLD.signer()] {
        let case = Case::logged(&signer);
        case.accepted();
        let at = |time: i64| case.with(&format!("{ENTRY}/integratedTime"), time.to_string());
        at(TIME + 1).refused(Check::LogPromise);
        at(TIME - 1).refused(Check::LogPromise);
        at(-1).unreadable("negative");
        // Without the promise the time is a mere number.
        let unpromised = case.with(&format!("{ENTRY}/inclusionPromise"), Value::Null);
        match signer.certificate {
            Some(_) => drop(unpromised.refused(Check::Time)),
            None => assert!(unpromised.accepted().times.is_empty()),
        }
    }
}

#[test]
fn e2_16_a_time_in_the_future() {
    for signer in [Signer::bare(), WORLD.signer()] {
        let signature = signer.sign(ARTIFACT);
        let body = signer.hashedrekord(ARTIFACT, &signature);
        let at = |logged: i64, stamped: i64| {
            let stamp = WORLD.authorities[0].stamp(&signature, stamped);
            let entry = WORLD.logs[0].entry_at(&body, logged);
            Case::new(&signer, signer.bundle(ARTIFACT, &signature, vec![entry], &[stamp]))
        };
        at(TIME, TIME).accepted();
        // It is judged a year later.
        at(TIME + 2 * YEAR, TIME).refused(Check::Time);
        at(TIME, TIME + 2 * YEAR).refused(Check::Time);
    }
}

#[test]
fn e2_16_two_times_of_which_one_is_outside() {
    let signer = WORLD.signer();
    let signature = signer.sign(ARTIFACT);
    let body = signer.hashedrekord_2(ARTIFACT, &signature);
    let [one, other] = &WORLD.authorities;
    let at = |first: i64, second: i64| {
        let stamps = [one.stamp(&signature, first), other.stamp(&signature, second)];
        Case::new(&signer, signer.bundle(ARTIFACT, &signature, vec![WORLD.tiles.entry(&body)], &stamps))
    };
    at(TIME, CERTIFIED_UNTIL).accepted();
    at(TIME, CERTIFIED_UNTIL + 1).refused(Check::CertificateChain);
    at(CERTIFIED_UNTIL + 1, TIME).refused(Check::CertificateChain);
    // A log's promise is a time like the others.
    let body = signer.hashedrekord(ARTIFACT, &signature);
    let logged = |time: i64| {
        let entry = WORLD.logs[0].entry_at(&body, time);
        Case::new(&signer, signer.bundle(ARTIFACT, &signature, vec![entry], &[one.stamp(&signature, TIME)]))
    };
    logged(CERTIFIED_UNTIL).accepted();
    logged(CERTIFIED_UNTIL + 1).refused(Check::CertificateChain);
}

/// A signature in a log that says no time, with this timestamp, where this authority is trusted beside the others.
fn stamped(signer: &Signer, by: &TimestampAuthority, stamp: impl Fn(&[u8]) -> Vec<u8>) -> Case {
    let signature = signer.sign(ARTIFACT);
    let entry = WORLD.tiles.entry(&signer.hashedrekord_2(ARTIFACT, &signature));
    let bundle = signer.bundle(ARTIFACT, &signature, vec![entry], &[stamp(&signature)]);
    Case::new(signer, bundle).trusting("/timestampAuthorities/0", by.trusted())
}

#[test]
fn e2_17_a_timestamp_over_another_signature() {
    let signer = WORLD.signer();
    let authority = &WORLD.authorities[0];
    stamped(&signer, authority, |signature| authority.stamp(signature, TIME)).accepted();
    for over in [signer.sign(ARTIFACT), ARTIFACT.to_vec(), Vec::new()] {
        stamped(&signer, authority, |_| authority.stamp(&over, TIME)).refused(Check::Timestamp);
        // Also by somebody who is not trusted.
        let stranger = TimestampAuthority::new("stranger.time.forge.example");
        stamped(&signer, authority, |_| stranger.stamp(&over, TIME)).refused(Check::Timestamp);
    }
}

#[test]
fn e2_17_an_authority_whose_certificate_is_not_for_timestamps() {
    let signer = WORLD.signer();
    let by = |usages: &[&str]| {
        let authority = TimestampAuthority::with_usage("odd.time.forge.example", usages);
        stamped(&signer, &authority, |signature| authority.stamp(signature, TIME))
    };
    by(&[TIME_STAMPING]).accepted();
    by(&[TIME_STAMPING, CODE_SIGNING]).refused(Check::Timestamp);
    by(&[CODE_SIGNING]).refused(Check::Timestamp);
}

#[test]
fn e2_17_a_decoy_among_the_certificates_of_the_token() {
    let signer = WORLD.signer();
    let authority = &WORLD.authorities[0];
    let decoy = Certified::root("CN=decoy", LONG);
    // Beside a good signature it is not even looked at.
    stamped(&signer, authority, |signature| authority.stamp_beside(signature, TIME, &decoy)).accepted();
    // Somebody else signs in the name of the authority, with its certificate in the token.
    let forged = |key: Arc<Key>| {
        let thief = TimestampAuthority {
            signer: Certified { key, der: authority.signer.der.clone() },
            ..authority.clone()
        };
        stamped(&signer, authority, move |signature| thief.stamp(signature, TIME))
    };
    forged(authority.signer.key.clone()).accepted();
    forged(Key::p256().into()).refused(Check::Timestamp);
    // Where the trusted root names the root alone, the token brings the signer, who must chain to it.
    let brought = |signer_of_it: &Certified| {
        let other = TimestampAuthority { signer: signer_of_it.clone(), ..authority.clone() };
        let case = stamped(&signer, authority, move |signature| other.stamp(signature, TIME));
        let root = json!([{"rawBytes": STANDARD.encode(&authority.root.der)}]);
        case.trusting("/timestampAuthorities/0/certChain/certificates", root)
    };
    brought(&authority.signer).accepted();
    let namesake = Certified::root("CN=root of one.time.forge.example", LONG);
    let decoy = namesake.issue("CN=one.time.forge.example", LONG, vec![usage(&[TIME_STAMPING], true)]);
    brought(&decoy).refused(Check::Timestamp);
    // Of an authority that nobody names it is a stranger's, which leaves no time at all.
    let stranger = Certified::root("CN=stranger", LONG);
    brought(&stranger.issue("CN=decoy", LONG, vec![usage(&[TIME_STAMPING], true)])).refused(Check::Time);
    let unfit = authority.root.issue("CN=other", LONG, vec![usage(&[CODE_SIGNING], true)]);
    brought(&unfit).refused(Check::Timestamp);
    let expired = authority.root.issue(
        "CN=one.time.forge.example",
        (TIME - YEAR, TIME - 1),
        vec![usage(&[TIME_STAMPING], true)],
    );
    brought(&expired).refused(Check::Timestamp);
}

#[test]
fn e2_17_a_response_that_grants_nothing_or_holds_something_else() {
    let signer = WORLD.signer();
    let answering = |answers: Answers| {
        let authority = TimestampAuthority { answers, ..WORLD.authorities[0].clone() };
        stamped(&signer, &authority, |signature| authority.stamp(signature, TIME))
    };
    answering(GRANTED).accepted();
    // grantedWithMods is a grant; rejection and waiting are none.
    answering(Answers { status: 1, ..GRANTED }).accepted();
    for status in [2, 3, 5] {
        answering(Answers { status, ..GRANTED }).refused(Check::Timestamp);
    }
    let data = "1.2.840.113549.1.7.1";
    for answers in [
        Answers { token: data, ..GRANTED },
        Answers { content: data, ..GRANTED },
        Answers { attribute: data, ..GRANTED },
        Answers { content: data, attribute: data, ..GRANTED },
    ] {
        answering(answers).refused(Check::Timestamp);
    }
}

#[test]
fn e2_17_the_window_of_another_authority() {
    let signer = WORLD.signer();
    let until = |until: i64| {
        let authority = TimestampAuthority { until: Some(until), ..WORLD.authorities[0].clone() };
        stamped(&signer, &authority, |signature| authority.stamp(signature, TIME))
    };
    until(TIME).accepted();
    // The other one may be used to this day.
    until(TIME - 1).refused(Check::Timestamp);
}

#[test]
fn e2_17_no_timestamp_beside_a_log_that_says_no_time() {
    let place = "/verificationMaterial/timestampVerificationData";
    for nothing in [Value::Null, json!({}), json!({"rfc3161Timestamps": []})] {
        let case = Case::tiled(&WORLD.signer());
        case.accepted();
        case.with(place, nothing.clone()).refused(Check::Time);
        let ignoring = Evidence { logs: 0, ..Evidence::STANDARD };
        // With the log ignored the certificate is judged now, and has expired.
        case.with(place, nothing.clone()).demanding(ignoring).refused(Check::CertificateChain);
        // A key does not expire.
        Case::tiled(&Signer::bare()).with(place, nothing).accepted();
    }
}
