//! The slots of a PIV card: their numbers, names, certificates and default policies (SP 800-73-4 Part 1 tables 2, 4b and 5).

use std::fmt;

use countersign_core::device::PinPolicy;

/// A slot that holds a key for signing. Always one of the 24 that the standard has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(u8);

const FIRST_RETIRED: u8 = 0x82;
const LAST_RETIRED: u8 = 0x95;

/// Cosign's names: `--slot`.
const NAMES: [(&str, u8); 4] =
    [("authentication", 0x9a), ("signature", 0x9c), ("key-management", 0x9d), ("card-authentication", 0x9e)];

impl Slot {
    /// Digital signature, `9c`: what Cosign takes when nobody chose.
    pub const SIGNATURE: Self = Self(0x9c);

    /// The slot that two hexadecimal digits or Cosign's name stand for.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((_, number)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Some(Self(*number));
        }
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u8::from_str_radix(text, 16).ok().filter(|_| digits)?;
        Self::all().find(|slot| slot.0 == number)
    }

    /// Every slot, the four with names first.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.into_iter().map(|(_, number)| Self(number)).chain((FIRST_RETIRED..=LAST_RETIRED).map(Self))
    }

    /// The key reference.
    pub(crate) fn number(self) -> u8 {
        self.0
    }

    /// The data object of its certificate.
    pub(crate) fn certificate_object(self) -> u32 {
        match self.0 {
            0x9a => 0x5f_c105,
            0x9c => 0x5f_c10a,
            0x9d => 0x5f_c10b,
            0x9e => 0x5f_c101,
            retired => 0x5f_c10d + u32::from(retired - FIRST_RETIRED),
        }
    }

    /// When its key asks for the PIN if nobody said otherwise: 9c each time, 9e never.
    pub(crate) fn default_pin_policy(self) -> PinPolicy {
        match self.0 {
            0x9c => PinPolicy::Always,
            0x9e => PinPolicy::Never,
            _ => PinPolicy::Once,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_twenty_four_by_number_or_name() {
        assert_eq!(Slot::all().count(), 24);
        for slot in Slot::all() {
            assert_eq!(Slot::parse(&slot.to_string()), Some(slot));
        }
        assert_eq!(Slot::parse("signature"), Some(Slot::SIGNATURE));
        assert_eq!(Slot::parse("9C"), Some(Slot::SIGNATURE));
        for wrong in ["", "9", "9b", "f9", "81", "96", "0x9c", "09c", "+9", "Signature"] {
            assert_eq!(Slot::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn certificates_have_the_objects_of_the_standard() {
        let object = |text| Slot::parse(text).unwrap().certificate_object();
        assert_eq!((object("9a"), object("9e")), (0x5f_c105, 0x5f_c101));
        assert_eq!((object("82"), object("95")), (0x5f_c10d, 0x5f_c120));
    }
}
