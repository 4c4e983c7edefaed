//! What a YubiKey tells of a key, its PIN and its management key without a login: GET METADATA, firmware 5.3 and later.

use countersign_core::PublicKey;
use countersign_core::device::{PinPolicy, TouchPolicy};
use countersign_core::error::Result;

use crate::algorithm::CardAlgorithm;
use crate::apdu::{Command, Status};
use crate::card::Card;
use crate::slot::Slot;
use crate::tlv;

const GET_METADATA: u8 = 0xf7;
/// Key references of SP 800-73-4 Part 1 table 4b.
const PIN: u8 = 0x80;
const PUK: u8 = 0x81;
const MANAGEMENT_KEY: u8 = 0x9b;

/// Tags of the answer, by Yubico's documentation.
const ALGORITHM: u32 = 0x01;
const POLICY: u32 = 0x02;
const ORIGIN: u32 = 0x03;
const PUBLIC_KEY: u32 = 0x04;
const IS_DEFAULT: u32 = 0x05;
const TRIES: u32 = 0x06;

/// When a key asks for what. `None`: the card does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Policies {
    pub(crate) pin: Option<PinPolicy>,
    pub(crate) touch: Option<TouchPolicy>,
}

impl Policies {
    /// The two bytes of metadata and attestations. Zero: the card's default, which it does not tell.
    pub(crate) fn from_bytes(bytes: [u8; 2]) -> Option<Self> {
        let pin = match bytes[0] {
            0 => None,
            1 => Some(PinPolicy::Never),
            2 => Some(PinPolicy::Once),
            3 => Some(PinPolicy::Always),
            // Cards with a fingerprint reader: a match, once or always, stands for the PIN.
            4 => Some(PinPolicy::Once),
            5 => Some(PinPolicy::Always),
            _ => return None,
        };
        let touch = match bytes[1] {
            0 => None,
            1 => Some(TouchPolicy::Never),
            2 => Some(TouchPolicy::Always),
            3 => Some(TouchPolicy::Cached),
            _ => return None,
        };
        Some(Self { pin, touch })
    }
}

/// The byte of a policy when a key is made or imported.
pub(crate) fn pin_byte(policy: PinPolicy) -> u8 {
    match policy {
        PinPolicy::Never => 1,
        PinPolicy::Once => 2,
        PinPolicy::Always => 3,
    }
}

/// The byte of a policy when a key is made or imported.
pub(crate) fn touch_byte(policy: TouchPolicy) -> u8 {
    match policy {
        TouchPolicy::Never => 1,
        TouchPolicy::Always => 2,
        TouchPolicy::Cached => 3,
    }
}

/// What the card tells of a key.
#[derive(Debug, Clone)]
pub(crate) struct KeyMetadata {
    pub(crate) policies: Policies,
    /// Made on the card, as the card says; `false`: imported.
    pub(crate) generated: Option<bool>,
    /// `None` for key types outside our table.
    pub(crate) public_key: Option<PublicKey>,
}

/// What the card tells of PIN, PUK or management key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SecretMetadata {
    pub(crate) is_default: Option<bool>,
    /// In all, and left.
    pub(crate) tries: Option<(u8, u8)>,
    pub(crate) algorithm: Option<u8>,
}

/// Whether the card has the command.
pub(crate) fn has_metadata(card: &Card<'_>) -> bool {
    card.identity().since(5, 3, 0)
}

/// The key in a slot; `None` where there is none. For cards that have the command.
pub(crate) fn key(card: &mut Card<'_>, slot: Slot) -> Result<Option<KeyMetadata>> {
    let act = format!("ask about the key in slot {slot} of");
    let reply = card.send(&act, Command::new(GET_METADATA, 0, slot.number(), []))?;
    match reply.status {
        Status::OK => {}
        Status::NO_REFERENCE | Status::NOT_FOUND => return Ok(None),
        status => return Err(card.refused(&act, status)),
    }
    let garbled = |found: &str| card.garbled(&act, found);
    let elements = tlv::read(&reply.data).ok_or_else(|| garbled("it is no row of TLV elements"))?;
    let algorithm = match tlv::find(&elements, ALGORITHM) {
        Some([number]) => CardAlgorithm::from_number(*number),
        _ => return Err(garbled("it does not tell the algorithm")),
    };
    let policies = match tlv::find(&elements, POLICY) {
        Some(&[pin, touch]) => {
            Policies::from_bytes([pin, touch]).ok_or_else(|| garbled("it has an unknown policy"))?
        }
        _ => return Err(garbled("it does not tell the policies")),
    };
    let generated = match tlv::find(&elements, ORIGIN) {
        Some([1]) => Some(true),
        Some([2]) => Some(false),
        _ => None,
    };
    let public_key = match (algorithm, tlv::find(&elements, PUBLIC_KEY)) {
        (Some(algorithm), Some(bytes)) => {
            Some(algorithm.public_key(bytes).map_err(|error| garbled(&format!("the public key: {error}")))?)
        }
        (Some(_), None) => return Err(garbled("it does not tell the public key")),
        (None, _) => None,
    };
    Ok(Some(KeyMetadata { policies, generated, public_key }))
}

pub(crate) fn pin(card: &mut Card<'_>) -> Result<SecretMetadata> {
    secret(card, PIN)
}

pub(crate) fn puk(card: &mut Card<'_>) -> Result<SecretMetadata> {
    secret(card, PUK)
}

pub(crate) fn management_key(card: &mut Card<'_>) -> Result<SecretMetadata> {
    secret(card, MANAGEMENT_KEY)
}

fn secret(card: &mut Card<'_>, reference: u8) -> Result<SecretMetadata> {
    if !has_metadata(card) {
        return Ok(SecretMetadata::default());
    }
    let act = match reference {
        PIN => "ask about the PIN of",
        PUK => "ask about the PUK of",
        _ => "ask about the management key of",
    };
    let data = card.ask(act, Command::new(GET_METADATA, 0, reference, []))?;
    let elements = tlv::read(&data).ok_or_else(|| card.garbled(act, "it is no row of TLV elements"))?;
    Ok(SecretMetadata {
        is_default: match tlv::find(&elements, IS_DEFAULT) {
            Some([0]) => Some(false),
            Some([1]) => Some(true),
            _ => None,
        },
        tries: match tlv::find(&elements, TRIES) {
            Some([total, left]) if left <= total => Some((*total, *left)),
            Some(_) => return Err(card.garbled(act, "it has an odd count of tries")),
            None => None,
        },
        algorithm: match tlv::find(&elements, ALGORITHM) {
            Some([algorithm]) => Some(*algorithm),
            _ => None,
        },
    })
}
