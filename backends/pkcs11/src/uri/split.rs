//! From text to attributes and bytes: RFC 7512 2.3 without the meaning of any attribute.
//!
//! First the URI is split, then each value is decoded, so an encoded delimiter is never one.

use countersign_core::error::Result;
use countersign_core::{Error, ErrorKind};

/// What fails, before the caller adds the URI.
pub(super) const WHAT: &str = "cannot read the key URI";

/// The two halves of a URI: what to look for, and how to reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Query,
}

/// `name=value` as it stands in the URI, still encoded.
pub(super) struct Attribute<'a> {
    pub(super) part: Part,
    pub(super) name: &'a str,
    value: &'a str,
    /// Whether it follows a PIN, of which it may be the rest: a raw `&` ends a value.
    pub(super) follows_pin: bool,
    /// Where the name begins, counted from the scheme.
    pub(super) at: usize,
}

/// Splits at the first `?`, the path at `;`, the query at `&`. A raw `&` is part of a path value, a raw `?` or `/`
/// part of a query value. `start` is the offset of `rest` in the whole URI.
pub(super) fn attributes(rest: &str, start: usize) -> Result<Vec<Attribute<'_>>> {
    if let Some(at) = rest.find('#') {
        // RFC 3986 3.5: it would begin a fragment, and Cosign drops what follows. RFC 7512 has no fragment.
        return Err(bad(start + at, "a \"#\" is raw").hint("write # as %23"));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    // Cosign v3.1.3 pkg/cosign/pkcs11key/util.go prints this for a token without a label.
    let skipped = usize::from(path.starts_with(";slot-id="));
    let mut found = Vec::new();
    pieces(&path[skipped..], start + skipped, Part::Path, &mut found)?;
    pieces(query, start + path.len() + 1, Part::Query, &mut found)?;
    Ok(found)
}

fn pieces<'a>(text: &'a str, mut at: usize, part: Part, found: &mut Vec<Attribute<'a>>) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let separator = match part {
        Part::Path => ';',
        Part::Query => '&',
    };
    for piece in text.split(separator) {
        if piece.is_empty() {
            return Err(bad(at, format!("an attribute is missing beside \"{separator}\"")));
        }
        let Some((name, value)) = piece.split_once('=') else {
            // The text may be the tail of a PIN: it is not shown.
            return Err(bad(at, "an attribute has no \"=\"").hint(match part {
                Part::Path => "write a ; in a value as %3B",
                Part::Query => "write a & in a value as %26",
            }));
        };
        // RFC 7512 2.3: names are letters, digits, - and _, never percent-encoded.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(bad(at, "an attribute's name has other characters than letters, digits, - and _"));
        }
        let follows_pin = found.iter().any(|before| before.part == Part::Query && before.name == "pin-value");
        let attribute = Attribute { part, name, value, follows_pin, at };
        if part == Part::Query && value.contains(';') {
            // Cosign separates here, p11-kit does not; RFC 7512 has no raw ; in a query.
            let hint = "separate attributes after the ? with &; write a ; in a value as %3B";
            return Err(attribute.bad("it has a raw \";\"").hint(hint));
        }
        found.push(attribute);
        at += piece.len() + 1;
    }
    Ok(())
}

pub(super) fn bad(at: usize, why: impl AsRef<str>) -> Error {
    Error::new(ErrorKind::BadUri, WHAT).why(format!("at byte {at}: {}", why.as_ref()))
}

impl Attribute<'_> {
    /// The value's bytes: percent-decoded once (RFC 3986 2.1), `+` a plus.
    ///
    /// Question: which raw characters may a value have beside those of RFC 7512 2.3? Answer: every one that is no
    /// delimiter, since Cosign takes them and each has one reading only: its UTF-8 bytes. Control characters never
    /// reach this line, `KeyUri` refuses them.
    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        // With the room reserved, no piece of a PIN stays behind in a smaller buffer.
        let mut bytes = Vec::with_capacity(self.value.len());
        let mut left = self.value.as_bytes();
        while let [first, rest @ ..] = left {
            left = rest;
            if *first != b'%' {
                bytes.push(*first);
                continue;
            }
            let digit = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
            let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                let at = self.at + self.name.len() + 1 + self.value.len() - rest.len() - 1;
                let why = format!("the % at byte {at} is not followed by two hexadecimal digits");
                return Err(self.bad(why).hint("write a percent sign as %25"));
            };
            bytes.push((high << 4 | low) as u8);
            left = &rest[2..];
        }
        Ok(bytes)
    }

    /// The value as text.
    pub(super) fn text(&self) -> Result<String> {
        String::from_utf8(self.bytes()?).map_err(|_| self.bad("its value is not UTF-8"))
    }
}
