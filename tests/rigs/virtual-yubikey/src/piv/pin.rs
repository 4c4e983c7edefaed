//! PIN and PUK: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (SP 800-73-4 Part 2 3.2), and Yubico's SET PIN RETRIES.

use crate::apdu::Command;
use crate::piv::{Piv, Session};
use crate::status::Status;

/// References by P2.
pub(super) const PIN: u8 = 0x80;
pub(super) const PUK: u8 = 0x81;
const SIZE: usize = 8;
const SHORTEST: usize = 6;
const PADDING: u8 = 0xff;

/// A PIN or PUK with its tries.
pub(super) struct Reference {
    value: [u8; SIZE],
    is_default: bool,
    left: u8,
    at_most: u8,
}

impl Reference {
    /// `default` is what the factory sets.
    pub(super) fn new(value: &str, default: &str, tries: u8) -> Self {
        let mut padded = [PADDING; SIZE];
        for (place, byte) in padded.iter_mut().zip(value.bytes()) {
            *place = byte;
        }
        Self { value: padded, is_default: value == default, left: tries, at_most: tries }
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.left == 0
    }
    pub(super) fn is_default(&self) -> bool {
        self.is_default
    }
    pub(super) fn tries_left(&self) -> u8 {
        self.left
    }
    pub(super) fn tries_at_most(&self) -> u8 {
        self.at_most
    }

    /// Compares, and counts: 6983 once it is blocked, 63Cx for a wrong one with what is left after it, 63C0 at the last.
    fn check(&mut self, given: &[u8]) -> Result<(), Status> {
        if self.left == 0 {
            return Err(Status::BLOCKED);
        }
        if given != self.value {
            self.left -= 1;
            return Err(Status::tries(self.left));
        }
        self.left = self.at_most;
        Ok(())
    }

    /// Sets a new one of six characters or more. The old one was compared before: clients block a PIN on purpose with
    /// commands whose new one is empty.
    fn replace(&mut self, value: &[u8]) -> Result<(), Status> {
        let typed = value.iter().position(|byte| *byte == PADDING).unwrap_or(value.len());
        if typed < SHORTEST || value[typed..].iter().any(|byte| *byte != PADDING) {
            return Err(Status::INCORRECT_DATA);
        }
        self.value = value.try_into().map_err(|_| Status::INCORRECT_DATA)?;
        self.left = self.at_most;
        // From now on it was chosen, even if the same.
        self.is_default = false;
        Ok(())
    }
}

impl Piv {
    /// Without data: the tries left, or 9000 if the PIN is verified.
    pub(super) fn verify(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        if command.p2 != PIN {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        match (command.p1, command.data.len()) {
            (0, 0) if self.session.pin_verified => Ok(Vec::new()),
            (0, 0) if self.pin.is_blocked() => Err(Status::BLOCKED),
            (0, 0) => Err(Status::tries(self.pin.tries_left())),
            // SP 800-73-4 Part 2 3.2.1: forgets that it was verified.
            (0xff, 0) => {
                self.forget_pin();
                Ok(Vec::new())
            }
            (0, SIZE) => {
                self.forget_pin();
                self.pin.check(&command.data)?;
                self.session.pin_verified = true;
                self.session.pin_fresh = true;
                Ok(Vec::new())
            }
            (0, _) => Err(Status::INCORRECT_DATA),
            _ => Err(Status::INCORRECT_P1_P2),
        }
    }

    /// The old and the new one, of PIN or PUK.
    pub(super) fn change_reference(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        let (old, new) = pair(command)?;
        let reference = match command.p2 {
            PIN => &mut self.pin,
            PUK => &mut self.puk,
            _ => return Err(Status::REFERENCE_NOT_FOUND),
        };
        let result = reference.check(old).and_then(|()| reference.replace(new));
        if command.p2 == PIN && result.is_err() {
            self.forget_pin();
        }
        result.map(|()| Vec::new())
    }

    /// The PUK and a new PIN.
    pub(super) fn reset_retry_counter(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        let (puk, pin) = pair(command)?;
        if command.p2 != PIN {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        self.puk.check(puk)?;
        self.pin.replace(pin)?;
        Ok(Vec::new())
    }

    /// FA: P1 tries for the PIN, P2 for the PUK; both become the default again. Needs management key and PIN.
    pub(super) fn set_retries(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        self.require_management()?;
        if !self.session.pin_verified {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        if command.p1 == 0 || command.p2 == 0 {
            return Err(Status::INCORRECT_P1_P2);
        }
        self.pin = Reference::new(crate::DEFAULT_PIN, crate::DEFAULT_PIN, command.p1);
        self.puk = Reference::new(crate::DEFAULT_PUK, crate::DEFAULT_PUK, command.p2);
        Ok(Vec::new())
    }

    fn forget_pin(&mut self) {
        let Session { pin_verified, pin_fresh, .. } = &mut self.session;
        (*pin_verified, *pin_fresh) = (false, false);
    }
}

/// Two references in a row.
fn pair(command: &Command) -> Result<(&[u8], &[u8]), Status> {
    if command.p1 != 0 {
        return Err(Status::INCORRECT_P1_P2);
    }
    if command.data.len() != 2 * SIZE {
        return Err(Status::INCORRECT_DATA);
    }
    Ok(command.data.split_at(SIZE))
}
