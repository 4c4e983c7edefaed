//! Making, importing and deleting keys on a card that is open for changes.

use countersign_core::device::{PinPolicy, TouchPolicy};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyType, PublicKey};
use der::Decode;
use der::asn1::OctetStringRef;
use zeroize::Zeroizing;

use crate::algorithm::{self, CardAlgorithm};
use crate::apdu::Command;
use crate::card::{Card, Firmware, doubtful};
use crate::metadata::{pin_byte, touch_byte};
use crate::slot::Slot;
use crate::{objects, public_half, tlv};

/// SP 800-73-4 Part 2 3.3.2, and Yubico's own instructions.
const GENERATE: u8 = 0x47;
const IMPORT: u8 = 0xfe;
const MOVE: u8 = 0xf6;
/// As a key's new place: none.
const NOWHERE: u8 = 0xff;

/// Tags of GENERATE; the policies are Yubico's.
const TEMPLATE: u32 = 0xac;
const ALGORITHM: u32 = 0x80;
const PIN_POLICY: u32 = 0xaa;
const TOUCH_POLICY: u32 = 0xab;
const NEW_KEY: u32 = 0x7f49;

/// What guards a new key. `None`: the card's own choice for the slot.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Guard {
    pub(crate) pin: Option<PinPolicy>,
    pub(crate) touch: Option<TouchPolicy>,
}

impl Guard {
    fn push(self, to: &mut Vec<u8>) {
        if let Some(policy) = self.pin {
            tlv::push(to, PIN_POLICY, &[pin_byte(policy)]);
        }
        if let Some(policy) = self.touch {
            tlv::push(to, TOUCH_POLICY, &[touch_byte(policy)]);
        }
    }

    /// Other makers' cards have the policies of their slots only, and the YubiKey NEO none but the slot's.
    fn check(self, card: &Card<'_>, what: &str) -> Result<()> {
        if (self.pin.is_some() || self.touch.is_some()) && !card.identity().since(4, 0, 0) {
            return Err(Error::new(ErrorKind::Unsupported, what)
                .why("only a YubiKey 4 or later takes PIN and touch policies")
                .hint("leave the policies out"));
        }
        if self.touch == Some(TouchPolicy::Cached) && !card.identity().since(4, 3, 0) {
            return Err(Error::new(ErrorKind::Unsupported, what)
                .why("the touch policy \"cached\" needs firmware 4.3"));
        }
        Ok(())
    }
}

/// The number of a key type that this card can hold under this guard; refused before anything is changed.
pub(crate) fn check(card: &Card<'_>, key_type: KeyType, guard: Guard, what: &str) -> Result<CardAlgorithm> {
    let algorithm = algorithm::for_key(key_type, what)?;
    algorithm.check_firmware(card.identity(), what)?;
    guard.check(card, what)?;
    Ok(algorithm)
}

/// Whether the slot has something that a new key would replace or no longer fit; what it is, for a question.
pub(crate) fn occupant(card: &mut Card<'_>, slot: Slot) -> Result<Option<String>> {
    let key = match public_half::on_card(card, slot, true) {
        Ok(found) => found.map(|facts| format!("a {} key", facts.public_key.key_type())),
        // A key that we cannot use is a key; so is one whose certificate is of another.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::KeyState) => {
            Some("a key".to_owned())
        }
        Err(error) => return Err(error),
    };
    if key.is_some() {
        return Ok(key);
    }
    let certificate = match objects::certificate(card, slot) {
        Ok(certificate) => certificate.is_some(),
        Err(error) if error.kind() == ErrorKind::Unsupported => true,
        Err(error) => return Err(error),
    };
    Ok(certificate.then(|| "a certificate".to_owned()))
}

/// Makes a key on the card.
pub(crate) fn generate(
    card: &mut Card<'_>,
    slot: Slot,
    key_type: KeyType,
    guard: Guard,
) -> Result<PublicKey> {
    let act = format!("make a key in slot {slot} of");
    let what = card.cannot(&act);
    let algorithm = check(card, key_type, guard, &what)?;
    // ROCA, CVE-2017-15361: these make RSA keys that can be factored.
    let weak =
        card.identity().firmware.filter(|firmware| (Firmware(4, 2, 0)..Firmware(4, 3, 5)).contains(firmware));
    if let Some(firmware) = weak.filter(|_| key_type.rsa_bits().is_some()) {
        return Err(Error::new(ErrorKind::Unsupported, what)
            .why(format!("firmware {firmware} makes weak RSA keys (CVE-2017-15361)"))
            .hint("make a P-256 or P-384 key, or import an RSA key"));
    }
    let mut inner = tlv::element(ALGORITHM, &[algorithm.number]);
    guard.push(&mut inner);
    let command = Command::new(GENERATE, 0, slot.number(), tlv::element(TEMPLATE, &inner));
    const DOUBT: &str = "the slot may have a new key";
    let data = card.change(&act, command, DOUBT)?;
    tlv::only(NEW_KEY, &data)
        .ok_or_else(|| card.garbled(&act, "it has no public key"))
        .and_then(|elements| {
            algorithm.public_key(elements).map_err(|error| card.garbled(&act, &error.to_string()))
        })
        .map_err(|error| doubtful(error, DOUBT))
}

