//! PIN and touch policies, with the bytes that GENERATE (tags AA and AB), metadata and attestation have for them.

use crate::status::Status;

/// When a key needs the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinPolicy {
    /// Not at all.
    Never = 1,
    /// Once after the application was selected.
    Once = 2,
    /// Before each use of the key.
    Always = 3,
}

/// When a key needs a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchPolicy {
    /// Not at all.
    Never = 1,
    /// For each use.
    Always = 2,
    /// For each use that comes 15 s or more after the last touch.
    Cached = 3,
}

impl PinPolicy {
    /// 0 is the slot's default.
    pub(crate) fn parse(byte: u8, slot: u8) -> Result<Self, Status> {
        match byte {
            0 => Ok(Self::default_of(slot)),
            1 => Ok(Self::Never),
            2 => Ok(Self::Once),
            3 => Ok(Self::Always),
            _ => Err(Status::INCORRECT_DATA),
        }
    }

    /// What a slot has by itself (SP 800-73-4 Part 1 table 5): 9C each time, 9E not at all, others once.
    pub fn default_of(slot: u8) -> Self {
        match slot {
            0x9c => Self::Always,
            0x9e => Self::Never,
            _ => Self::Once,
        }
    }
}

impl TouchPolicy {
    /// 0 is the default: never.
    pub(crate) fn parse(byte: u8) -> Result<Self, Status> {
        match byte {
            0 | 1 => Ok(Self::Never),
            2 => Ok(Self::Always),
            3 => Ok(Self::Cached),
            _ => Err(Status::INCORRECT_DATA),
        }
    }
}
