//! Every small change of a bundle: each part removed, emptied, replaced by that of another good bundle, spelled otherwise, and
//! each text and number off by little.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Places in one text at which a bit is flipped.
const FLIPS: usize = 24;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Removed,
    Nulled,
    Emptied,
    /// Its part of another bundle stands there.
    Swapped,
    /// The name of the field is written as protobuf's language writes it.
    Renamed,
    /// All its letters are large, or small.
    Cased,
    /// A bit of the decoded bytes.
    Flipped(usize),
    /// A bit of the text itself.
    Misspelled(usize),
    Increased,
    Decreased,
    Doubled,
    Reversed,
}

/// A changed bundle.
pub(super) struct Variant {
    /// Where, as a JSON pointer.
    pub(super) place: String,
    pub(super) change: Change,
    pub(super) bundle: Value,
}

/// All variants of a bundle. The siblings are good bundles of the same shape.
pub(super) fn variants(bundle: &Value, siblings: &[&Value]) -> Vec<Variant> {
    let mut places = Vec::new();
    places_of(bundle, String::new(), &mut places);
    let mut variants = Vec::new();
    for place in places {
        let here = bundle.pointer(&place).unwrap();
        let mut push = |change, bundle| variants.push(Variant { place: place.clone(), change, bundle });
        let mut replace = |change, value: Value| {
            let mut changed = bundle.clone();
            *changed.pointer_mut(&place).unwrap() = value;
            if changed != *bundle {
                push(change, changed);
            }
        };
        replace(Change::Nulled, Value::Null);
        replace(Change::Emptied, empty(here));
        for sibling in siblings.iter().filter_map(|sibling| sibling.pointer(&place)) {
            replace(Change::Swapped, sibling.clone());
        }
        match here {
            Value::String(text) => texts(text, &mut replace),
            Value::Number(number) => {
                let number = number.as_i64().unwrap();
                replace(Change::Increased, (number + 1).into());
                replace(Change::Decreased, (number - 1).into());
            }
            Value::Array(list) => {
                replace(Change::Doubled, [&list[..], &list[..]].concat().into());
                replace(Change::Reversed, list.iter().rev().cloned().collect());
            }
            Value::Object(_) | Value::Bool(_) | Value::Null => {}
        }
        push(Change::Removed, removed(bundle, &place));
        if let Some(changed) = renamed(bundle, &place) {
            push(Change::Renamed, changed);
        }
    }
    variants
}

fn places_of(value: &Value, at: String, places: &mut Vec<String>) {
    let mut below = |name: String, value: &Value| {
        let place = format!("{at}/{name}");
        places.push(place.clone());
        places_of(value, place, places);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| below(name.clone(), value)),
        Value::Array(list) => list.iter().enumerate().for_each(|(at, value)| below(at.to_string(), value)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

fn empty(value: &Value) -> Value {
    match value {
        Value::String(_) => "".into(),
        Value::Number(_) => 0.into(),
        Value::Array(_) => Vec::<Value>::new().into(),
        Value::Object(_) => Map::new().into(),
        Value::Bool(_) | Value::Null => Value::Null,
    }
}

fn texts(text: &str, replace: &mut impl FnMut(Change, Value)) {
    if let Ok(number) = text.parse::<i64>() {
        replace(Change::Increased, (number + 1).to_string().into());
        replace(Change::Decreased, (number - 1).to_string().into());
        return;
    }
    replace(Change::Cased, text.to_ascii_uppercase().into());
    replace(Change::Cased, text.to_ascii_lowercase().into());
    let bytes = STANDARD.decode(text).unwrap_or_default();
    for (at, bit) in spread(bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        replace(Change::Flipped(at), STANDARD.encode(flipped).into());
    }
    for (at, bit) in spread(text.len()) {
        let mut misspelled = text.as_bytes().to_vec();
        misspelled[at] ^= 1 << (bit % 6);
        // What is no text cannot stand in JSON.
        if let Ok(misspelled) = String::from_utf8(misspelled) {
            replace(Change::Misspelled(at), misspelled.into());
        }
    }
}

/// Places in so many bytes, the first and the last among them, and a bit at each.
fn spread(length: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = FLIPS.min(length);
    (0..count).map(move |one| (one * (length - 1) / (count - 1).max(1), one % 8))
}

fn removed(bundle: &Value, place: &str) -> Value {
    let mut changed = bundle.clone();
    let (above, name) = place.rsplit_once('/').unwrap();
    match changed.pointer_mut(above).unwrap() {
        Value::Object(fields) => drop(fields.remove(name)),
        Value::Array(list) => drop(list.remove(name.parse().unwrap())),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => unreachable!(),
    }
    changed
}

/// With the field's name in another case: small letters and underscores; where it has no large letter, all are large.
fn renamed(bundle: &Value, place: &str) -> Option<Value> {
    let (above, name) = place.rsplit_once('/').unwrap();
    let mut changed = bundle.clone();
    let fields = changed.pointer_mut(above)?.as_object_mut()?;
    let value = fields.remove(name)?;
    let snake: String = name
        .chars()
        .flat_map(|one| {
            let large = one.is_ascii_uppercase();
            large.then_some('_').into_iter().chain([one.to_ascii_lowercase()])
        })
        .collect();
    fields.insert(if snake == name { name.to_ascii_uppercase() } else { snake }, value);
    Some(changed)
}
