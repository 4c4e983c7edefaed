//! `pkcs11:` URIs: the grammar of RFC 7512, read strictly.
//!
//! Begin with [`Pkcs11Uri::parse`]; the attributes and what reads each stand in the table of `uri/attributes.rs`.
//! An attribute narrows the choice of key, so none is skipped: an unknown one is refused, and whoever matches
//! tokens and objects has to honour every field here. Nothing here opens a file, a module or a token.

mod attributes;
mod display;
mod near_names;
mod split;

use std::path::PathBuf;

use countersign_core::error::Result;
use countersign_core::{Error, ErrorKind, KeyUri, PinSource, Secret};

use split::Attribute;

/// One parsed `pkcs11:` URI (RFC 7512).
///
/// A field that is `None` matches anything; `Some` of no bytes matches only what is empty. Byte fields are as the
/// token stores them, without its padding; a value longer than the token's field never matches. The default is the
/// empty URI, which matches every key. `Display` prints it in one fixed form, without the PIN.
#[derive(Debug, Default, PartialEq)]
pub struct Pkcs11Uri {
    /// The token's label.
    pub token: Option<Vec<u8>>,
    /// Who made the token.
    pub manufacturer: Option<Vec<u8>>,
    /// The token's serial number.
    pub serial: Option<Vec<u8>>,
    /// The token's model.
    pub model: Option<Vec<u8>>,
    /// The slot's number, which may be another one in the next run.
    pub slot_id: Option<u64>,
    /// Who made the slot.
    pub slot_manufacturer: Option<Vec<u8>>,
    /// The slot's description.
    pub slot_description: Option<Vec<u8>>,
    /// Who made the module.
    pub library_manufacturer: Option<Vec<u8>>,
    /// The module's description.
    pub library_description: Option<Vec<u8>>,
    /// The module's version, major and minor.
    pub library_version: Option<(u8, u8)>,
    /// The object's label, `CKA_LABEL`.
    pub object: Option<Vec<u8>>,
    /// The object's identifier, `CKA_ID`: bytes, not hexadecimal.
    pub id: Option<Vec<u8>>,
    /// The object's class, `CKA_CLASS`; the attribute's name is `type`.
    pub kind: Option<ObjectType>,
    /// The module's file, an absolute path.
    pub module_path: Option<PathBuf>,
    /// The module's name without `lib` and ending: no slash in it.
    pub module_name: Option<String>,
    /// Where the PIN comes from.
    pub pin: Option<UriPin>,
}

/// The classes of objects that RFC 7512 2.3 names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectType {
    /// A public key.
    Public,
    /// A private key.
    Private,
    /// A certificate.
    Certificate,
    /// A secret key.
    SecretKey,
    /// A data object.
    Data,
}

impl ObjectType {
    /// Every class, in the order of the standard.
    pub const ALL: [Self; 5] = [Self::Public, Self::Private, Self::Certificate, Self::SecretKey, Self::Data];

    /// The class as the URI spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Certificate => "cert",
            Self::SecretKey => "secret-key",
            Self::Data => "data",
        }
    }
}

/// Where the PIN comes from, as `pin-value` or `pin-source` says.
#[derive(Debug, PartialEq)]
pub enum UriPin {
    /// The PIN itself stands in the URI.
    Value(Secret),
    /// It is fetched from here.
    Source(PinSource),
}

/// Two attributes that answer one question. RFC 7512 2.3 and 2.4 advise against both; two answers are an error here.
const CONTRADICTING: [[&str; 2]; 2] = [["pin-value", "pin-source"], ["module-path", "module-name"]];

impl Pkcs11Uri {
    /// Reads what follows `pkcs11:`. It costs nothing: no file, module or token is looked at.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] where the text breaks the grammar, repeats an attribute or contradicts itself;
    /// [`ErrorKind::Unsupported`] for an attribute or a PIN source that no rule here covers. Each names the
    /// attribute and the byte where it begins, counted from 0 at the scheme; none shows a PIN.
    pub fn parse(uri: &KeyUri) -> Result<Self> {
        let shown = uri.to_string();
        let mut parsed = Self::default();
        let start = uri.scheme().len() + 1;
        let read =
            match shown.get(start..) {
                // RFC 7512 2.3: no authority. `KeyUri` has cut the slashes off.
                Some(rest) if rest.starts_with("//") => Err(split::bad(start, "slashes follow the scheme")
                    .hint("write pkcs11:token=…, without slashes")),
                _ => parsed.fill(uri.rest(), start),
            };
        match read {
            Ok(()) => Ok(parsed),
            Err(error) => Err(error.with_what(|what| format!("{what} {shown}")).for_key(uri)),
        }
    }

    fn fill(&mut self, rest: &str, start: usize) -> Result<()> {
        let mut seen: Vec<&str> = Vec::new();
        for attribute in split::attributes(rest, start)? {
            let read = attributes::reader(&attribute)?;
            let name = attribute.name;
            // RFC 7512 2.3: a standard attribute stands at most once.
            if seen.contains(&name) {
                return Err(attribute.bad("it stands twice, which is contradicting"));
            }
            let pair = CONTRADICTING.iter().find(|pair| pair.contains(&name));
            if let Some(other) = pair.and_then(|pair| pair.iter().find(|other| seen.contains(other))) {
                let why = format!("it stands beside {other}, which is contradicting");
                return Err(attribute.bad(why).hint(format!("keep one of {other} and {name}")));
            }
            read(self, &attribute)?;
            seen.push(name);
        }
        Ok(())
    }
}

impl Attribute<'_> {
    /// The refusal of this attribute. Its value is never shown: it may be a PIN, or one put in the wrong place.
    fn refused(&self, kind: ErrorKind, why: impl AsRef<str>) -> Error {
        let (name, at) = (self.name, self.at);
        let known = attributes::ATTRIBUTES.iter().any(|(_, known, _)| *known == name);
        let name = if self.follows_pin && !known { "***" } else { name };
        Error::new(kind, split::WHAT).why(format!("\"{name}\" at byte {at}: {}", why.as_ref()))
    }

    fn bad(&self, why: impl AsRef<str>) -> Error {
        self.refused(ErrorKind::BadUri, why)
    }
}

#[cfg(test)]
mod tests;
