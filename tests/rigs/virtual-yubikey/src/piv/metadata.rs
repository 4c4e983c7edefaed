//! Yubico's GET METADATA, from firmware 5.3 on: what is in a slot, and how PIN, PUK and management key stand.

use crate::apdu::Command;
use crate::piv::pin::{PIN, PUK};
use crate::piv::{Piv, management_key};
use crate::status::Status;
use crate::tlv;

const ALGORITHM: u16 = 1;
const POLICY: u16 = 2;
const ORIGIN: u16 = 3;
const PUBLIC_KEY: u16 = 4;
const IS_DEFAULT: u16 = 5;
/// At most, and left.
const RETRIES: u16 = 6;
/// The algorithm of PIN and PUK.
const NO_ALGORITHM: u8 = 0xff;

impl Piv {
    /// F7: P2 names it.
    pub(super) fn metadata(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        if command.p1 != 0 {
            return Err(Status::INCORRECT_P1_P2);
        }
        let mut answer = Vec::new();
        match command.p2 {
            PIN | PUK => {
                let reference = if command.p2 == PIN { &self.pin } else { &self.puk };
                tlv::push(&mut answer, ALGORITHM, &[NO_ALGORITHM]);
                tlv::push(&mut answer, IS_DEFAULT, &[u8::from(reference.is_default())]);
                tlv::push(&mut answer, RETRIES, &[reference.tries_at_most(), reference.tries_left()]);
            }
            management_key::SLOT => {
                tlv::push(&mut answer, ALGORITHM, &[self.management_key.cipher as u8]);
                tlv::push(&mut answer, POLICY, &[0, self.management_key.touch_policy as u8]);
                tlv::push(&mut answer, IS_DEFAULT, &[u8::from(self.management_key.is_default())]);
            }
            slot => {
                let slot = self.keys.get(&slot).ok_or(Status::REFERENCE_NOT_FOUND)?;
                tlv::push(&mut answer, ALGORITHM, &[slot.key.algorithm() as u8]);
                tlv::push(&mut answer, POLICY, &[slot.pin_policy as u8, slot.touch_policy as u8]);
                tlv::push(&mut answer, ORIGIN, &[if slot.generated { 1 } else { 2 }]);
                tlv::push(&mut answer, PUBLIC_KEY, &slot.key.public_elements());
            }
        }
        Ok(answer)
    }
}
