//! Command APDUs, short and extended (ISO 7816-4 5.1).

use crate::status::Status;

/// Written over secrets in the log.
const BLANK: u8 = b'*';

/// A command as sent, before chaining.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) class: u8,
    pub(crate) instruction: u8,
    pub(crate) p1: u8,
    pub(crate) p2: u8,
    pub(crate) data: Vec<u8>,
    pub(crate) extended: bool,
}

impl Command {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Status> {
        let &[class, instruction, p1, p2, ref body @ ..] = bytes else { return Err(Status::WRONG_LENGTH) };
        let (data, extended) = match body {
            [] | [_] => (&[][..], false),
            [0, _, _] => (&[][..], true),
            [0, high, low, rest @ ..] => {
                let size = usize::from(*high) << 8 | usize::from(*low);
                // Le, if it is there, has two bytes.
                if size == 0 || (rest.len() != size && rest.len() != size + 2) {
                    return Err(Status::WRONG_LENGTH);
                }
                (&rest[..size], true)
            }
            [size, rest @ ..] => {
                let size = usize::from(*size);
                if rest.len() != size && rest.len() != size + 1 {
                    return Err(Status::WRONG_LENGTH);
                }
                (&rest[..size], false)
            }
        };
        Ok(Self { class, instruction, p1, p2, data: data.to_vec(), extended })
    }
}

/// The APDU as the log shows it: PIN, PUK, a new management key and an imported key are blanked, byte for byte.
pub(crate) fn blanked(bytes: &[u8]) -> Vec<u8> {
    let mut shown = bytes.to_vec();
    let secret = matches!(bytes.get(1), Some(0x20 | 0x24 | 0x2c | 0xfe | 0xff));
    if secret {
        let data = match Command::parse(bytes) {
            Ok(command) if command.extended => 7..7 + command.data.len(),
            Ok(command) => 5..5 + command.data.len(),
            Err(_) => 4..bytes.len(),
        };
        if let Some(data) = shown.get_mut(data) {
            data.fill(BLANK);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_four_cases_short_and_extended() {
        for (bytes, data, extended) in [
            (&[0, 0xfd, 0, 0][..], &[][..], false),
            (&[0, 0xfd, 0, 0, 0], &[], false),
            (&[0, 0xfd, 0, 0, 2, 8, 9], &[8, 9], false),
            (&[0, 0xfd, 0, 0, 2, 8, 9, 0], &[8, 9], false),
            (&[0, 0xfd, 0, 0, 0, 1, 0], &[], true),
            (&[0, 0xfd, 0, 0, 0, 0, 2, 8, 9], &[8, 9], true),
            (&[0, 0xfd, 0, 0, 0, 0, 2, 8, 9, 0, 0], &[8, 9], true),
        ] {
            let command = Command::parse(bytes).unwrap();
            assert_eq!((command.data.as_slice(), command.extended), (data, extended), "{bytes:02x?}");
        }
    }

    #[test]
    fn refuses_lengths_that_do_not_fit() {
        for bytes in [
            &[0, 0xfd, 0][..],
            &[0, 0xfd, 0, 0, 3, 8],
            &[0, 0xfd, 0, 0, 1, 8, 9, 9],
            &[0, 0xfd, 0, 0, 0, 0, 2, 8],
        ] {
            assert_eq!(Command::parse(bytes).err(), Some(Status::WRONG_LENGTH), "{bytes:02x?}");
        }
    }

    #[test]
    fn blanks_the_pin_and_keeps_lengths() {
        assert_eq!(blanked(b"\x00\x20\x00\x80\x02\x31\x32\x00"), b"\x00\x20\x00\x80\x02**\x00");
        assert_eq!(blanked(b"\x00\x20\x00\x80\x09\x31\x32"), b"\x00\x20\x00\x80***");
        assert_eq!(blanked(b"\x00\x20\x00\x80"), b"\x00\x20\x00\x80");
        assert_eq!(blanked(b"\x00\xcb\x3f\xff\x01\x31"), b"\x00\xcb\x3f\xff\x01\x31");
    }
}
