//! Cosign's flags for cards, `--sk` and `--slot`, as the key URI that they mean; and what names a card for the commands
//! that change one.

use clap::Args;
use countersign_core::KeyUri;

use super::key::PasswordFlags;
use crate::exit::Failure;

/// A key on the card that is plugged in.
#[derive(Debug, Clone, Default, Args)]
pub struct CardFlags {
    /// Use the key on the card (YubiKey or PIV) that is plugged in, as --key piv: does
    #[arg(long)]
    pub sk: bool,

    /// Its slot: signature (9c, if left out), authentication (9a), key-management (9d), card-authentication (9e), or 82 to 95
    #[arg(long, value_name = "SLOT")]
    pub slot: Option<String>,
}

impl CardFlags {
    /// The key that `--key` or these flags name; `None` when neither does.
    ///
    /// # Errors
    /// A usage failure when both do, as in Cosign, or when `--slot` stands without a card.
    pub(crate) fn key(&self, key: Option<&str>) -> Result<Option<String>, Failure> {
        match (key, self.sk) {
            (Some(_), true) => Err(Failure::usage("--key and --sk each name a key: leave one of them out")),
            (key, false) if self.slot.is_some() => Err(Failure::usage_with_hint(
                "--slot goes with --sk",
                match key {
                    Some(_) => "name the slot in the URI: --key 'piv:slot=9a'",
                    None => "pass --sk too",
                },
            )),
            (key, false) => Ok(key.map(str::to_owned)),
            (None, true) => Ok(Some(uri(self.slot.as_deref(), None, None))),
        }
    }
}

/// Which card, where several are plugged in, and its PIN.
#[derive(Debug, Clone, Default, Args)]
pub struct WhichCard {
    /// The card with this serial number
    #[arg(long, value_name = "NUMBER")]
    pub serial: Option<u32>,

    /// The card in the reader of this name
    #[arg(long, value_name = "NAME")]
    pub reader: Option<String>,

    /// Its PIN.
    #[command(flatten)]
    pub password: PasswordFlags,
}

impl WhichCard {
    /// The key URI of a slot on that card; without a slot the card itself.
    pub(crate) fn uri(&self, slot: Option<&str>) -> Result<KeyUri, Failure> {
        Ok(KeyUri::parse(&uri(slot, self.serial, self.reader.as_deref()))?)
    }
}

fn uri(slot: Option<&str>, serial: Option<u32>, reader: Option<&str>) -> String {
    let attributes = [
        slot.map(|slot| format!("slot={}", encoded(slot))),
        serial.map(|serial| format!("serial={serial}")),
        reader.map(|reader| format!("reader={}", encoded(reader))),
    ];
    format!("piv:{}", attributes.into_iter().flatten().collect::<Vec<_>>().join(";"))
}

/// RFC 3986 2.1: everything but unreserved characters percent-encoded.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_card_as_a_uri() {
        let card = |sk, slot: Option<&str>| CardFlags { sk, slot: slot.map(str::to_owned) };
        assert_eq!(card(true, None).key(None).unwrap().unwrap(), "piv:");
        assert_eq!(card(true, Some("9a")).key(None).unwrap().unwrap(), "piv:slot=9a");
        assert_eq!(card(false, None).key(Some("cosign.key")).unwrap().unwrap(), "cosign.key");
        assert!(card(false, None).key(None).unwrap().is_none());
        assert!(card(true, None).key(Some("cosign.key")).is_err());
        assert!(card(false, Some("9a")).key(None).is_err());
        assert!(card(false, Some("9a")).key(Some("piv:")).is_err());
        let which = WhichCard { serial: Some(7), reader: Some("Yubico A;B".into()), ..Default::default() };
        assert_eq!(which.uri(Some("9c")).unwrap().to_string(), "piv:slot=9c;serial=7;reader=Yubico%20A%3BB");
    }
}
