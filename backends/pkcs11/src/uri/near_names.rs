//! Attributes that nobody here knows: refused, with the name that was probably meant.
//!
//! RFC 7512 2.3 wants unknown attributes skipped or refused as the application sees fit. p11-kit then matches no
//! object, Cosign matches as if they were absent; a signer that skips one may pick another key.

use countersign_core::{Error, ErrorKind};

use super::attributes::ATTRIBUTES;
use super::split::{Attribute, WHAT};

/// What other tools and habit call our attributes.
const OTHER_NAMES: [(&[&str], &str); 11] = [
    (&["label", "key-label", "object-label", "name", "alias", "key"], "object="),
    (&["key-id", "keyid", "object-id", "cka-id"], "id="),
    (&["token-label", "slot-label"], "token="),
    (&["slot"], "slot-id="),
    (&["serial-number", "serialnumber"], "serial="),
    (&["object-type", "objecttype", "class"], "type="),
    (&["cert", "certificate"], "type=cert"),
    (&["private", "private-key"], "type=private"),
    (&["public", "public-key"], "type=public"),
    (&["module", "library", "provider"], "module-path="),
    (&["pinfile", "pin-file", "pin"], "pin-source="),
];

pub(super) fn unknown(attribute: &Attribute<'_>) -> Error {
    if attribute.follows_pin {
        return Error::new(ErrorKind::Unsupported, WHAT)
            .why(format!("at byte {}: what stands after the PIN is no attribute that we know", attribute.at))
            .hint("write a & in a PIN as %26; or keep the PIN out of the URI: pin-source=file:/PATH");
    }
    let error = attribute.refused(
        ErrorKind::Unsupported,
        "this attribute is unknown, and to skip it could pick another key than the one meant",
    );
    match meant(attribute.name) {
        Some(name) => error.hint(format!("did you mean {name}?")),
        None => error.hint(format!("the attributes are {}", ATTRIBUTES.map(|(_, name, _)| name).join(", "))),
    }
}

/// The nearest attribute, as it is written in a URI.
fn meant(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    if let Some((_, ours)) = OTHER_NAMES.iter().find(|(others, _)| others.contains(&name.as_str())) {
        return Some((*ours).to_owned());
    }
    let allowed = if name.len() < 5 { 1 } else { 2 };
    let nearest = ATTRIBUTES.iter().map(|(_, ours, _)| (edits(&name, ours), ours)).min()?;
    (nearest.0 <= allowed).then(|| format!("{}=", nearest.1))
}

/// How many letters to add, drop or change between two names (Levenshtein's distance).
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}
