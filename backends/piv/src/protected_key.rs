//! A management key that the card keeps behind its PIN, in the objects where ykman and Yubico's other tools look for it: the
//! administration data tell that it is there, the printed information (readable with the PIN only) holds it.

use countersign_core::Secret;
use countersign_core::error::{Error, ErrorKind, Result};

use crate::card::Card;
use crate::{objects, tlv};

/// Yubico's administration data: 80 { 81 flags, 82 salt, 83 time of the last PIN change }.
const ADMINISTRATION: u32 = 0x5f_ff00;
const ADMINISTRATION_DATA: u32 = 0x80;
const FLAGS: u32 = 0x81;
const SALT: u32 = 0x82;
/// The management key is in the printed information.
const STORED: u8 = 0x02;

/// SP 800-73-4 Part 1 table 3: printed information, which the card shows after the PIN only.
const PRINTED: u32 = 0x5f_c109;
/// Yubico's wrapping within: 88 { 89 key }.
const PROTECTED: u32 = 0x88;
const KEY: u32 = 0x89;

/// Whether the card says that it keeps its management key behind the PIN.
pub(crate) fn is_protected(card: &mut Card<'_>) -> Result<bool> {
    if card.identity().firmware.is_none() {
        return Ok(false);
    }
    let elements = administration(card)?;
    let flags = elements.iter().find(|(tag, _)| *tag == FLAGS);
    if elements.iter().any(|(tag, salt)| *tag == SALT && !salt.is_empty()) && flags.is_none() {
        return Err(Error::new(ErrorKind::Unsupported, card.cannot("open for changes"))
            .why("its management key is derived from the PIN, an old form that Yubico gave up")
            .hint("give the key with --management-key, or set another with ykman"));
    }
    Ok(matches!(flags.map(|(_, value)| value.as_slice()), Some([flags]) if flags & STORED != 0))
}

/// The key. The PIN must have been proven.
pub(crate) fn read(card: &mut Card<'_>) -> Result<Secret> {
    let act = "read the protected management key of";
    let Some(content) = objects::read(card, PRINTED, act)? else {
        return Err(Error::new(ErrorKind::NotFound, card.cannot(act))
            .why("the card says that it keeps one, but there is none")
            .hint("give the key with --management-key"));
    };
    let key = tlv::read(&content)
        .and_then(|elements| tlv::find(&elements, PROTECTED))
        .and_then(tlv::read)
        .and_then(|elements| tlv::find(&elements, KEY))
        .map(|key| Secret::new(key.to_vec()));
    key.ok_or_else(|| card.garbled(act, "there is no key in it"))
}

/// Keeps the key on the card, or forgets one that was kept. What else is in the administration data stays. The management
/// key, and for keeping the PIN, must have been proven.
pub(crate) fn write(card: &mut Card<'_>, key: Option<&Secret>) -> Result<()> {
    let elements = administration(card)?;
    let mut flags = match elements.iter().find(|(tag, _)| *tag == FLAGS).map(|(_, value)| value.as_slice()) {
        Some([flags]) => *flags,
        _ => 0,
    };
    flags = if key.is_some() { flags | STORED } else { flags & !STORED };
    let mut data = tlv::element(FLAGS, &[flags]);
    for (tag, value) in elements.iter().filter(|(tag, _)| *tag != FLAGS) {
        tlv::push(&mut data, *tag, value);
    }
    let act = "write the protected management key of";
    match key {
        Some(key) => {
            let inner = tlv::secret_elements(&[(KEY, key.expose())]);
            let content = tlv::secret_elements(&[(PROTECTED, &inner)]);
            objects::write(card, PRINTED, &content, act)?;
            objects::write(card, ADMINISTRATION, &tlv::element(ADMINISTRATION_DATA, &data), act)
        }
        None => {
            // First the mark, so that nobody looks for a key that is gone.
            objects::write(card, ADMINISTRATION, &tlv::element(ADMINISTRATION_DATA, &data), act)?;
            objects::write(card, PRINTED, &[], act)
        }
    }
}

/// The elements of the administration data; none where there are no such data.
fn administration(card: &mut Card<'_>) -> Result<Vec<(u32, Vec<u8>)>> {
    let act = "read the administration data of";
    let Some(content) = objects::read(card, ADMINISTRATION, act)? else { return Ok(Vec::new()) };
    let elements = tlv::read(&content)
        .and_then(|outer| tlv::find(&outer, ADMINISTRATION_DATA))
        .and_then(tlv::read)
        .ok_or_else(|| card.garbled(act, "they have another form"))?;
    Ok(elements.into_iter().map(|(tag, value)| (tag, value.to_vec())).collect())
}
