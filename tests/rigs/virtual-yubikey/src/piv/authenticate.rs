//! GENERAL AUTHENTICATE (SP 800-73-4 Part 2 3.2.4): signing and key agreement, and the two protocols by which the host
//! shows that it has the management key.

use crate::apdu::Command;
use crate::piv::management_key::{self, Cipher};
use crate::piv::{Context, Piv, random};
use crate::status::Status;
use crate::{Algorithm, PinPolicy, tlv};

/// The template, and what it holds.
const TEMPLATE: u16 = 0x7c;
const WITNESS: u16 = 0x80;
const CHALLENGE: u16 = 0x81;
const RESPONSE: u16 = 0x82;
const EXPONENTIATION: u16 = 0x85;

impl Piv {
    pub(super) fn general_authenticate(
        &mut self,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Vec<u8>, Status> {
        let outer = tlv::parse_all(&command.data)?;
        let elements = tlv::parse_all(tlv::find(&outer, TEMPLATE).ok_or(Status::INCORRECT_DATA)?)?;
        let answer = if command.p2 == management_key::SLOT {
            self.authenticate_host(command.p1, &elements, context)?
        } else {
            let (tag, value) = self.use_key(command, &elements, context)?;
            tlv::element(tag, &value)
        };
        Ok(if answer.is_empty() { answer } else { tlv::element(TEMPLATE, &answer) })
    }

    /// Signs the challenge, or agrees on a secret with a point.
    fn use_key(
        &mut self,
        command: &Command,
        elements: &[tlv::Element<'_>],
        context: &Context<'_>,
    ) -> Result<(u16, Vec<u8>), Status> {
        let slot =
            self.keys.get(&command.p2).filter(|_| command.p2 != super::F9).ok_or(Status::INCORRECT_DATA)?;
        let algorithm = Algorithm::parse(command.p1, context.config).ok_or(Status::INCORRECT_DATA)?;
        if slot.key.algorithm() != algorithm {
            return Err(Status::INCORRECT_DATA);
        }
        let (pin_policy, touch_policy) = (slot.pin_policy, slot.touch_policy);
        let allowed = match pin_policy {
            PinPolicy::Never => true,
            PinPolicy::Once => self.session.pin_verified,
            PinPolicy::Always => self.session.pin_fresh,
        };
        if !allowed {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        self.session.pin_fresh = false;
        self.require_touch(touch_policy, context)?;
        let slot = self.keys.get(&command.p2).ok_or(Status::INTERNAL)?;
        if let Some(point) = tlv::find(elements, EXPONENTIATION) {
            return Ok((RESPONSE, slot.key.agree(point)?));
        }
        let challenge = tlv::find(elements, CHALLENGE).ok_or(Status::INCORRECT_DATA)?;
        Ok((RESPONSE, slot.key.answer(challenge)?))
    }

    /// Mutual: the card sends a witness encrypted; the host returns it in clear with a challenge, which the card encrypts.
    /// Single: the card sends a challenge in clear, which the host encrypts.
    fn authenticate_host(
        &mut self,
        cipher: u8,
        elements: &[tlv::Element<'_>],
        context: &Context<'_>,
    ) -> Result<Vec<u8>, Status> {
        if Cipher::parse(cipher) != Some(self.management_key.cipher) {
            return Err(Status::INCORRECT_DATA);
        }
        let (witness, challenge) = (self.session.witness.take(), self.session.challenge.take());
        let find = |tag| tlv::find(elements, tag);
        match (find(WITNESS), find(CHALLENGE), find(RESPONSE)) {
            (Some([]), None, None) => {
                let witness = random(self.management_key.block_size());
                let encrypted = self.management_key.encrypt(&witness)?;
                self.session.witness = Some(witness);
                Ok(tlv::element(WITNESS, &encrypted))
            }
            (Some(returned), Some(challenge), _) => {
                if witness.as_deref() != Some(returned) {
                    return Err(self.refuse_host());
                }
                self.require_touch(self.management_key.touch_policy, context)?;
                let encrypted = self.management_key.encrypt(challenge)?;
                self.session.management_authenticated = true;
                Ok(tlv::element(RESPONSE, &encrypted))
            }
            (None, Some([]), None) => {
                let challenge = random(self.management_key.block_size());
                self.session.challenge = Some(challenge.clone());
                Ok(tlv::element(CHALLENGE, &challenge))
            }
            (None, None, Some(returned)) => {
                let Some(challenge) = challenge else { return Err(self.refuse_host()) };
                if self.management_key.decrypt(returned)? != challenge {
                    return Err(self.refuse_host());
                }
                self.require_touch(self.management_key.touch_policy, context)?;
                self.session.management_authenticated = true;
                Ok(Vec::new())
            }
            _ => Err(Status::INCORRECT_DATA),
        }
    }

    fn refuse_host(&mut self) -> Status {
        self.session.management_authenticated = false;
        Status::SECURITY_STATUS_NOT_SATISFIED
    }
}
