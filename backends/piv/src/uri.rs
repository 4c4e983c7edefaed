//! `piv:` and `yubikey:` URIs: which card, which slot, and where its PIN comes from. Read strictly.
//!
//! Attributes stand as `name=value` with `;` between, as in `piv:slot=9c;serial=5551234`, or after a `?` with `&` between, as
//! RFC 7512 has it for `pkcs11:`. Values are percent-encoded. Each attribute narrows the choice of card or key or guards it, so an
//! unknown one is refused.

mod display;

use std::path::PathBuf;

use countersign_core::device::{PinPolicy, TouchPolicy};
use countersign_core::error::Result;
use countersign_core::{Error, ErrorKind, KeyUri, OpenContext, PinSource, TrustLevel};

use crate::slot::Slot;

pub(crate) use display::encoded;

/// One parsed `piv:` URI. `Display` prints it in one fixed form, without where the PIN comes from.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct PivUri {
    /// The slot; [`Slot::SIGNATURE`] is meant where none is named.
    pub slot: Option<Slot>,
    /// The YubiKey's serial number, as printed on it.
    pub serial: Option<u32>,
    /// The reader's name, whole.
    pub reader: Option<String>,
    /// Where the PIN comes from.
    pub pin: Option<PinSource>,
    /// A file with the public half, for keys whose card does not tell it: PEM or DER, a certificate too.
    pub public_key: Option<PathBuf>,
    /// For a key that is made or imported: when it asks for the PIN.
    pub pin_policy: Option<PinPolicy>,
    /// For a key that is made or imported: when it asks for a touch.
    pub touch_policy: Option<TouchPolicy>,
}

/// Every attribute, in the order in which they are shown.
const NAMES: [&str; 7] =
    ["slot", "serial", "reader", "pin-source", "public-key", "pin-policy", "touch-policy"];

const WHAT: &str = "cannot read the key URI";

/// `name=value`, and where it begins, counted from the scheme.
struct Attribute<'a> {
    name: &'a str,
    value: &'a str,
    at: usize,
}

impl PivUri {
    /// Reads what follows the scheme. It costs nothing: no card is looked at.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] where the text breaks the grammar, repeats an attribute or contradicts itself;
    /// [`ErrorKind::Unsupported`] for an attribute or a PIN source that no rule here covers; [`ErrorKind::Denied`] for a PIN
    /// source in a URI that comes from data.
    pub fn parse(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Self> {
        let parsed =
            Self::read(uri).map_err(|error| error.with_what(|what| format!("{what} {uri}")).for_key(uri))?;
        if context.trust == TrustLevel::Data && parsed.pin.is_some() {
            return Err(Error::new(ErrorKind::Denied, format!("cannot use {uri}"))
                .why("a URI from a policy or other data may not say where the PIN comes from")
                .for_key(uri));
        }
        Ok(parsed)
    }

    /// The slot that is meant.
    pub fn slot(&self) -> Slot {
        self.slot.unwrap_or(Slot::SIGNATURE)
    }

    fn read(uri: &KeyUri) -> Result<Self> {
        let (scheme, rest) = (uri.scheme(), uri.rest());
        let start = scheme.len() + 1;
        if uri.to_string().get(start..).is_some_and(|rest| rest.starts_with("//")) {
            return Err(bad(start, "slashes follow the scheme").hint("write piv:slot=9c, without slashes"));
        }
        if let Some(at) = rest.find('#') {
            return Err(bad(start + at, "a \"#\" is raw").hint("write # as %23"));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parsed = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        let query_start = start + path.len() + 1;
        for attribute in pieces(path, ';', start)?.into_iter().chain(pieces(query, '&', query_start)?) {
            if seen.contains(&attribute.name) {
                return Err(attribute.bad("it stands twice"));
            }
            parsed.fill(&attribute)?;
            seen.push(attribute.name);
        }
        Ok(parsed)
    }

    fn fill(&mut self, attribute: &Attribute<'_>) -> Result<()> {
        match attribute.name {
            "slot" => self.slot = Some(slot(attribute)?),
            "serial" => self.serial = Some(serial(attribute)?),
            "reader" => self.reader = Some(attribute.filled()?),
            "pin-source" => self.pin = Some(attribute.pin_source()?),
            "public-key" => self.public_key = Some(attribute.filled()?.into()),
            "pin-policy" => self.pin_policy = Some(pin_policy(attribute)?),
            "touch-policy" => self.touch_policy = Some(touch_policy(attribute)?),
            _ => return Err(unknown(attribute)),
        }
        Ok(())
    }
}

fn pieces(text: &str, separator: char, mut at: usize) -> Result<Vec<Attribute<'_>>> {
    let mut found = Vec::new();
    if text.is_empty() {
        return Ok(found);
    }
    for piece in text.split(separator) {
        if piece.is_empty() {
            return Err(bad(at, &format!("an attribute is missing beside \"{separator}\"")));
        }
        let Some((name, value)) = piece.split_once('=') else {
            // The text may be the tail of a secret: it is not shown.
            return Err(bad(at, "an attribute has no \"=\"").hint("write ; and & in a value as %3B and %26"));
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(bad(at, "an attribute's name has other characters than letters, digits, - and _"));
        }
        found.push(Attribute { name, value, at });
        at += piece.len() + 1;
    }
    Ok(found)
}

fn slot(attribute: &Attribute<'_>) -> Result<Slot> {
    Slot::parse(&attribute.text()?).ok_or_else(|| {
        attribute.bad("its value is no slot for signing keys").hint(
            "the slots are 9a (authentication), 9c (signature), 9d (key-management), 9e (card-authentication) and 82 to 95",
        )
    })
}

fn serial(attribute: &Attribute<'_>) -> Result<u32> {
    let text = attribute.text()?;
    // Rust's parser would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| {
        attribute
            .bad("its value is not a decimal number of 32 bits")
            .hint("the number is printed on the device")
    })
}

