//! The one form in which a parsed URI is printed: to be pasted, and without the PIN.

use std::fmt;

use super::{ObjectType, Pkcs11Uri};

/// Characters that are never encoded (RFC 3986 2.3) beside letters and digits.
const UNRESERVED: &[u8] = b"-._~";

/// Path attributes in a fixed order, then the module. Everything that is not unreserved is encoded, so that parsers
/// of RFC 7512 and of web forms, Cosign's among them, read the same bytes.
impl fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Vec<u8>>| value.as_deref().map(|bytes| encoded(bytes, UNRESERVED));
        // RFC 7512 2.3: `id` should be encoded as a whole.
        let id = self.id.as_deref().map(|bytes| bytes.iter().map(|byte| format!("%{byte:02X}")).collect());
        let path = [
            ("token", text(&self.token)),
            ("manufacturer", text(&self.manufacturer)),
            ("serial", text(&self.serial)),
            ("model", text(&self.model)),
            ("slot-id", self.slot_id.map(|number| number.to_string())),
            ("slot-manufacturer", text(&self.slot_manufacturer)),
            ("slot-description", text(&self.slot_description)),
            ("library-manufacturer", text(&self.library_manufacturer)),
            ("library-description", text(&self.library_description)),
            ("library-version", self.library_version.map(|(major, minor)| format!("{major}.{minor}"))),
            ("object", text(&self.object)),
            ("id", id),
            ("type", self.kind.map(ObjectType::name).map(str::to_owned)),
        ];
        let module_path = self.module_path.as_ref().map(|path| path.as_os_str().as_encoded_bytes());
        let query = [
            ("module-name", self.module_name.as_ref().map(|name| encoded(name.as_bytes(), UNRESERVED))),
            // RFC 7512 2.3 allows both raw in a query; a path stays readable.
            ("module-path", module_path.map(|bytes| encoded(bytes, b"-._~/:"))),
        ];
        f.write_str("pkcs11:")?;
        listed(f, "", ";", &path)?;
        listed(f, "?", "&", &query)
    }
}

fn listed(
    f: &mut fmt::Formatter<'_>,
    first: &str,
    between: &str,
    attributes: &[(&str, Option<String>)],
) -> fmt::Result {
    let mut mark = first;
    for (name, value) in attributes {
        if let Some(value) = value {
            write!(f, "{mark}{name}={value}")?;
            mark = between;
        }
    }
    Ok(())
}

fn encoded(bytes: &[u8], plain: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || plain.contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
