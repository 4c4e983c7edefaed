//! Key types as a PIV card numbers them (SP 800-78-4 table 6-2, Yubico's additions), and public keys as it encodes them.

use countersign_core::encoding;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Algorithm, KeyType, PublicKey, Scheme};

use crate::card::Identity;
use crate::tlv;

/// A key type that a card can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CardAlgorithm {
    pub(crate) number: u8,
    pub(crate) key_type: KeyType,
}

const TABLE: [(u8, KeyType); 6] = [
    (0x11, KeyType::P256),
    (0x14, KeyType::P384),
    (0x07, KeyType::Rsa2048),
    (0x05, KeyType::Rsa3072),
    (0x16, KeyType::Rsa4096),
    (0xe0, KeyType::Ed25519),
];

/// SP 800-73-4 Part 2 3.3.2: an RSA key's numbers; a curve's point.
const MODULUS: u32 = 0x81;
const EXPONENT: u32 = 0x82;
const POINT: u32 = 0x86;

impl CardAlgorithm {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        TABLE.iter().find(|row| row.0 == number).map(|&(number, key_type)| Self { number, key_type })
    }

    pub(crate) fn from_key_type(key_type: KeyType) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == key_type).map(|&(number, key_type)| Self { number, key_type })
    }

    /// The public key in the elements of an answer.
    pub(crate) fn public_key(self, elements: &[u8]) -> Result<PublicKey> {
        let odd = || {
            Error::new(ErrorKind::Integrity, format!("cannot read a public {} key of a card", self.key_type))
        };
        let elements = tlv::read(elements).ok_or_else(odd)?;
        let key = if self.key_type.rsa_bits().is_some() {
            let modulus = tlv::find(&elements, MODULUS).ok_or_else(odd)?;
            let exponent = tlv::find(&elements, EXPONENT).ok_or_else(odd)?;
            PublicKey::from_rsa_numbers(modulus, exponent)?
        } else {
            let point = tlv::find(&elements, POINT).ok_or_else(odd)?;
            // A bare point only: the forms of PKCS#11 tokens do not occur here.
            if point != encoding::public_point(self.key_type, point)? {
                return Err(odd());
            }
            PublicKey::from_parts(self.key_type, point.to_vec())?
        };
        if key.key_type() == self.key_type { Ok(key) } else { Err(odd().why("it is of another size")) }
    }

    /// Refuses a key type that the card's firmware lacks, before anything is sent to it.
    pub(crate) fn check_firmware(self, identity: &Identity, what: &str) -> Result<()> {
        let since = match self.key_type {
            KeyType::Rsa3072 | KeyType::Rsa4096 | KeyType::Ed25519 => (5, 7, 0),
            KeyType::P384 => (4, 0, 0),
            KeyType::P256 | KeyType::P521 | KeyType::Rsa2048 => (0, 0, 0),
        };
        let Some(firmware) = identity.firmware else {
            if since < (5, 0, 0) {
                return Ok(());
            }
            return Err(Error::new(ErrorKind::Unsupported, what)
                .why(format!("only YubiKeys hold {} keys", self.key_type)));
        };
        if identity.since(since.0, since.1, since.2) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, what)
            .why(format!(
                "{} keys need firmware {}.{}, and {identity} has {firmware}",
                self.key_type, since.0, since.1
            ))
            .hint("firmware cannot be updated; P-256 works with every device"))
    }
}

/// What a key of this type signs on a card: the table's rows that need nothing but the card's raw operation. PSS is not
/// among them: its padding has to be made outside the card, and no reviewed crate hands it out alone.
pub(crate) fn signs(key_type: KeyType) -> Vec<Algorithm> {
    key_type
        .algorithms()
        .filter(|algorithm| match algorithm.scheme() {
            Scheme::Ecdsa | Scheme::RsaPkcs1v15 | Scheme::Ed25519 => true,
            Scheme::RsaPss | Scheme::Ed25519ph => false,
        })
        .collect()
}

/// The number of a key type, or the refusal of one that no PIV card has.
pub(crate) fn for_key(key_type: KeyType, what: &str) -> Result<CardAlgorithm> {
    CardAlgorithm::from_key_type(key_type).ok_or_else(|| {
        let names: Vec<_> = TABLE.iter().map(|(_, key_type)| key_type.name()).collect();
        Error::new(ErrorKind::Unsupported, what)
            .why(format!("PIV cards hold no {key_type} keys"))
            .hint(format!("they hold: {}", names.join(", ")))
    })
}
