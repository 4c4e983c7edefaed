//! What a signature of an image says in the older form: Cosign's "simple signing" JSON, which stands in a layer and is what is
//! signed (after containers/image, docs/atomic-signature.md).

use countersign_core::{Digest, HashAlgorithm, hexadecimal};
use serde_json::{Map, Value};

use super::refusal::{Check, Refusal};
use crate::json;

/// The predicate type of statements that are a mere signature, as Cosign signs images since version 3.
pub const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
/// What the older form calls itself.
pub const SIMPLE_SIGNING: &str = "cosign container image signature";

/// The claims of a signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// The repository for which the signer signed. Copies of an image keep it, so it is told, and compared only on demand.
    pub reference: String,
    /// The image.
    pub digest: Digest,
    /// What else the signer said.
    pub annotations: Map<String, Value>,
}

impl Claims {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`Check::Claims`], naming the field.
    pub fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        let bad = |found: String| Check::Claims.refuse("", found);
        let value = json::parse(payload).map_err(bad)?;
        let text = |pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str);
            text.ok_or_else(|| bad(format!("they have no {pointer}")))
        };
        let kind = text("/critical/type")?;
        if kind != SIMPLE_SIGNING {
            return Err(bad(format!("they are of the type \"{kind}\", expected \"{SIMPLE_SIGNING}\"")));
        }
        let stated = text("/critical/image/docker-manifest-digest")?;
        let digest = stated.split_once(':').and_then(|(hash, value)| {
            Digest::from_bytes(HashAlgorithm::parse(hash)?, &hexadecimal::from_hex(value)?).ok()
        });
        let digest = digest.ok_or_else(|| bad(format!("their image \"{stated}\" is no digest")))?;
        let annotations = match value.get("optional") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(annotations)) => annotations.clone(),
            Some(_) => return Err(bad("their optional part is no object".to_owned())),
        };
        Ok(Self { reference: text("/critical/identity/docker-reference")?.to_owned(), digest, annotations })
    }
}

/// Holds what a signature says of an image against what is demanded: each name with its value.
///
/// # Errors
/// [`Check::Annotation`].
pub(super) fn annotated(demanded: &[(String, String)], said: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, expected) in demanded {
        match said.get(name) {
            Some(Value::String(found)) if found == expected => {}
            found => {
                let found = found.map_or_else(|| "none".to_owned(), ToString::to_string);
                return Err(Check::Annotation.refuse(format!("{name}=\"{expected}\""), found));
            }
        }
    }
    Ok(())
}

/// Holds the name under which an image was signed against the one that is demanded, if one is. Gives what that proves.
///
/// # Errors
/// [`Check::Repository`].
pub(super) fn named(demanded: Option<&str>, found: &str) -> Result<Option<String>, Refusal> {
    match demanded {
        None => Ok(None),
        Some(demanded) if demanded == found => Ok(Some(format!("the image was signed as {found}"))),
        Some(demanded) => {
            let found = if found.is_empty() { "none" } else { found };
            Err(Check::Repository.refuse(demanded, found))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "9a6baf4a709ff18c6f243f5baa8a67400e3e03255d46720ce1878fa39ab85b26";

    fn payload(kind: &str, digest: &str, optional: &str) -> Vec<u8> {
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"r.io/a"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":{optional}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn reads_what_cosign_writes() {
        let digest = format!("sha256:{HEX}");
        let claims = Claims::parse(&payload(SIMPLE_SIGNING, &digest, r#"{"env":"prod"}"#)).unwrap();
        assert_eq!((claims.reference.as_str(), claims.digest.to_string()), ("r.io/a", digest.clone()));
        let demanded =
            |name: &str, value: &str| annotated(&[(name.to_owned(), value.to_owned())], &claims.annotations);
        assert!(demanded("env", "prod").is_ok());
        assert_eq!(demanded("env", "Prod").unwrap_err().kind(), Check::Annotation);
        assert_eq!(demanded("team", "prod").unwrap_err().found(), "none");
        assert!(Claims::parse(&payload(SIMPLE_SIGNING, &digest, "null")).unwrap().annotations.is_empty());
    }

    /// E.2 12
    #[test]
    fn refuses_other_types_and_what_names_no_image() {
        let digest = format!("sha256:{HEX}");
        for payload in [
            payload("atomic container signature", &digest, "null"),
            payload(SIMPLE_SIGNING, HEX, "null"),
            payload(SIMPLE_SIGNING, "md5:00", "null"),
            payload(SIMPLE_SIGNING, "sha256:ab", "null"),
            payload(SIMPLE_SIGNING, &digest, "[]"),
            br#"{"critical":{"image":{},"type":"cosign container image signature"}}"#.to_vec(),
            b"{}".to_vec(),
            [payload(SIMPLE_SIGNING, &digest, "null"), b"{}".to_vec()].concat(),
            payload(SIMPLE_SIGNING, &format!(r#"{digest}","docker-manifest-digest":"{digest}"#), "null"),
        ] {
            assert_eq!(Claims::parse(&payload).unwrap_err().kind(), Check::Claims);
        }
    }
}
