//! The table of attributes (RFC 7512 2.3 and 2.4): where each stands and what reads it.

use std::path::PathBuf;

use countersign_core::error::Result;
use countersign_core::{ErrorKind, PinSource, Secret, pin_source};

use super::split::{Attribute, Part};
use super::{ObjectType, Pkcs11Uri, UriPin, near_names};

type Reader = fn(&mut Pkcs11Uri, &Attribute<'_>) -> Result<()>;

macro_rules! read {
    ($field:ident, $value:ident) => {
        |uri, attribute| {
            uri.$field = Some($value(attribute)?);
            Ok(())
        }
    };
}

pub(super) const ATTRIBUTES: [(Part, &str, Reader); 17] = [
    (Part::Path, "token", read!(token, bytes)),
    (Part::Path, "manufacturer", read!(manufacturer, bytes)),
    (Part::Path, "serial", read!(serial, bytes)),
    (Part::Path, "model", read!(model, bytes)),
    (Part::Path, "slot-id", read!(slot_id, slot_id)),
    (Part::Path, "slot-manufacturer", read!(slot_manufacturer, bytes)),
    (Part::Path, "slot-description", read!(slot_description, bytes)),
    (Part::Path, "library-manufacturer", read!(library_manufacturer, bytes)),
    (Part::Path, "library-description", read!(library_description, bytes)),
    (Part::Path, "library-version", read!(library_version, library_version)),
    (Part::Path, "object", read!(object, bytes)),
    (Part::Path, "id", read!(id, bytes)),
    (Part::Path, "type", read!(kind, object_type)),
    (Part::Query, "module-path", read!(module_path, module_path)),
    (Part::Query, "module-name", read!(module_name, module_name)),
    (Part::Query, "pin-value", read!(pin, pin_value)),
    (Part::Query, "pin-source", read!(pin, pin_source_value)),
];

/// What reads this attribute; the refusal of one that is unknown or stands on the wrong side of the `?`.
pub(super) fn reader(attribute: &Attribute<'_>) -> Result<Reader> {
    let row = ATTRIBUTES.iter().find(|(_, name, _)| *name == attribute.name);
    let Some((part, name, reader)) = row else {
        return Err(near_names::unknown(attribute));
    };
    if *part == attribute.part {
        return Ok(*reader);
    }
    Err(match part {
        Part::Query => attribute.bad("it belongs after the \"?\"").hint(format!("write pkcs11:…?{name}=…")),
        Part::Path => attribute.bad("it belongs before the \"?\"").hint(format!("write pkcs11:{name}=…?…")),
    })
}

/// Labels and identifiers are bytes: no case folding, no normalisation, no text.
fn bytes(attribute: &Attribute<'_>) -> Result<Vec<u8>> {
    attribute.bytes()
}

/// RFC 7512 2.3: `1*DIGIT`. A sign, which Rust's parser takes, is none.
fn slot_id(attribute: &Attribute<'_>) -> Result<u64> {
    digits(&attribute.text()?).ok_or_else(|| attribute.bad("its value is not a decimal number of 64 bits"))
}

/// RFC 7512 2.3: `M` or `M.N`, in decimal; `CK_VERSION` holds a byte of each.
fn library_version(attribute: &Attribute<'_>) -> Result<(u8, u8)> {
    let text = attribute.text()?;
    let (major, minor) = text.split_once('.').unwrap_or((&text, "0"));
    let byte = |text: &str| digits(text).and_then(|number| u8::try_from(number).ok());
    byte(major)
        .zip(byte(minor))
        .ok_or_else(|| attribute.bad("its value is not M or M.N with numbers from 0 to 255"))
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn object_type(attribute: &Attribute<'_>) -> Result<ObjectType> {
    let text = attribute.text()?;
    ObjectType::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
        attribute
            .bad("its value is no object type")
            .hint(format!("the types are {}", ObjectType::ALL.map(ObjectType::name).join(", ")))
    })
}

/// RFC 7512 2.4 lets a relative path or a directory stand here and leaves its meaning open. Both would make the
/// working directory or a listing choose the code to run: absolute paths only, and whoever opens it wants a file.
fn module_path(attribute: &Attribute<'_>) -> Result<PathBuf> {
    let path = pin_source::path(attribute.bytes()?).map_err(|flaw| attribute.bad(flaw.why))?;
    if path.is_absolute() {
        return Ok(path);
    }
    Err(attribute.bad("its path is not absolute").hint("write the module's whole path, from the root"))
}

/// A name inside a fixed directory: what could leave that directory is refused.
fn module_name(attribute: &Attribute<'_>) -> Result<String> {
    let name = attribute.text()?;
    if ["", ".", ".."].contains(&name.as_str()) || name.contains(['/', '\0']) {
        return Err(attribute
            .bad("its value is not the name of a module")
            .hint("name a path with module-path="));
    }
    Ok(name)
}

/// Read without a look at it: a PIN may be any bytes, none too.
fn pin_value(attribute: &Attribute<'_>) -> Result<UriPin> {
    Ok(UriPin::Value(Secret::new(attribute.bytes()?)))
}

fn pin_source_value(attribute: &Attribute<'_>) -> Result<UriPin> {
    let source = PinSource::parse(attribute.bytes()?);
    source.map(UriPin::Source).map_err(|flaw| {
        let error = attribute.refused(flaw.kind, flaw.why);
        // A PIN that somebody wrote here has its own place.
        let own_place =
            matches!(flaw.kind, ErrorKind::Unsupported).then_some("; a PIN itself is written pin-value=");
        error.hint(format!("{}{}", flaw.hint, own_place.unwrap_or_default()))
    })
}
