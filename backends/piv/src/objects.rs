//! Data objects of a card: GET DATA and PUT DATA (SP 800-73-4 Part 2 3.1.2 and 3.3.1), and certificates in them.

use countersign_core::PublicKey;
use countersign_core::error::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use crate::apdu::{Command, Status};
use crate::card::Card;
use crate::slot::Slot;
use crate::tlv;

const GET_DATA: u8 = 0xcb;
const PUT_DATA: u8 = 0xdb;
/// The tag list of GET DATA and PUT DATA; P1 and P2 are those of the card's current folder.
const TAG_LIST: u32 = 0x5c;
const FOLDER: (u8, u8) = (0x3f, 0xff);
const DATA: u32 = 0x53;

/// SP 800-73-4 Part 1 appendix A, table 10.
const CERTIFICATE: u32 = 0x70;
const CERTIFICATE_FORM: u32 = 0x71;
const CHECK: u32 = 0xfe;

/// What is in an object; `None` where it is not there or empty.
pub(crate) fn read(card: &mut Card<'_>, object: u32, act: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let tag = object.to_be_bytes();
    let command = Command::new(GET_DATA, FOLDER.0, FOLDER.1, tlv::element(TAG_LIST, &tag[1..]));
    let reply = card.send(act, command)?;
    match reply.status {
        Status::OK => {}
        Status::NOT_FOUND | Status::WRONG_DATA | Status::NO_REFERENCE => return Ok(None),
        status => return Err(card.refused(act, status)),
    }
    let content = tlv::only(DATA, &reply.data).ok_or_else(|| card.garbled(act, "it is no data object"))?;
    Ok((!content.is_empty()).then(|| Zeroizing::new(content.to_vec())))
}

/// Writes an object; no content deletes it. The management key must have been proven.
pub(crate) fn write(card: &mut Card<'_>, object: u32, content: &[u8], act: &str) -> Result<()> {
    let tag = object.to_be_bytes();
    let data = tlv::secret_elements(&[(TAG_LIST, &tag[1..]), (DATA, content)]);
    card.change(act, Command::secret(PUT_DATA, FOLDER.0, FOLDER.1, data), "it may be written").map(drop)
}

/// The certificate beside a key: DER.
pub(crate) fn certificate(card: &mut Card<'_>, slot: Slot) -> Result<Option<Vec<u8>>> {
    certificate_in(card, slot.certificate_object(), &format!("read the certificate in slot {slot} of"))
}

/// The certificate in a data object: DER.
pub(crate) fn certificate_in(card: &mut Card<'_>, object: u32, act: &str) -> Result<Option<Vec<u8>>> {
    let Some(content) = read(card, object, act)? else { return Ok(None) };
    let elements = tlv::read(&content).ok_or_else(|| card.garbled(act, "it is no row of TLV elements"))?;
    let der = match tlv::find(&elements, CERTIFICATE) {
        Some(der) => der,
        None => return Err(card.garbled(act, "it has no certificate")),
    };
    match tlv::find(&elements, CERTIFICATE_FORM) {
        None | Some([0]) => Ok((!der.is_empty()).then(|| der.to_vec())),
        Some(_) => Err(Error::new(ErrorKind::Unsupported, card.cannot(act))
            .why("it is compressed")
            .hint("import it again without compression, or name the public half with public-key=FILE")),
    }
}

/// Puts a certificate (DER) beside a key; `None` removes the one that is there.
pub(crate) fn put_certificate(card: &mut Card<'_>, slot: Slot, der: Option<&[u8]>) -> Result<()> {
    let mut content = Vec::new();
    if let Some(der) = der {
        tlv::push(&mut content, CERTIFICATE, der);
        tlv::push(&mut content, CERTIFICATE_FORM, &[0]);
        // The check is no longer used, but its element belongs there.
        tlv::push(&mut content, CHECK, &[]);
    }
    let verb = if der.is_some() { "write" } else { "remove" };
    write(card, slot.certificate_object(), &content, &format!("{verb} the certificate in slot {slot} of"))
}

/// The public half that the certificate beside a key tells.
pub(crate) fn certified_key(card: &mut Card<'_>, slot: Slot) -> Result<Option<PublicKey>> {
    match certificate(card, slot)? {
        Some(der) => PublicKey::from_certificate_der(&der)
            .map(Some)
            .map_err(|error| error.within(card.cannot(&format!("use the certificate in slot {slot} of")))),
        None => Ok(None),
    }
}
