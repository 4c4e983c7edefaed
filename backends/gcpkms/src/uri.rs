//! `gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K[/cryptoKeyVersions/N]?endpoint=URL`, parsed strictly.
//!
//! The part before the `?` is Cosign's grammar, with `versions` for `cryptoKeyVersions`. The rest is ours.

use std::fmt;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyUri, hexadecimal};

const WHAT: &str = "cannot read the key URI";

/// What Cosign says of this form.
const GRAMMAR: &str = "write gcpkms://projects/PROJECT/locations/LOCATION/keyRings/KEYRING/cryptoKeys/KEY, and \
                       /cryptoKeyVersions/NUMBER for one version";

/// The longest name of a ring or key (`[a-zA-Z0-9_-]{1,63}` in the reference of Cloud KMS).
const MAX_NAME: usize = 63;

/// The longest of the names that others give: projects, locations.
const MAX_PLACE: usize = 128;

/// The words before a name, whether it is one, and what it is called.
type Level = (&'static [&'static str], fn(&str) -> bool, &'static str);

/// Names a key in Cloud KMS or one of its versions; without a key, what is in a ring or location.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcpUri {
    /// The project's id or number; the id may have a domain before it.
    pub project: String,
    /// The location, as in `europe-west1` or `global`.
    pub location: String,
    /// The ring; `None` means all of the location.
    pub ring: Option<String>,
    /// The key; `None` means all of the ring.
    pub key: Option<String>,
    /// The version; the newest enabled one when `None`.
    pub version: Option<u64>,
    /// An endpoint as a URL.
    pub endpoint: Option<String>,
}

impl GcpUri {
    /// Reads what follows the scheme.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] with the byte, counted from the scheme on, where it goes wrong: another word than the grammar has
    /// there, a name that is none, an unknown or repeated attribute.
    pub fn parse(uri: &KeyUri) -> Result<Self> {
        let mut at = uri.scheme().len() + "://".len();
        let (place, query) =
            uri.rest().split_once('?').map_or((uri.rest(), None), |(place, query)| (place, Some(query)));
        let mut parsed = Self::default();
        let mut segments = place.split('/');
        let levels: [Level; 5] = [
            (&["projects"], is_place, "a project"),
            (&["locations"], is_location, "a location"),
            (&["keyRings"], is_name, "a key ring"),
            (&["cryptoKeys"], is_name, "a key"),
            (&["cryptoKeyVersions", "versions"], is_version, "a version"),
        ];
        for (level, (words, is_good, called)) in levels.into_iter().enumerate() {
            let Some(word) = segments.next() else {
                if level < 2 {
                    return Err(bad(at, &format!("/{}/ is missing", words[0])).hint(GRAMMAR));
                }
                break;
            };
            if !words.contains(&word) {
                return Err(bad(at, &format!("expected {}/", words[0])).hint(GRAMMAR));
            }
            at += word.len() + 1;
            let value = segments.next().unwrap_or_default();
            if !is_good(value) {
                return Err(bad(at, &format!("that is not the name of {called}")).hint(GRAMMAR));
            }
            at += value.len() + 1;
            match level {
                0 => parsed.project = value.to_owned(),
                1 => parsed.location = value.to_owned(),
                2 => parsed.ring = Some(value.to_owned()),
                3 => parsed.key = Some(value.to_owned()),
                _ => parsed.version = value.parse().ok(),
            }
        }
        if segments.next().is_some() {
            return Err(bad(at, "something follows the version").hint(GRAMMAR));
        }
        for piece in query.into_iter().flat_map(|query| query.split('&')) {
            parsed.take(piece, at)?;
            at += piece.len() + 1;
        }
        Ok(parsed)
    }

    fn take(&mut self, piece: &str, at: usize) -> Result<()> {
        let Some((name, value)) = piece.split_once('=') else {
            return Err(bad(at, "an attribute has no \"=\"").hint("write ?endpoint=URL, or leave the ? out"));
        };
        let value = decode(value).ok_or_else(|| bad(at, "a % is not followed by two hexadecimal digits"))?;
        if name != "endpoint" {
            return Err(bad(at, "the attribute is not known").hint("there is: endpoint"));
        }
        if value.is_empty() || value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(bad(at, "an endpoint is a URL"));
        }
        if self.endpoint.replace(value).is_some() {
            return Err(bad(at, "the attribute stands there twice"));
        }
        Ok(())
    }

    /// The name of the location in the service.
    pub(crate) fn location_name(&self) -> String {
        format!("projects/{}/locations/{}", self.project, self.location)
    }

    /// The name of the ring, if there is one.
    pub(crate) fn ring_name(&self) -> Option<String> {
        self.ring.as_ref().map(|ring| format!("{}/keyRings/{ring}", self.location_name()))
    }

    /// The name of the key, if there is one.
    pub(crate) fn key_name(&self) -> Option<String> {
        Some(format!("{}/cryptoKeys/{}", self.ring_name()?, self.key.as_ref()?))
    }

    /// The same key with this version.
    pub(crate) fn with_version(&self, version: u64) -> Self {
        Self { version: Some(version), ..self.clone() }
    }
}

