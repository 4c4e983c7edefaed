//! Everything in a bundle must be about the same signature, signer and artifact (numbers 1 to 7).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::verify::{Check, Evidence};
use serde_json::{Value, json};

use crate::support::{countersign, run, stderr, succeed};
use crate::verify::forge::bundles::{ARTIFACT, BUNDLE_0_1, PAYLOAD_TYPE, statement};
use crate::verify::forge::case::By;
use crate::verify::forge::{Case, Key, Leaf, Signer, TIME, WORLD, sha256};

const OTHER: &[u8] = b"another artifact";
const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

/// Bundles with an entry of version 1 in every form: version 0.3 and 0.1, the older blob bundle, by key and by certificate.
/// `body` says what the log was told.
fn forms(signer: &Signer, signature: &[u8], body: &Value) -> Vec<Case> {
    let entry = WORLD.logs[0].entry(body);
    let new = Case::new(signer, signer.bundle(ARTIFACT, signature, vec![entry.clone()], &[]));
    let old = new.with("/mediaType", BUNDLE_0_1);
    let mut forms = vec![new, old, Case::new(signer, signer.legacy(signature, &entry))];
    // Where the log is not trusted, what it says must fit all the same.
    forms.extend(forms.clone().iter().map(|case| case.trusting("/tlogs", json!([]))));
    forms
}

/// The refusal that each form must end in; a stranger's entry that fits leaves too few logs.
fn each(forms: &[Case], refused_by: Option<Check>) {
    for case in forms {
        let trusts_the_log = case.trusted_root["tlogs"] != json!([]);
        match refused_by {
            Some(check) => drop(case.refused(check)),
            None if trusts_the_log => drop(case.accepted()),
            None => drop(case.refused(Check::TransparencyLog)),
        }
    }
}

#[test]
fn e2_01_a_log_entry_for_another_artifact() {
    for signer in [Signer::bare(), WORLD.signer()] {
        let (signature, other) = (signer.sign(ARTIFACT), signer.sign(OTHER));
        each(&forms(&signer, &signature, &signer.hashedrekord(ARTIFACT, &signature)), None);
        each(&forms(&signer, &signature, &signer.hashedrekord(OTHER, &other)), Some(Check::LogBinding));
        // The very signature, said to be over something else.
        let lying = forms(&signer, &signature, &signer.hashedrekord(OTHER, &signature));
        let trusting = lying.iter().filter(|case| case.trusted_root["tlogs"] != json!([]));
        trusting.for_each(|case| drop(case.refused(Check::LogBinding)));
        // Version 2.
        let tiled = |body: &Value| {
            let stamp = WORLD.authorities[0].stamp(&signature, TIME);
            let entry = WORLD.tiles.entry(body);
            Case::new(&signer, signer.bundle(ARTIFACT, &signature, vec![entry], &[stamp]))
        };
        tiled(&signer.hashedrekord_2(ARTIFACT, &signature)).accepted();
        tiled(&signer.hashedrekord_2(OTHER, &signature)).refused(Check::LogBinding);
        tiled(&signer.hashedrekord_2(OTHER, &other)).refused(Check::LogBinding);
    }
}

