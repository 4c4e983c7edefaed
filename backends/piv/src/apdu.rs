//! Command APDUs in the short form with chaining, and whole answers (ISO/IEC 7816-4 5.1, 5.1.1.1, 5.3.4).
//!
//! Every PIV card takes chained short commands and hands long answers out in parts (SP 800-73-4 Part 2 4.1), over every
//! reader; the extended form is left aside, since some readers lack it.

use zeroize::Zeroizing;

/// More follows (ISO/IEC 7816-4 5.4.1).
const CHAINED: u8 = 0x10;
/// The data of one short command.
const SHORT: usize = 255;

/// A command: instruction, parameters, data.
pub(crate) struct Command {
    pub(crate) instruction: u8,
    pub(crate) p1: u8,
    pub(crate) p2: u8,
    pub(crate) data: Zeroizing<Vec<u8>>,
}

impl Command {
    pub(crate) fn new(instruction: u8, p1: u8, p2: u8, data: impl Into<Vec<u8>>) -> Self {
        Self { instruction, p1, p2, data: Zeroizing::new(data.into()) }
    }

    /// A command whose data is a secret, in a buffer that is wiped already.
    pub(crate) fn secret(instruction: u8, p1: u8, p2: u8, data: Zeroizing<Vec<u8>>) -> Self {
        Self { instruction, p1, p2, data }
    }

    /// The APDUs to send one after the other. All but the last are answered with 9000 and nothing else.
    pub(crate) fn links(&self) -> Vec<Zeroizing<Vec<u8>>> {
        let mut parts: Vec<&[u8]> = self.data.chunks(SHORT).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let last = parts.len() - 1;
        parts
            .iter()
            .enumerate()
            .map(|(at, part)| {
                let mut apdu = Zeroizing::new(Vec::with_capacity(part.len() + 6));
                apdu.extend([if at < last { CHAINED } else { 0 }, self.instruction, self.p1, self.p2]);
                // Without data there is no Lc, and Le asks for whatever there is. VERIFY without data is the question for
                // its tries (SP 800-73-4 Part 2 3.2.1): T=0 and T=1 alike take the one zero.
                if !part.is_empty() {
                    apdu.push(part.len() as u8);
                    apdu.extend(part.iter());
                }
                if at == last && (part.is_empty() || !is_silent(self.instruction)) {
                    apdu.push(0);
                }
                apdu
            })
            .collect()
    }
}

/// Whether the command's answer is a status alone, so that no length is asked for: VERIFY, CHANGE REFERENCE DATA, RESET
/// RETRY COUNTER, PUT DATA, and Yubico's IMPORT and SET MANAGEMENT KEY.
fn is_silent(instruction: u8) -> bool {
    matches!(instruction, 0x20 | 0x24 | 0x2c | 0xdb | 0xfe | 0xff)
}

/// SW1 SW2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u16);

impl Status {
    pub(crate) const OK: Self = Self(0x9000);
    pub(crate) const SECURITY: Self = Self(0x6982);
    pub(crate) const BLOCKED: Self = Self(0x6983);
    pub(crate) const CONDITIONS: Self = Self(0x6985);
    pub(crate) const WRONG_DATA: Self = Self(0x6a80);
    pub(crate) const NOT_FOUND: Self = Self(0x6a82);
    pub(crate) const NO_ROOM: Self = Self(0x6a84);
    pub(crate) const WRONG_P1_P2: Self = Self(0x6a86);
    pub(crate) const NO_REFERENCE: Self = Self(0x6a88);
    pub(crate) const NO_INSTRUCTION: Self = Self(0x6d00);
    pub(crate) const NO_CLASS: Self = Self(0x6e00);

    /// 63Cx: how many tries are left (SP 800-73-4 Part 2 3.2.1).
    pub(crate) fn tries(self) -> Option<u8> {
        (self.0 & 0xfff0 == 0x63c0).then_some((self.0 & 0x0f) as u8)
    }

    /// 61xx: how much of the answer waits, 0 for 256 bytes or more.
    pub(crate) fn more(self) -> Option<u8> {
        (self.0 & 0xff00 == 0x6100).then_some(self.0 as u8)
    }

    /// Whether the card changed nothing (ISO/IEC 7816-4 table 5: 64xx and 67xx to 6Exx). Other words may come after the change.
    pub(crate) fn changed_nothing(self) -> bool {
        matches!(self.0 >> 8, 0x64 | 0x67..=0x6e)
    }

    /// Whether another application answers, or none.
    pub(crate) fn not_ours(self) -> bool {
        self == Self::NO_INSTRUCTION || self == Self::NO_CLASS
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

/// Splits an answer. `None` when it has no status.
pub(crate) fn split(answer: &[u8]) -> Option<(&[u8], Status)> {
    let (data, status) = answer.split_last_chunk::<2>()?;
    // ISO/IEC 7816-3 10.3.3: SW1 is 6x or 9x, 60 never.
    let known = matches!(status[0], 0x61..=0x6f | 0x90..=0x9f);
    known.then_some((data, Status(u16::from_be_bytes(*status))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_data_is_chained_and_short_data_is_not() {
        let links = Command::new(0x87, 0x11, 0x9c, vec![1; 600]).links();
        let heads: Vec<_> = links.iter().map(|link| (link[0], link[4], link.len())).collect();
        assert_eq!(heads, [(0x10, 255, 260), (0x10, 255, 260), (0, 90, 96)]);
        assert_eq!(Command::new(0x20, 0, 0x80, []).links()[0].as_slice(), [0, 0x20, 0, 0x80, 0]);
        assert_eq!(Command::new(0x20, 0, 0x80, vec![1; 255]).links().len(), 1);
    }

    #[test]
    fn an_answer_without_a_status_is_none() {
        assert!(split(&[]).is_none() && split(&[0x90]).is_none() && split(&[1, 2, 3]).is_none());
        assert_eq!(split(&[1, 0x90, 0]).unwrap(), (&[1][..], Status::OK));
        assert_eq!(Status(0x63c2).tries(), Some(2));
        assert!(Status::SECURITY.changed_nothing() && Status(0x6400).changed_nothing());
        assert!([0x6f00, 0x6581, 0x6282, 0x908f, 0x9000].iter().all(|word| !Status(*word).changed_nothing()));
        assert_eq!((Status(0x6300).tries(), Status(0x6110).more()), (None, Some(0x10)));
    }
}