fn pin_policy(attribute: &Attribute<'_>) -> Result<PinPolicy> {
    match attribute.text()?.as_str() {
        "never" => Ok(PinPolicy::Never),
        "once" => Ok(PinPolicy::Once),
        "always" => Ok(PinPolicy::Always),
        _ => Err(attribute.bad("its value is no PIN policy").hint("the policies are never, once and always")),
    }
}

fn touch_policy(attribute: &Attribute<'_>) -> Result<TouchPolicy> {
    match attribute.text()?.as_str() {
        "never" => Ok(TouchPolicy::Never),
        "always" => Ok(TouchPolicy::Always),
        "cached" => Ok(TouchPolicy::Cached),
        _ => Err(attribute
            .bad("its value is no touch policy")
            .hint("the policies are never, always and cached")),
    }
}

fn unknown(attribute: &Attribute<'_>) -> Error {
    let error = attribute.refused(ErrorKind::Unsupported, "there is no such attribute");
    match attribute.name {
        "pin-value" | "pin" => {
            error.hint("write pin-source=env:NAME or pin-source=file:/PATH, or set COUNTERSIGN_PIV_PIN")
        }
        _ => error.hint(format!("the attributes are {}", NAMES.join(", "))),
    }
}

fn bad(at: usize, why: &str) -> Error {
    Error::new(ErrorKind::BadUri, WHAT).why(format!("at byte {at}: {why}"))
}

impl Attribute<'_> {
    /// The refusal of this attribute. Its value is never shown: it may be a PIN in the wrong place.
    fn refused(&self, kind: ErrorKind, why: &str) -> Error {
        Error::new(kind, WHAT).why(format!("\"{}\" at byte {}: {why}", self.name, self.at))
    }

    fn bad(&self, why: &str) -> Error {
        self.refused(ErrorKind::BadUri, why)
    }

    /// The value as a source of the PIN.
    fn pin_source(&self) -> Result<PinSource> {
        PinSource::parse(self.text()?.into_bytes())
            .map_err(|flaw| self.refused(flaw.kind, flaw.why).hint(flaw.hint))
    }

    /// The value, percent-decoded once (RFC 3986 2.1).
    fn text(&self) -> Result<String> {
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
                return Err(self
                    .bad("a % is not followed by two hexadecimal digits")
                    .hint("write a percent sign as %25"));
            };
            bytes.push((high << 4 | low) as u8);
            left = &rest[2..];
        }
        let text = String::from_utf8(bytes).map_err(|_| self.bad("its value is not UTF-8"))?;
        if text.contains(char::is_control) {
            return Err(self.bad("its value has a control character"));
        }
        Ok(text)
    }

    fn filled(&self) -> Result<String> {
        let text = self.text()?;
        if text.is_empty() { Err(self.bad("its value is empty")) } else { Ok(text) }
    }
}

#[cfg(test)]
mod tests;