/// The number of a version by its full name, if it is one of this key.
pub(crate) fn version_of(name: &str, key: &str) -> Option<u64> {
    let number = name.strip_prefix(key)?.strip_prefix("/cryptoKeyVersions/")?;
    is_version(number).then(|| number.parse().ok())?
}

/// The canonical form.
impl fmt::Display for GcpUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gcpkms://{}", self.location_name())?;
        if let Some(ring) = &self.ring {
            write!(f, "/keyRings/{ring}")?;
        }
        if let Some(key) = &self.key {
            write!(f, "/cryptoKeys/{key}")?;
        }
        if let Some(version) = self.version {
            write!(f, "/cryptoKeyVersions/{version}")?;
        }
        if let Some(endpoint) = &self.endpoint {
            write!(f, "?endpoint={}", endpoint.replace('%', "%25").replace('&', "%26"))?;
        }
        Ok(())
    }
}

fn bad(at: usize, why: &str) -> Error {
    Error::new(ErrorKind::BadUri, WHAT).why(format!("at byte {at}: {why}"))
}

/// A project: `example.com:project` too.
fn is_place(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte);
    let ends = |c: char| c.is_ascii_alphanumeric();
    text.len() <= MAX_PLACE && text.bytes().all(good) && text.starts_with(ends) && text.ends_with(ends)
}

fn is_location(text: &str) -> bool {
    is_place(text) && !text.contains(['.', ':'])
}

fn is_name(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(good)
}

/// Versions count from 1; a leading zero would be a second name of the same.
fn is_version(text: &str) -> bool {
    !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
}

/// RFC 3986 2.1; `None` for a broken escape or what is no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.extend(hexadecimal::from_hex(part.get(..2)?)?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<GcpUri> {
        GcpUri::parse(&KeyUri::parse(text).unwrap())
    }

    const KEY: &str = "gcpkms://projects/p-1/locations/europe-west1/keyRings/R_1/cryptoKeys/k-2";

    #[test]
    fn reads_cosigns_forms_and_prints_the_canonical_one() {
        for end in ["", "/cryptoKeyVersions/12", "?endpoint=http://127.0.0.1:1"] {
            let text = format!("{KEY}{end}");
            assert_eq!(parse(&text).unwrap().to_string(), text);
        }
        let short = parse(&format!("{KEY}/versions/3")).unwrap();
        assert_eq!(short.to_string(), format!("{KEY}/cryptoKeyVersions/3"));
        assert_eq!(
            short.key_name().unwrap(),
            "projects/p-1/locations/europe-west1/keyRings/R_1/cryptoKeys/k-2"
        );
        for text in
            ["gcpkms://projects/p/locations/global", "gcpkms://projects/a.com:p/locations/global/keyRings/r"]
        {
            let parsed = parse(text).unwrap();
            assert_eq!((parsed.to_string(), parsed.key_name()), (text.to_owned(), None));
        }
    }

    #[test]
    fn refuses_all_else_and_says_where() {
        for (text, at) in [
            ("gcpkms://".to_owned(), 9),
            ("gcpkms://projects/p".to_owned(), 20),
            ("gcpkms://projects/../locations/l".to_owned(), 18),
            ("gcpkms://projects/p/location/l".to_owned(), 20),
            ("gcpkms://projects/p/locations/l/keyRings/".to_owned(), 41),
            (format!("{KEY}/"), KEY.len() + 1),
            (format!("{KEY}/cryptoKeyVersions/0"), KEY.len() + 19),
            (format!("{KEY}/versions/01"), KEY.len() + 10),
            (format!("{KEY}/versions/x"), KEY.len() + 10),
            (format!("{KEY}/versions/1/x"), KEY.len() + 12),
            (format!("{KEY}x%2F.."), KEY.len() - 3),
            (format!("{KEY}?"), KEY.len() + 1),
            (format!("{KEY}?endpiont=x"), KEY.len() + 1),
            (format!("{KEY}?endpoint="), KEY.len() + 1),
            (format!("{KEY}?endpoint=a&endpoint=b"), KEY.len() + 12),
            (format!("{KEY}?endpoint=%zz"), KEY.len() + 1),
        ] {
            let error = parse(&text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadUri);
            let cause = error.cause().unwrap().to_owned();
            assert!(cause.starts_with(&format!("at byte {at}: ")), "{text}: {cause}");
        }
    }

    #[test]
    fn a_version_is_one_of_its_key() {
        let key = "projects/p/locations/l/keyRings/r/cryptoKeys/k";
        assert_eq!(version_of(&format!("{key}/cryptoKeyVersions/7"), key), Some(7));
        for other in
            [format!("{key}2/cryptoKeyVersions/7"), format!("{key}/cryptoKeyVersions/"), key.to_owned()]
        {
            assert_eq!(version_of(&other, key), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_the_same(text in "gcpkms://projects/[a-z:.%/]{0,9}/locations/l(/keyRings/[a-z/]{0,5}(/cryptoKeys/k(/versions/[0-9]{0,22})?)?)?([?]endpoint=[a-z%&]{0,9})?") {
            if let Ok(parsed) = parse(&text) {
                prop_assert_eq!(parse(&parsed.to_string()).unwrap(), parsed);
            }
        }
    }
}