/// Puts a private key (PKCS#8 DER, unencrypted) into a slot. Only YubiKeys take one.
pub(crate) fn import(
    card: &mut Card<'_>,
    slot: Slot,
    key_type: KeyType,
    pkcs8: &[u8],
    guard: Guard,
) -> Result<()> {
    let act = format!("import a key into slot {slot} of");
    let what = card.cannot(&act);
    let algorithm = check(card, key_type, guard, &what)?;
    let mut data = private_parts(key_type, pkcs8).ok_or_else(|| {
        Error::new(ErrorKind::Integrity, what).why("the private key has another form than its type demands")
    })?;
    let mut policies = Vec::new();
    guard.push(&mut policies);
    data.extend(policies);
    let command = Command::secret(IMPORT, algorithm.number, slot.number(), data);
    card.change(&act, command, "the slot may have the new key").map(drop)
}

/// Refuses cards that take no keys, before anything is changed.
pub(crate) fn check_import(card: &Card<'_>, what: &str) -> Result<()> {
    if card.identity().firmware.is_some() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, what)
        .why("only YubiKeys take keys that were made elsewhere")
        .hint("make the key on the card"))
}

/// The numbers that IMPORT takes, each as wide as its type demands: five of an RSA key (primes, exponents, coefficient), the
/// scalar of a curve, the seed of Ed25519.
fn private_parts(key_type: KeyType, pkcs8: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    /// Room for the policies behind, so that the buffer is not moved.
    const SPARE: usize = 8;
    let key = pkcs8::PrivateKeyInfo::from_der(pkcs8).ok()?.private_key;
    let mut parts: Vec<(u32, Zeroizing<Vec<u8>>)> = Vec::new();
    if let Some(bits) = key_type.rsa_bits() {
        let rsa = pkcs1::RsaPrivateKey::from_der(key).ok()?;
        let half = bits / 16;
        let numbers = [rsa.prime1, rsa.prime2, rsa.exponent1, rsa.exponent2, rsa.coefficient];
        for (tag, number) in (1..).zip(numbers) {
            parts.push((tag, widened(number.as_bytes(), half)?));
        }
    } else if let Some(width) = key_type.field_bytes() {
        parts.push((6, widened(sec1::EcPrivateKey::from_der(key).ok()?.private_key, width)?));
    } else {
        let seed = OctetStringRef::from_der(key).ok()?;
        parts.push((7, widened(seed.as_bytes(), 32).filter(|_| seed.as_bytes().len() == 32)?));
    }
    let room = parts.iter().map(|(_, value)| value.len() + 4).sum::<usize>() + SPARE;
    let mut data = Zeroizing::new(Vec::with_capacity(room));
    for (tag, value) in &parts {
        tlv::push(&mut data, *tag, value);
    }
    Some(data)
}

fn widened(number: &[u8], width: usize) -> Option<Zeroizing<Vec<u8>>> {
    let missing = width.checked_sub(number.len())?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(width));
    bytes.resize(missing, 0);
    bytes.extend(number);
    Some(bytes)
}

/// Deletes a key. Only firmware 5.7 and later can.
pub(crate) fn delete(card: &mut Card<'_>, slot: Slot) -> Result<()> {
    let act = format!("delete the key in slot {slot} of");
    check_delete(card, slot)?;
    card.change(&act, Command::new(MOVE, NOWHERE, slot.number(), []), "the key may be gone").map(drop)
}

/// Refuses what cannot delete, before anything is changed.
pub(crate) fn check_delete(card: &Card<'_>, slot: Slot) -> Result<()> {
    if card.identity().since(5, 7, 0) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, card.cannot(&format!("delete the key in slot {slot} of")))
        .why("only YubiKeys with firmware 5.7 or later delete single keys")
        .hint("make another key in its place, or remove all with: countersign piv-tool reset"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_the_width_that_the_card_wants() {
        assert_eq!(widened(&[1, 2], 4).unwrap().as_slice(), [0, 0, 1, 2]);
        assert!(widened(&[1, 2, 3], 2).is_none());
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        for key_type in KeyType::ALL {
            assert!(private_parts(key_type, b"").is_none() && private_parts(key_type, &[0x30, 0]).is_none());
        }
    }
}
