//! The management key: proving it, changing it, and keeping it on the card behind the PIN as ykman does.

use aes::{Aes128, Aes192, Aes256};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use cipher::generic_array::GenericArray;
use cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use countersign_core::Secret;
use countersign_core::context::Event;
use countersign_core::error::{Error, ErrorKind, Result};
use des::TdesEde3;
use zeroize::Zeroizing;

use crate::apdu::{Command, Status};
use crate::card::{Card, Silence};
use crate::protected_key;
use crate::uri::PivUri;
use crate::{metadata, pin, tlv};

const GENERAL_AUTHENTICATE: u8 = 0x87;
const SET_MANAGEMENT_KEY: u8 = 0xff;
/// SP 800-73-4 Part 1 table 4b: card management key.
const REFERENCE: u8 = 0x9b;
/// SP 800-73-4 Part 2 3.2.4.
const TEMPLATE: u32 = 0x7c;
const WITNESS: u32 = 0x80;
const CHALLENGE: u32 = 0x81;
const RESPONSE: u32 = 0x82;

/// What every YubiKey leaves the factory with, as a 3DES or an AES-192 key.
pub(crate) const FACTORY_KEY: [u8; 24] =
    [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// The cipher of a management key, with its number (SP 800-78-4 table 6-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cipher {
    TripleDes = 0x03,
    Aes128 = 0x08,
    Aes192 = 0x0a,
    Aes256 = 0x0c,
}

impl Cipher {
    const ALL: [Self; 4] = [Self::TripleDes, Self::Aes128, Self::Aes192, Self::Aes256];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TripleDes => "3DES",
            Self::Aes128 => "AES-128",
            Self::Aes192 => "AES-192",
            Self::Aes256 => "AES-256",
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| *cipher as u8 == number)
    }

    pub(crate) fn key_bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::TripleDes | Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    fn block_bytes(self) -> usize {
        match self {
            Self::TripleDes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }

    /// One block under a key of the right length.
    fn run(self, key: &[u8], block: &[u8], direction: Direction) -> Result<Zeroizing<Vec<u8>>> {
        fn with<C: KeyInit + BlockEncrypt + BlockDecrypt>(
            key: &[u8],
            block: &[u8],
            direction: Direction,
        ) -> Option<Zeroizing<Vec<u8>>> {
            let cipher = C::new_from_slice(key).ok()?;
            if block.len() != C::block_size() {
                return None;
            }
            let mut bytes = Zeroizing::new(block.to_vec());
            let block = GenericArray::from_mut_slice(&mut bytes);
            match direction {
                Direction::Encrypt => cipher.encrypt_block(block),
                Direction::Decrypt => cipher.decrypt_block(block),
            }
            Some(bytes)
        }
        let done = match self {
            Self::TripleDes => with::<TdesEde3>(key, block, direction),
            Self::Aes128 => with::<Aes128>(key, block, direction),
            Self::Aes192 => with::<Aes192>(key, block, direction),
            Self::Aes256 => with::<Aes256>(key, block, direction),
        };
        done.ok_or_else(|| Error::internal("a management key or block of the wrong size"))
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Encrypt,
    Decrypt,
}

/// The cipher of the card's management key: as the card tells, else what its kind has from the factory.
pub(crate) fn cipher(card: &mut Card<'_>) -> Result<Cipher> {
    match metadata::management_key(card)?.algorithm {
        Some(number) => Cipher::from_number(number).ok_or_else(|| {
            card.garbled("ask about the management key of", "its cipher is none that a PIV card has")
        }),
        None => Ok(Cipher::TripleDes),
    }
}

/// A management key from hexadecimal text; blanks and colons may part it.
pub(crate) fn parse(text: &Secret, what: &str) -> Result<Secret> {
    let wrong = |why: String| {
        Error::new(ErrorKind::BadUri, what)
            .why(why)
            .hint("a management key has 32, 48 or 64 hexadecimal digits")
    };
    // Room for all of it at once, so that no piece stays behind in a smaller buffer.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.expose().len() / 2 + 1));
    let mut high = None;
    for character in text.expose().iter().filter(|byte| !b" :\n\r".contains(byte)) {
        let Some(digit) = char::from(*character).to_digit(16) else {
            return Err(wrong("the management key is not hexadecimal".to_owned()));
        };
        match high.take() {
            None => high = Some(digit as u8),
            Some(high) => bytes.push(high << 4 | digit as u8),
        }
    }
    if high.is_some() {
        return Err(wrong("the management key has an odd number of digits".to_owned()));
    }
    if Cipher::ALL.iter().all(|cipher| cipher.key_bytes() != bytes.len()) {
        return Err(wrong(format!("the management key has {} bytes", bytes.len())));
    }
    Ok(Secret::new(bytes.to_vec()))
}

/// What opens a card for changes.
pub(crate) enum Opening {
    Key(Secret),
    /// The key that the card keeps behind its PIN.
    Protected(pin::Asked),
}

/// Gathers what opens the card: the key given, else the one that the card keeps behind its PIN, else the factory's. Asks for
/// the PIN if need be; sends nothing secret.
pub(crate) fn gather(card: &mut Card<'_>, uri: &PivUri, given: Option<&Secret>) -> Result<Opening> {
    if let Some(text) = given {
        return parse(text, &card.cannot("open for changes")).map(Opening::Key);
    }
    let protected = card.exclusive_selected(|card| {
        if protected_key::is_protected(card)? { pin::state(card).map(Some) } else { Ok(None) }
    })?;
    if let Some(state) = protected {
        return pin::ask(card, uri, state).map(Opening::Protected);
    }
    card.context().events.event(Event::Warning(format!(
        "{} is opened with the factory's management key: change it with countersign piv-tool set-management-key",
        card.identity()
    )));
    Ok(Opening::Key(Secret::new(FACTORY_KEY.to_vec())))
}

/// Opens the card for changes. Returns the key that was right.
pub(crate) fn open(card: &mut Card<'_>, opening: Opening) -> Result<Secret> {
    let key = match opening {
        Opening::Key(key) => key,
        Opening::Protected(asked) => {
            pin::prove(card, asked)?;
            protected_key::read(card)?
        }
    };
    prove(card, &key, &card.cannot("open for changes"))?;
    Ok(key)
}

/// SP 800-73-4 Part 1 appendix B, mutual authentication: each side shows that it has the key.
pub(crate) fn prove(card: &mut Card<'_>, key: &Secret, what: &str) -> Result<()> {
    let cipher = cipher(card)?;
    let key = key.expose();
    if key.len() != cipher.key_bytes() {
        return Err(Error::new(ErrorKind::Unauthenticated, what)
            .why(format!(
                "its management key is a {} key of {} bytes, and the one given has {}",
                cipher.name(),
                cipher.key_bytes(),
                key.len()
            ))
            .hint("give the card's own management key with --management-key"));
    }
    let act = "open for changes";
    let send = |card: &mut Card<'_>, inner: &[u8]| {
        let command =
            Command::new(GENERAL_AUTHENTICATE, cipher as u8, REFERENCE, tlv::element(TEMPLATE, inner));
        // A management key may ask for a touch, too; then the card is silent until it comes.
        card.send_and_watch(act, command, Silence::Touch)
    };
    let first = send(card, &tlv::element(WITNESS, &[]))?;
    if first.status != Status::OK {
        return Err(card.refused(act, first.status));
    }
    let witness = tlv::only(TEMPLATE, &first.data)
        .and_then(|inner| tlv::only(WITNESS, inner))
        .filter(|witness| witness.len() == cipher.block_bytes())
        .ok_or_else(|| card.garbled(act, "it has no witness of one block"))?;
    let witness = cipher.run(key, witness, Direction::Decrypt)?;
    let challenge = random(cipher.block_bytes())?;
    let mut inner = tlv::element(WITNESS, &witness);
    tlv::push(&mut inner, CHALLENGE, &challenge);
    let second = send(card, &inner)?;
    if second.status == Status::SECURITY
        || second.status == Status::WRONG_DATA
        || second.status.tries().is_some()
    {
        return Err(Error::new(ErrorKind::Unauthenticated, what)
            .why(format!(
                "the management key is wrong, or the touch that it may ask for did not come (status {})",
                second.status
            ))
            .hint("give the card's own management key with --management-key; wrong ones are not counted"));
    }
    if second.status != Status::OK {
        return Err(card.refused(act, second.status));
    }
    let proof = tlv::only(TEMPLATE, &second.data)
        .and_then(|inner| tlv::only(RESPONSE, inner))
        .ok_or_else(|| card.garbled(act, "it has no response"))?;
    let expected = cipher.run(key, &challenge, Direction::Encrypt)?;
    verify_slices_are_equal(proof, &expected)
        .map_err(|_| card.garbled(act, "it does not show that the card has the management key"))
}

