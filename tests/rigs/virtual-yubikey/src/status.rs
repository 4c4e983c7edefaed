//! Status words (ISO 7816-4 5.1.3), by the names that SP 800-73-4 and Yubico's manuals use.

/// The last two bytes of an answer that is no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u16);

pub(crate) const OK: u16 = 0x9000;
/// More bytes wait; the low byte tells how many, 0 for 256 and more.
pub(crate) const MORE_DATA: u16 = 0x6100;

impl Status {
    pub(crate) const WRONG_LENGTH: Self = Self(0x6700);
    pub(crate) const LAST_OF_CHAIN_EXPECTED: Self = Self(0x6883);
    /// No PIN, no management key, or no touch in time: the card does not tell which.
    pub(crate) const SECURITY_STATUS_NOT_SATISFIED: Self = Self(0x6982);
    pub(crate) const BLOCKED: Self = Self(0x6983);
    pub(crate) const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    pub(crate) const INCORRECT_DATA: Self = Self(0x6a80);
    pub(crate) const NOT_FOUND: Self = Self(0x6a82);
    pub(crate) const NO_SPACE: Self = Self(0x6a84);
    pub(crate) const INCORRECT_P1_P2: Self = Self(0x6a86);
    /// What P2 names is not there: a reference, or the key of a slot.
    pub(crate) const REFERENCE_NOT_FOUND: Self = Self(0x6a88);
    pub(crate) const UNKNOWN_INSTRUCTION: Self = Self(0x6d00);
    pub(crate) const UNKNOWN_CLASS: Self = Self(0x6e00);
    pub(crate) const INTERNAL: Self = Self(0x6f00);

    /// A wrong PIN, PUK or nothing to compare, with the tries left.
    pub(crate) fn tries(left: u8) -> Self {
        Self(0x63c0 | u16::from(left.min(15)))
    }
}
