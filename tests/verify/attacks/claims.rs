//! Signatures of images in the older layout: the claims, the signature, the log's entry and the image are one, or nothing is
//! accepted. E.2 1, 2, 8, 10 and 12.

use countersign::artifact::Measured;
use countersign::bundle::{self, Bundle};
use countersign::verify::{
    Check, Evidence, Identity, Material, Policy, Proven, Refusal, SIGNATURE, Trust, Who, plan, verify,
};
use countersign_core::HashAlgorithm;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::verify::forge::bundles::hex;
use crate::verify::forge::case::identity;
use crate::verify::forge::{Leaf, Signer, TIME, WORLD, YEAR, sha256};

const IMAGE: &[u8] = b"the bytes of a manifest";

fn claims(kind: &str, digest: &str, optional: &Value) -> Vec<u8> {
    let critical = json!({
        "identity": {"docker-reference": "registry.forge.example/app"},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    });
    json!({"critical": critical, "optional": optional}).to_string().into_bytes()
}

fn good() -> Vec<u8> {
    claims("cosign container image signature", &digest(IMAGE), &json!({"env": "prod"}))
}

fn digest(image: &[u8]) -> String {
    format!("sha256:{}", hex(&sha256(image)))
}

/// What a layer holds: claims, and a signature with the log's promise about `logged`.
fn material(signer: &Signer, claims: &[u8], signature: &[u8], logged: (&[u8], &[u8])) -> Material {
    let entry = WORLD.logs[0].entry(&signer.hashedrekord(logged.0, logged.1));
    let legacy = signer.legacy(signature, &entry).to_string();
    let parsed = bundle::parse(legacy.as_bytes()).unwrap();
    assert!(matches!(parsed, Bundle::Legacy(_)));
    Material { claims: Some(claims.to_vec()), ..Material::from_bundle(&parsed).unwrap() }
}

struct Demand<'a> {
    image: &'a [u8],
    who: Identity,
    annotations: &'a [(String, String)],
    repository: Option<&'a str>,
    predicate_type: &'a str,
}

impl Default for Demand<'_> {
    fn default() -> Self {
        Self { image: IMAGE, who: identity(), annotations: &[], repository: None, predicate_type: SIGNATURE }
    }
}

fn decide(material: &Material, demand: &Demand<'_>) -> Result<Proven, Refusal> {
    let trust = Trust::parse(WORLD.trusted_root().to_string().as_bytes()).unwrap();
    let now = Timestamp::from_second(TIME + YEAR).unwrap();
    let policy = Policy {
        predicate_type: Some(demand.predicate_type),
        annotations: demand.annotations,
        repository: demand.repository,
        ..Policy::new(Who::Identities(std::slice::from_ref(&demand.who)), Evidence::STANDARD, now)
    };
    let plan = plan(material, &policy, &trust)?;
    let measured = Measured { digests: vec![HashAlgorithm::Sha256.digest(demand.image)], message: None };
    verify(material, plan, &measured)
}

fn refused(material: &Material, demand: &Demand<'_>, by: Check) {
    match decide(material, demand) {
        Err(refusal) if refusal.kind() == by => {}
        other => panic!("expected a refusal by {}, found {other:?}", by.name()),
    }
}

#[test]
fn e2_12_claims_about_this_image_by_this_signer_are_accepted() {
    let signer = WORLD.certified(&Leaf::default());
    let claims = good();
    let signature = signer.sign(&claims);
    let whole = material(&signer, &claims, &signature, (&claims, &signature));
    let proven = decide(&whole, &Demand::default()).unwrap();
    assert!(proven.proven.iter().any(|fact| fact.contains("about the image")), "{:?}", proven.proven);
    let said = [("env".to_owned(), "prod".to_owned())];
    decide(&whole, &Demand { annotations: &said, ..Demand::default() }).unwrap();
    let other = [("env".to_owned(), "test".to_owned())];
    refused(&whole, &Demand { annotations: &other, ..Demand::default() }, Check::Annotation);
    refused(&whole, &Demand { image: b"another", ..Demand::default() }, Check::Subject);
    // Under which name it was signed is told, and compared on demand.
    assert!(proven.proven.contains(&"the image was signed as registry.forge.example/app".to_owned()));
    decide(&whole, &Demand { repository: Some("registry.forge.example/app"), ..Demand::default() }).unwrap();
    refused(
        &whole,
        &Demand { repository: Some("registry.forge.example/ap"), ..Demand::default() },
        Check::Repository,
    );
    // Claims are a signature, and no attestation of any type.
    let attestation = Demand { predicate_type: "https://slsa.dev/provenance/v1", ..Demand::default() };
    refused(&whole, &attestation, Check::PredicateType);
}

#[test]
fn e2_12_claims_of_another_type_or_about_nothing() {
    let signer = WORLD.certified(&Leaf::default());
    for claims in [
        claims("atomic container signature", &digest(IMAGE), &Value::Null),
        claims("cosign container image signature", "sha256:ab", &Value::Null),
        claims("cosign container image signature", &digest(IMAGE), &json!("x")),
        b"not claims at all".to_vec(),
    ] {
        let signature = signer.sign(&claims);
        refused(
            &material(&signer, &claims, &signature, (&claims, &signature)),
            &Demand::default(),
            Check::Claims,
        );
    }
}

#[test]
fn e2_01_an_entry_about_other_claims() {
    let signer = WORLD.certified(&Leaf::default());
    let (claims, other) =
        (good(), claims("cosign container image signature", &digest(b"another"), &Value::Null));
    let signature = signer.sign(&claims);
    let elsewhere = material(&signer, &claims, &signature, (&other, &signer.sign(&other)));
    refused(&elsewhere, &Demand::default(), Check::LogBinding);
    // The signature is logged, and for other claims.
    refused(
        &material(&signer, &claims, &signature, (&other, &signature)),
        &Demand::default(),
        Check::LogBinding,
    );
}

#[test]
fn e2_02_an_entry_about_another_signature_or_signer() {
    let (signer, stranger) = (WORLD.certified(&Leaf::default()), WORLD.certified(&Leaf::default()));
    let claims = good();
    let signature = signer.sign(&claims);
    refused(
        &material(&signer, &claims, &signature, (&claims, &signer.sign(&claims))),
        &Demand::default(),
        Check::LogBinding,
    );
    let theirs = material(&stranger, &claims, &signature, (&claims, &signature));
    let own = material(&signer, &claims, &signature, (&claims, &signature));
    refused(&Material { entries: theirs.entries, ..own }, &Demand::default(), Check::LogBinding);
}

#[test]
fn e2_08_a_signature_over_other_claims() {
    let signer = WORLD.certified(&Leaf::default());
    let (claims, other) =
        (good(), claims("cosign container image signature", &digest(b"another"), &Value::Null));
    let signature = signer.sign(&other);
    refused(
        &material(&signer, &claims, &signature, (&claims, &signature)),
        &Demand::default(),
        Check::Signature,
    );
}

#[test]
fn e2_10_an_entry_of_another_kind() {
    let signer = WORLD.certified(&Leaf::default());
    let claims = good();
    let signature = signer.sign(&claims);
    let sealed = signer.seal(&claims);
    let entry = WORLD.logs[0].entry(&signer.dsse(&sealed));
    let legacy = signer.legacy(&signature, &entry).to_string();
    let parsed = bundle::parse(legacy.as_bytes()).unwrap();
    let material = Material { claims: Some(claims), ..Material::from_bundle(&parsed).unwrap() };
    refused(&material, &Demand::default(), Check::LogBinding);
}
