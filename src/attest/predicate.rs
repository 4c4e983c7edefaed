//! What an attestation says: the predicate types and their short names, and predicates as statements carry them.

use countersign_core::error::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::json;

/// Short names of predicate types: Cosign's, then ours.
pub const TYPES: &[(&str, &str)] = &[
    ("custom", CUSTOM),
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("link", "https://in-toto.io/Link/v1"),
    ("spdx", SPDX),
    ("spdxjson", SPDX),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
    ("openvex", "https://openvex.dev/ns"),
    ("vsa", "https://slsa.dev/verification_summary/v1"),
    ("test-result", "https://in-toto.io/attestation/test-result/v0.1"),
    ("release", "https://in-toto.io/attestation/release/v0.1"),
    ("scai", "https://in-toto.io/attestation/scai/v0.3"),
    ("spdx3", "https://spdx.dev/Document/v3"),
];

const CUSTOM: &str = "https://cosign.sigstore.dev/attestation/v1";
const SPDX: &str = "https://spdx.dev/Document";

/// The predicate type that a name or URI stands for.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a name that is neither.
pub fn predicate_type(name: &str) -> Result<&str> {
    if let Some((_, uri)) = TYPES.iter().find(|(short, _)| *short == name) {
        return Ok(uri);
    }
    let is_uri = name.split_once(':').is_some_and(|(scheme, rest)| {
        let mut letters = scheme.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && !rest.is_empty()
            && !rest.contains(char::is_whitespace)
    });
    if is_uri {
        return Ok(name);
    }
    let known: Vec<_> = TYPES.iter().map(|(short, _)| *short).collect();
    Err(Error::new(ErrorKind::Unsupported, format!("cannot use the predicate type \"{name}\""))
        .why("it is neither a known name nor a URI")
        .hint(format!("names are {}", known.join(", "))))
}

/// The predicate of a statement from what the user gave. `now` is RFC 3339 and stands in `custom` predicates.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where the content does not fit the type.
pub fn predicate(name: &str, content: &[u8], now: &str) -> Result<Value> {
    let failed = |why: String| {
        Error::new(ErrorKind::Unsupported, format!("cannot use the predicate as {name}")).why(why)
    };
    let text = || String::from_utf8(content.to_vec()).map_err(|_| failed("it is no UTF-8 text".to_owned()));
    let known = TYPES.iter().find(|(short, uri)| *short == name || *uri == name).map(|(short, _)| *short);
    match known {
        // Both wrap the content as text, whatever it is.
        Some("custom") => Ok(json!({ "Data": text()?, "Timestamp": now })),
        Some("spdx") if name == "spdx" => Ok(Value::String(text()?)),
        _ => {
            let value = json::parse(content).map_err(|cause| {
                failed(format!("it is no JSON: {cause}")).hint("--type spdx and custom take any text")
            })?;
            let lacking =
                known.and_then(required).into_iter().flatten().find(|field| value.get(field).is_none());
            match (value.is_object(), lacking) {
                (false, _) => Err(failed("it is no JSON object".to_owned())),
                (true, Some(field)) => Err(failed(format!("it has no {field}"))),
                (true, None) => Ok(value),
            }
        }
    }
}

/// Fields without which a predicate is not of its type: for those that Cosign would fill with nothing, and for ours.
fn required(short: &str) -> Option<&'static [&'static str]> {
    match short {
        "slsaprovenance" | "slsaprovenance02" => Some(&["builder", "buildType"]),
        "slsaprovenance1" => Some(&["buildDefinition", "runDetails"]),
        "link" => Some(&["_type", "name"]),
        "vsa" => Some(&["verifier", "verificationResult"]),
        "test-result" => Some(&["result"]),
        "release" => Some(&["purl"]),
        "scai" => Some(&["attributes"]),
        "spdx3" => Some(&["@context", "@graph"]),
        _ => None,
    }
}
