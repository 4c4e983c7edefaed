//! Prints a URI in one fixed form that reads back to the same card and slot.

use std::fmt;

use super::PivUri;

impl fmt::Display for PivUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "piv:slot={}", self.slot())?;
        if let Some(serial) = self.serial {
            write!(f, ";serial={serial}")?;
        }
        if let Some(reader) = &self.reader {
            write!(f, ";reader={}", encoded(reader))?;
        }
        Ok(())
    }
}

/// Percent-encodes what is not unreserved (RFC 3986 2.3), blanks included.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        use std::fmt::Write;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