#[test]
fn e2_02_a_log_entry_for_another_signature_certificate_or_envelope() {
    let signer = WORLD.signer();
    let (signature, again) = (signer.sign(ARTIFACT), signer.sign(ARTIFACT));
    each(&forms(&signer, &signature, &signer.hashedrekord(ARTIFACT, &signature)), None);
    each(&forms(&signer, &signature, &signer.hashedrekord(ARTIFACT, &again)), Some(Check::LogBinding));
    // The same key with another certificate, and the same key without any.
    let twin = WORLD.certified(&Leaf { key: Some(signer.key.clone()), ..Leaf::default() });
    each(&forms(&signer, &signature, &twin.hashedrekord(ARTIFACT, &signature)), Some(Check::LogBinding));
    let bare = Signer { certificate: None, ..signer.clone() };
    each(&forms(&signer, &signature, &bare.hashedrekord(ARTIFACT, &signature)), Some(Check::LogBinding));
    // Another envelope with the same payload, and one with another payload under the same signature.
    let payload = statement(ARTIFACT).to_string();
    let (sealed, again) = (signer.seal(payload.as_bytes()), signer.seal(payload.as_bytes()));
    let mut lying = sealed.clone();
    lying.payload = statement(OTHER).to_string().into_bytes();
    for (kind, right, wrong) in [
        ("dsse", signer.dsse(&sealed), [signer.dsse(&again), signer.dsse(&lying)]),
        ("intoto", signer.intoto(&sealed), [signer.intoto(&again), signer.intoto(&lying)]),
        ("intoto 1", signer.intoto_1(&sealed), [signer.intoto_1(&again), signer.intoto_1(&lying)]),
        ("dsse 2", signer.dsse_2(&sealed), [signer.dsse_2(&again), signer.dsse_2(&lying)]),
    ] {
        let case = |body: &Value| {
            Case::new(&signer, signer.attestation(&sealed, vec![WORLD.logs[0].entry(body)], &[]))
        };
        assert!(case(&right).decide().is_ok(), "{kind}");
        wrong.iter().for_each(|body| drop(case(body).refused(Check::LogBinding)));
    }
    // The envelope as an artifact, and the oldest kind with another payload beside the right envelope.
    let case =
        |body: &Value| Case::new(&signer, signer.attestation(&sealed, vec![WORLD.logs[0].entry(body)], &[]));
    case(&signer.hashedrekord(&sealed.signed(), &sealed.signature)).accepted();
    case(&signer.hashedrekord(&lying.signed(), &sealed.signature)).refused(Check::LogBinding);
    let mut body = signer.intoto_1(&sealed);
    body["spec"]["content"]["payloadHash"] =
        signer.intoto_1(&lying)["spec"]["content"]["payloadHash"].clone();
    case(&body).refused(Check::LogBinding);
    // An attestation's entry beside a signature of the artifact.
    let entry = WORLD.logs[0].entry(&signer.dsse(&sealed));
    Case::logged(&signer).with_entry(entry).refused(Check::LogBinding);
}

#[test]
fn e2_03_an_entry_that_is_said_to_be_of_another_kind() {
    let case = Case::logged(&WORLD.signer());
    case.accepted();
    case.with(&format!("{ENTRY}/kindVersion/kind"), "dsse").refused(Check::LogEntry);
    case.with(&format!("{ENTRY}/kindVersion/version"), "0.0.2").refused(Check::LogEntry);
}

#[test]
fn e2_03_an_entry_without_the_proof_that_its_version_demands() {
    let case = Case::logged(&Signer::bare());
    let (promise, proof) = (format!("{ENTRY}/inclusionPromise"), format!("{ENTRY}/inclusionProof"));
    // From version 0.2 the proof is demanded, before it the promise.
    case.with(&promise, Value::Null).accepted();
    case.with(&proof, Value::Null).refused(Check::LogEntry);
    case.with(&format!("{proof}/checkpoint/envelope"), "").refused(Check::LogCheckpoint);
    let old = case.with("/mediaType", BUNDLE_0_1);
    old.with(&proof, Value::Null).accepted();
    old.with(&promise, Value::Null).refused(Check::LogEntry);
}

#[test]
fn e2_03_a_checkpoint_of_another_tree() {
    for signer in [Signer::bare(), WORLD.signer()] {
        for case in [Case::logged(&signer), Case::tiled(&signer)] {
            case.accepted();
            let log = if case.bundle.pointer(&format!("{ENTRY}/inclusionPromise")).is_some() {
                &WORLD.logs[0]
            } else {
                &WORLD.tiles
            };
            let other = log.entry(&json!({"kind": "another", "apiVersion": "0.0.1"}));
            let checkpoint = other.pointer("/inclusionProof/checkpoint/envelope").unwrap();
            let place = format!("{ENTRY}/inclusionProof/checkpoint/envelope");
            case.with(&place, checkpoint.clone()).refused(Check::LogCheckpoint);
            // The way up is the same in a tree with one leaf more; the checkpoint is of this one.
            case.with(&format!("{ENTRY}/inclusionProof/treeSize"), "8").refused(Check::LogCheckpoint);
        }
    }
}

