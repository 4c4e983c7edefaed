//! Thousands of small changes of good bundles: none may be accepted, and none may end in a panic. What may be changed without
//! harm stands in `mutations/neutral.rs`, with reasons.

mod neutral;
mod targets;
mod variants;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use countersign::verify::Proven;
use serde_json::Value;

use neutral::NEUTRAL;
use targets::Target;
use variants::variants;

/// What came of one target.
#[derive(Default)]
struct Tried {
    count: usize,
    /// Which rows of [`NEUTRAL`] were needed.
    used: Vec<usize>,
    wrong: Vec<String>,
}

fn attack(target: &Target) -> Tried {
    let decide = |bytes: &[u8]| catch_unwind(AssertUnwindSafe(|| (target.decide)(bytes)));
    let good = (target.decide)(target.bundle.to_string().as_bytes());
    let good = good.unwrap_or_else(|refused| panic!("{}: {refused}", target.name));
    let mut tried = Tried::default();
    for variant in variants(&target.bundle, &target.siblings.iter().collect::<Vec<_>>()) {
        tried.count += 1;
        let proven = match decide(variant.bundle.to_string().as_bytes()) {
            Ok(Err(_)) => continue,
            Ok(Ok(proven)) => proven,
            Err(_) => {
                tried.wrong.push(format!("{}: {} {:?}: panics", target.name, variant.place, variant.change));
                continue;
            }
        };
        let row = NEUTRAL.iter().position(|row| row.covers(&target.bundle, &variant));
        let said = |what: &str| format!("{}: {} {:?}: {what}", target.name, variant.place, variant.change);
        match row {
            Some(row) if no_more(&proven, &good) => tried.used.push(row),
            Some(_) => tried.wrong.push(said("proves more")),
            None => tried.wrong.push(said("accepted")),
        }
    }
    tried
}

/// Whether a changed bundle proves nothing that the good one does not; a sentence may be cut short.
fn no_more(changed: &Proven, good: &Proven) -> bool {
    let known = |fact: &String| good.proven.iter().any(|other| other.starts_with(fact.as_str()));
    changed.key == good.key
        && changed.holder == good.holder
        && changed.statement == good.statement
        && changed.times.iter().all(|time| good.times.contains(time))
        && changed.proven.iter().all(known)
}

/// Attacks all targets, some at a time.
fn attack_all(targets: &[Target]) -> Tried {
    let (left, right) = targets.split_at(targets.len() / 2);
    let run = |half: &[Target]| half.iter().map(attack).collect::<Vec<_>>();
    let tried = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(right));
        [run(left), other.join().unwrap()].into_iter().flatten().collect::<Vec<_>>()
    });
    tried.into_iter().fold(Tried::default(), |mut all, one| {
        all.count += one.count;
        all.used.extend(one.used);
        all.wrong.extend(one.wrong);
        all
    })
}

/// What came of all forged bundles.
static FORGED: LazyLock<Tried> = LazyLock::new(|| attack_all(&targets::forged()));

/// Fails where anything was wrong or too little was tried.
fn judge(tried: &Tried, at_least: usize) {
    let Tried { count, wrong, .. } = tried;
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(*count >= at_least, "only {count}");
}

#[test]
fn no_change_of_a_forged_bundle_is_accepted() {
    judge(&FORGED, 12_000);
}

#[test]
fn no_change_of_a_published_bundle_is_accepted() {
    let Some(vectors) = crate::support::vectors() else { return };
    let tried = attack_all(&targets::published(&vectors));
    judge(&tried, 23_000);
    let used = |row: &usize| tried.used.contains(row) || FORGED.used.contains(row);
    let unused: Vec<_> = (0..NEUTRAL.len()).filter(|row| !used(row)).map(|row| NEUTRAL[row].why).collect();
    assert!(unused.is_empty(), "never needed: {}", unused.join("; "));
}

/// What may be changed everywhere: white space, the order of fields, and padding, says the JSON of protobuf.
#[test]
fn spaces_and_the_order_of_fields_change_nothing() {
    for target in targets::forged() {
        let good = (target.decide)(target.bundle.to_string().as_bytes()).unwrap();
        let spaced = serde_json::to_string_pretty(&target.bundle).unwrap();
        assert_eq!((target.decide)(spaced.as_bytes()).as_ref(), Ok(&good), "{}", target.name);
        let turned = reversed(&target.bundle);
        assert_ne!(turned, target.bundle.to_string(), "{}", target.name);
        assert_eq!((target.decide)(turned.as_bytes()).as_ref(), Ok(&good), "{}", target.name);
    }
}

/// The same JSON with all fields in the other order.
fn reversed(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let field = |(name, value)| format!("{}:{}", Value::String(String::clone(name)), reversed(value));
            let fields: Vec<_> = fields.iter().map(field).rev().collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(reversed).collect::<Vec<_>>().join(",")),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => value.to_string(),
    }
}