/// Sets another management key on a card that is open for changes.
pub(crate) fn set(card: &mut Card<'_>, cipher: Cipher, key: &Secret) -> Result<()> {
    let act = "set the management key of";
    let mut data = Zeroizing::new(Vec::with_capacity(3 + key.expose().len()));
    data.extend([cipher as u8, REFERENCE, key.expose().len() as u8]);
    data.extend(key.expose());
    card.change(act, Command::secret(SET_MANAGEMENT_KEY, 0xff, 0xff, data), "the new key may be set")
        .map(drop)
}

/// Bytes from the system's generator.
pub(crate) fn random(count: usize) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; count]);
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system gives no randomness"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use countersign_core::hexadecimal;

    use super::*;

    #[test]
    fn ciphers_agree_with_the_standards_examples() {
        let run = |cipher: Cipher, key: &str, block: &str, expected: &str| {
            let bytes = |text| hexadecimal::from_hex(text).unwrap();
            let sealed = cipher.run(&bytes(key), &bytes(block), Direction::Encrypt).unwrap();
            assert_eq!(hexadecimal::hex(&sealed), expected);
            let opened = cipher.run(&bytes(key), &sealed, Direction::Decrypt).unwrap();
            assert_eq!(opened.as_slice(), bytes(block));
        };
        // FIPS 197 appendix C.
        let block = "00112233445566778899aabbccddeeff";
        let key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        run(Cipher::Aes128, &key[..32], block, "69c4e0d86a7b0430d8cdb78070b4c55a");
        run(Cipher::Aes192, &key[..48], block, "dda97ca4864cdfe06eaf70a0ec0d7191");
        run(Cipher::Aes256, key, block, "8ea2b7ca516745bfeafc49904b496089");
        // SP 800-67 appendix B.1, first block.
        let key = "0123456789abcdef23456789abcdef01456789abcdef0123";
        run(Cipher::TripleDes, key, "5468652071756663", "a826fd8ce53b855f");
    }

    #[test]
    fn a_management_key_is_read_strictly_and_never_shown() {
        let parse = |text: &str| super::parse(&Secret::new(text.into()), "cannot");
        assert_eq!(
            parse("01:02 030405060708 0102030405060708 0102030405060708\n").unwrap().expose(),
            FACTORY_KEY
        );
        for wrong in ["", "0102", "xx02030405060708010203040506070801020304050607 8", &"ab".repeat(25)] {
            let error = parse(wrong).unwrap_err();
            assert!(wrong.is_empty() || !format!("{error:?}").contains(wrong), "{error:?}");
        }
    }
}