#[test]
fn e2_03_a_body_other_than_the_one_promised_or_in_the_tree() {
    let signer = WORLD.signer();
    let spaced = |case: &Case| {
        let place = format!("{ENTRY}/canonicalizedBody");
        let body = STANDARD.decode(case.bundle.pointer(&place).unwrap().as_str().unwrap()).unwrap();
        // The same to every reader of JSON, and other bytes.
        let body = String::from_utf8(body).unwrap().replacen(',', ", ", 1);
        case.with(&place, STANDARD.encode(body))
    };
    let (promised, tiled) = (Case::logged(&signer), Case::tiled(&signer));
    promised.accepted();
    tiled.accepted();
    spaced(&promised).refused(Check::LogPromise);
    spaced(&tiled).refused(Check::LogInclusion);
    // Promised as it is, and not what the tree holds.
    let mut entry = spaced(&promised).bundle.pointer(ENTRY).unwrap().clone();
    WORLD.logs[0].promise(&mut entry, TIME);
    promised.with_entry(entry).refused(Check::LogInclusion);
    // Another place in the log than the one promised.
    promised.with(&format!("{ENTRY}/logIndex"), "105").refused(Check::LogPromise);
    tiled.with(&format!("{ENTRY}/logIndex"), "5").refused(Check::LogInclusion);
    // Without a promise nothing vouches for the index in the whole log, and nothing is said of it.
    let unpromised = Case::logged(&Signer::bare()).with(&format!("{ENTRY}/inclusionPromise"), Value::Null);
    let proven = unpromised.with(&format!("{ENTRY}/logIndex"), "999").accepted().proven;
    assert!(proven.iter().any(|fact| fact.ends_with("log.forge.example holds it")), "{proven:?}");
}

#[test]
fn e2_04_a_digest_other_than_the_artifact_s_and_the_reverse() {
    for signer in [Signer::bare(), WORLD.signer()] {
        let case = Case::logged(&signer);
        case.accepted();
        let digest = |artifact| STANDARD.encode(sha256(artifact));
        case.with("/messageSignature/messageDigest/digest", digest(OTHER)).refused(Check::ArtifactDigest);
        // The artifact's digest in the bundle and in the log, and a signature over another.
        let signature = signer.sign(OTHER);
        let entry = WORLD.logs[0].entry(&signer.hashedrekord(ARTIFACT, &signature));
        let forged = Case::new(&signer, signer.bundle(ARTIFACT, &signature, vec![entry], &[]));
        forged.refused(Check::Signature);
        Case { artifact: OTHER.to_vec(), ..case }.refused(Check::ArtifactDigest);
    }
}

#[test]
fn e2_05_a_hint_or_certificate_of_another_key() {
    let (signer, other) = (Signer::bare(), Signer::bare());
    let case = Case::logged(&signer);
    case.accepted();
    case.with("/verificationMaterial/publicKey/hint", other.key.hint()).refused(Check::KeyHint);
    let attested = Case::attested(&signer);
    attested.with("/dsseEnvelope/signatures/0/keyid", signer.key.hint()).accepted();
    attested.with("/dsseEnvelope/signatures/0/keyid", other.key.hint()).refused(Check::KeyHint);
    // A certificate beside the signature and a key on the command line.
    let certified = WORLD.signer();
    let by_key = |key: &Key| Case::logged(&certified).by(By::Key(key.public()));
    by_key(&certified.key).accepted();
    by_key(&other.key).refused(Check::CertifiedKey);
    // Both in one bundle: of the two each reader could take another.
    case.with("/verificationMaterial/certificate", json!({"rawBytes": "AAAA"})).unreadable("exactly one of");
}

