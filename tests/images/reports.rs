//! `--report` of images: every signature that was found, and why each was refused.

use serde_json::{Value, json};

use super::world::{SIGN, VERIFY, World};
use crate::cli::{reports, schema};
use crate::support::registry::Offers;

fn report(world: &World, arguments: &[&str]) -> Value {
    world.run(&[arguments, &["--report=report.json"]].concat());
    let text = std::fs::read_to_string(world.path("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("the report is JSON");
    let faults = schema::faults(&reports::schema(), &report);
    assert!(faults.is_empty(), "{arguments:?}: {faults:#?}\n{report:#}");
    report
}

#[test]
fn each_signature_of_an_image_is_reported_with_its_reason() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world.signed("app", &["--format", "both", "-a", "env=prod"]);
    world.succeed(&[&SIGN[..], &["--key", "other.pem", "--format", "both", &image]].concat());
    let signatures = |report: &Value| {
        let all = report["items"][0]["signatures"].as_array().cloned().unwrap_or_default();
        let mut all: Vec<_> =
            all.iter().map(|one| (one["outcome"].clone(), one["failure"]["kind"].clone())).collect();
        all.sort_by_key(|one| format!("{one:?}"));
        all
    };
    let (verified, refused) = (json!("verified"), json!("refused"));
    let good = report(&world, &[&VERIFY[..], &["--key", "key.pub", &image]].concat());
    assert_eq!(good["items"][0]["outcome"], "verified");
    assert_eq!(signatures(&good), [(refused.clone(), json!("key-hint")), (verified, Value::Null)]);
    let place = good["items"][0]["signatures"][0]["place"].as_str().unwrap();
    assert!(place.starts_with(&world.registry.name("app")), "{place}");
    // Both layouts are looked at where none passes: each with its own reason.
    let other = [&VERIFY[..], &["--key", "key.pub", "-a", "env=test", &image]].concat();
    let bad = report(&world, &other);
    assert_eq!((&bad["outcome"], &bad["failure"]["kind"]), (&refused, &json!("no-matching-signature")));
    let kinds =
        ["annotation", "annotation", "key-hint", "signature"].map(|kind| (refused.clone(), json!(kind)));
    assert_eq!(signatures(&bad), kinds);
    let none = report(&world, &[&VERIFY[..], &["--key", "key.pub", &world.image("bare")]].concat());
    assert_eq!((&none["failure"]["kind"], signatures(&none).len()), (&json!("no-signature"), 0));
    report(&world, &["tree", &image]);
}

#[test]
fn what_cannot_be_read_is_reported_as_that() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world.signed("app", &["--format", "legacy"]);
    let tag = format!("{}.sig", image.split('@').nth(1).unwrap().replace(':', "-"));
    let mut manifest = world.registry.read("app", &tag).unwrap();
    manifest["layers"][0]["annotations"]["dev.cosignproject.cosign/signature"] = json!("no base64");
    world.registry.manifest("app", &tag, crate::support::registry::MANIFEST, &manifest);
    let bad = report(&world, &[&VERIFY[..], &["--key", "key.pub", &image]].concat());
    let one = &bad["items"][0]["signatures"][0];
    assert_eq!(
        (&one["outcome"], &one["failure"]["kind"]),
        (&json!("unreadable"), &json!("integrity")),
        "{bad:#}"
    );
}
