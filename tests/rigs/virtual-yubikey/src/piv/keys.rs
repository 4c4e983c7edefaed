//! Keys in slots: GENERATE ASYMMETRIC KEY PAIR (SP 800-73-4 Part 2 3.3.2), and Yubico's IMPORT, MOVE, DELETE and ATTEST.

use crate::apdu::Command;
use crate::certificate::{self, Statement};
use crate::key::PrivateKey;
use crate::piv::{Context, F9, Piv, SlotKey, objects};
use crate::status::Status;
use crate::tlv::{self, Element};
use crate::{Algorithm, PinPolicy, TouchPolicy, management};

/// Yubico's tags beside the algorithm's.
const PIN_POLICY: u16 = 0xaa;
const TOUCH_POLICY: u16 = 0xab;

impl Piv {
    /// 47: AC { 80 algorithm, AA PIN policy, AB touch policy } makes a key; the answer is its public key in 7F49.
    pub(super) fn generate(&mut self, command: &Command, context: &Context<'_>) -> Result<Vec<u8>, Status> {
        self.require_management()?;
        let slot = command.p2;
        if command.p1 != 0 || objects::certificate_of_slot(slot).is_none() {
            return Err(Status::INCORRECT_P1_P2);
        }
        let outer = tlv::parse_all(&command.data)?;
        let elements = tlv::parse_all(tlv::find(&outer, 0xac).ok_or(Status::INCORRECT_DATA)?)?;
        let algorithm = match tlv::find(&elements, 0x80) {
            Some([byte]) => Algorithm::parse(*byte, context.config).ok_or(Status::INCORRECT_DATA)?,
            _ => return Err(Status::INCORRECT_DATA),
        };
        let (pin_policy, touch_policy) = policies(slot, &elements, context)?;
        let key = PrivateKey::generate(algorithm)?;
        let answer = tlv::element(0x7f49, &key.public_elements());
        self.keys.insert(slot, SlotKey { key, pin_policy, touch_policy, generated: true });
        Ok(answer)
    }

    /// FE: P1 algorithm, P2 slot.
    pub(super) fn import(&mut self, command: &Command, context: &Context<'_>) -> Result<Vec<u8>, Status> {
        self.require_management()?;
        let slot = command.p2;
        if objects::certificate_of_slot(slot).is_none() {
            return Err(Status::INCORRECT_P1_P2);
        }
        let algorithm = Algorithm::parse(command.p1, context.config).ok_or(Status::INCORRECT_P1_P2)?;
        let elements = tlv::parse_all(&command.data)?;
        let (pin_policy, touch_policy) = policies(slot, &elements, context)?;
        let key = PrivateKey::import(algorithm, &elements)?;
        self.keys.insert(slot, SlotKey { key, pin_policy, touch_policy, generated: false });
        Ok(Vec::new())
    }

    /// F6: P1 to, P2 from; P1 FF deletes. Certificates stay where they are.
    pub(super) fn move_key(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        self.require_management()?;
        let (to, from) = (command.p1, command.p2);
        let movable = |slot| objects::certificate_of_slot(slot).is_some() && slot != F9;
        if !(to == 0xff && (movable(from) || from == F9)) && !(movable(to) && movable(from) && to != from) {
            return Err(Status::INCORRECT_P1_P2);
        }
        if to != 0xff && self.keys.contains_key(&to) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let key = self.keys.remove(&from).ok_or(Status::REFERENCE_NOT_FOUND)?;
        if to != 0xff {
            self.keys.insert(to, key);
        }
        Ok(Vec::new())
    }

    /// F9: P1 slot; a certificate by the key of F9 for a key that was generated here.
    pub(super) fn attest(&mut self, command: &Command, context: &Context<'_>) -> Result<Vec<u8>, Status> {
        if command.p2 != 0 || command.p1 == F9 {
            return Err(Status::INCORRECT_P1_P2);
        }
        let slot = self.keys.get(&command.p1).filter(|slot| slot.generated).ok_or(Status::INCORRECT_DATA)?;
        let f9 = self.keys.get(&F9).ok_or(Status::INCORRECT_DATA)?;
        let statement = Statement {
            slot: command.p1,
            firmware: context.config.firmware,
            serial: context.config.serial,
            policies: [slot.pin_policy as u8, slot.touch_policy as u8],
            form_factor: management::FORM_FACTOR,
        };
        certificate::attest(&statement, &slot.key, &f9.key).ok_or(Status::INTERNAL)
    }
}

/// Policies by their tags; a PIV card of another maker does not know them.
fn policies(
    slot: u8,
    elements: &[Element<'_>],
    context: &Context<'_>,
) -> Result<(PinPolicy, TouchPolicy), Status> {
    let byte = |tag| match tlv::find(elements, tag) {
        None => Ok(0),
        Some([byte]) if context.config.yubico => Ok(*byte),
        Some(_) => Err(Status::INCORRECT_DATA),
    };
    Ok((PinPolicy::parse(byte(PIN_POLICY)?, slot)?, TouchPolicy::parse(byte(TOUCH_POLICY)?)?))
}