#[test]
fn e2_06_a_certificate_for_another_key_than_the_one_that_signs() {
    let certified = WORLD.signer();
    Case::logged(&certified).accepted();
    let thief = Signer { key: Arc::new(Key::p256()), ..certified };
    Case::logged(&thief).refused(Check::Signature);
    // Where a certificate is put beside a key, before anything is signed.
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let ours = || {
        let mut command = countersign();
        command.current_dir(at).env("COSIGN_PASSWORD", "");
        command
    };
    succeed(ours().args(["generate-key-pair", "--output-key-prefix", "own"]));
    std::fs::write(at.join("artifact"), ARTIFACT).unwrap();
    let public = std::fs::read(at.join("own.pub")).unwrap();
    let spki = countersign_core::PublicKey::from_pem_or_der(&public).unwrap();
    let right = Leaf::default().issue_for(spki.spki_der(), &WORLD.issuer, &[]);
    std::fs::write(at.join("right.pem"), right).unwrap();
    std::fs::write(at.join("wrong.pem"), WORLD.signer().certificate.unwrap().pem()).unwrap();
    let sign = |certificate: &str| {
        let mut command = ours();
        command.args(["sign-blob", "-y", "--key", "own.key", "--tlog-upload=false"]);
        run(command.args(["--bundle", "bundle", "--certificate", certificate, "artifact"]))
    };
    let refused = sign("wrong.pem");
    let said = stderr(&refused);
    assert!(!refused.status.success() && said.contains("name the certificate that was issued for"), "{said}");
    assert!(!at.join("bundle").exists());
    let accepted = sign("right.pem");
    assert!(accepted.status.success(), "{}", stderr(&accepted));
}

#[test]
fn e2_07_an_envelope_that_readers_would_understand_differently() {
    let signer = WORLD.signer();
    let payload = statement(ARTIFACT).to_string();
    let case = Case::sealing(&signer, payload.as_bytes());
    case.accepted();
    case.with("/dsseEnvelope/payloadType", "application/json").refused(Check::PayloadType);
    // Signed as something else: the log knows payload and signature, only the signature knows the type.
    let mut sealed = signer.seal_as("text/plain", payload.as_bytes());
    sealed.payload_type = PAYLOAD_TYPE.to_owned();
    let entry = WORLD.logs[0].entry(&signer.dsse(&sealed));
    let relabelled = Case::new(&signer, signer.attestation(&sealed, vec![entry], &[]));
    relabelled.refused(Check::Signature);
    relabelled.demanding(Evidence { logs: 0, ..Evidence::STANDARD }).decide().unwrap_err();
    // Of two equal names one reader takes the first, another the last.
    let twice = payload.replacen('{', r#"{"subject":[{"name":"x","digest":{"sha256":"00"}}],"#, 1);
    assert_eq!(twice.matches("\"subject\"").count(), 2);
    let refusal = Case::sealing(&signer, twice.as_bytes()).refused(Check::Statement);
    assert!(refusal.found().contains("stands twice"), "{refusal}");
    // Text that decodes to the same payload for some decoders alone.
    let encoded = STANDARD.encode(format!("{payload} "));
    let padded = [" ", "  "].map(|more| STANDARD.encode(format!("{payload}{more}")));
    let padded = padded.into_iter().chain([encoded]).find(|text| text.ends_with('=')).unwrap();
    let end = padded.trim_end_matches('=').len();
    let last = char::from(padded.as_bytes()[end - 1] + 1);
    let case = Case::sealing(&signer, &STANDARD.decode(&padded).unwrap());
    case.accepted();
    let stray = format!("{}{last}{}", &padded[..end - 1], &padded[end..]);
    for text in
        [stray, format!("{padded}\n"), format!(" {padded}"), format!("{padded}===="), format!("{padded}AAAA")]
    {
        case.with("/dsseEnvelope/payload", text).unreadable("");
    }
    // Protobuf's JSON lets padding be left out: no reader understands that differently.
    case.with("/dsseEnvelope/payload", padded.trim_end_matches('=')).accepted();
}
