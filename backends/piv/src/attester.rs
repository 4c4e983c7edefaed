//! Proof that a key was made in a YubiKey: asking for an attestation, and verifying one up to Yubico's roots.
//!
//! The path has a fixed form: the slot's certificate, the device's own (slot f9) that issued it, then authorities up to a root. A
//! slot's key may sign anything, a forged attestation too; so a certificate that makes an attestation's statements is never
//! taken for an authority, whatever else it says.

use countersign_core::backend::Attestation;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Attester, KeyUri, OpenContext};

use crate::PivBackend;
use crate::attestation::{self, Statement};
use crate::chain::{self, Link};
use crate::slot::Slot;
use crate::store::{pin_word, touch_word};
use crate::uri::PivUri;
use crate::{find, objects};

/// The device's own attestation certificate: slot f9.
const DEVICE_CERTIFICATE: u32 = 0x5f_ff01;

impl Attester for PivBackend {
    fn attest(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<Vec<u8>>> {
        self.chain(uri, context).map_err(|error| error.for_key(uri))
    }

    fn verify_attestation(&self, chain: &[Vec<u8>], roots: &[Vec<u8>]) -> Result<Attestation> {
        let [leaf, rest @ ..] = chain else {
            return Err(Error::new(ErrorKind::Integrity, chain::WHAT).why("there is no certificate"));
        };
        let leaf = Link::parse(leaf)?;
        let statement = attestation::statement(leaf.certificate())?;
        let (device, root) = chain::verify(&leaf, rest, roots)?;
        facts(&statement, &device, &root)
    }
}

impl PivBackend {
    fn chain(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<Vec<u8>>> {
        let parsed = PivUri::parse(uri, context)?;
        let slot = parsed.slot();
        let mut card = find::one(self.readers, uri, &parsed, *context)?;
        let what = card.cannot(&format!("attest the key in slot {slot} of"));
        if !card.identity().since(4, 3, 0) {
            return Err(Error::new(ErrorKind::Unsupported, what)
                .why("only a YubiKey with firmware 4.3 or later attests"));
        }
        card.exclusive(|card| {
            let Some(leaf) = attestation::certificate(card, slot)? else {
                return Err(Error::new(ErrorKind::NotFound, what)
                    .why("the slot is empty, or its key was imported: only a key made on the device is attested")
                    .hint("make a key on the device with: countersign piv-tool generate-key"));
            };
            let act = "read the attestation certificate of";
            let Some(device) = objects::certificate_in(card, DEVICE_CERTIFICATE, act)? else {
                return Err(Error::new(ErrorKind::NotFound, card.cannot(act))
                    .why("slot f9 is empty")
                    .hint("a reset does not remove it; it was replaced by somebody with the management key"));
            };
            Ok(vec![leaf, device])
        })
    }
}

/// What a verified statement proves, in words.
fn facts(statement: &Statement, device: &str, root: &str) -> Result<Attestation> {
    let lacks = |what: &str| {
        Error::new(ErrorKind::Integrity, chain::WHAT).why(format!("it does not tell the {what}"))
    };
    let public_key = statement.public_key.clone().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, chain::WHAT).why("its key is of a type that signs nothing here")
    })?;
    let firmware = statement.firmware.ok_or_else(|| lacks("firmware"))?;
    let mut facts = vec![("origin", "made on the device; it cannot be read out".to_owned())];
    if let Some(serial) = statement.serial {
        facts.push(("serial", serial.to_string()));
    }
    facts.push(("firmware", firmware.to_string()));
    facts.push(("slot", statement.slot.as_ref().map(Slot::to_string).ok_or_else(|| lacks("slot"))?));
    let pin = statement.policies.pin.ok_or_else(|| lacks("PIN policy"))?;
    let touch = statement.policies.touch.ok_or_else(|| lacks("touch policy"))?;
    facts.push(("pin-policy", pin_word(pin).to_owned()));
    facts.push(("touch-policy", touch_word(touch).to_owned()));
    if let Some(form) = statement.form_factor {
        facts.push(("form-factor", form_factor(form)));
    }
    facts.push(("device-certificate", device.to_owned()));
    facts.push(("root", root.to_owned()));
    Ok(Attestation { public_key, facts })
}

/// Yubico's numbers: <https://docs.yubico.com/yesdk/users-manual/application-piv/attestation.html>. The high bits mark FIPS and
/// Security Key models.
fn form_factor(number: u8) -> String {
    let name = match number & 0x0f {
        1 => "USB-A keychain",
        2 => "USB-A nano",
        3 => "USB-C keychain",
        4 => "USB-C nano",
        5 => "USB-C and Lightning",
        6 => "USB-A with fingerprint reader",
        7 => "USB-C with fingerprint reader",
        _ => return format!("unknown ({number})"),
    };
    if number & 0x80 != 0 { format!("{name}, FIPS") } else { name.to_owned() }
}

#[cfg(test)]
mod tests;
