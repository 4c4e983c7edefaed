//! Yubico's attestation of a key: asking the card for one, and reading what a certificate says.

use countersign_core::PublicKey;
use countersign_core::error::{Error, ErrorKind, Result};
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::Certificate;

use crate::apdu::{Command, Status};
use crate::card::{Card, Firmware};
use crate::metadata::Policies;
use crate::slot::Slot;

const ATTEST: u8 = 0xf9;

/// Yubico's arc for PIV attestations: <https://developers.yubico.com/PIV/Introduction/PIV_attestation.html>.
const FIRMWARE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3.3");
const SERIAL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3.7");
const POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3.8");
const FORM_FACTOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3.9");

/// What an attestation certificate says. Nothing here is proven before the chain is verified.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// `None` for key types outside our table.
    pub(crate) public_key: Option<PublicKey>,
    pub(crate) firmware: Option<Firmware>,
    pub(crate) serial: Option<u32>,
    pub(crate) policies: Policies,
    pub(crate) form_factor: Option<u8>,
    pub(crate) slot: Option<Slot>,
}

/// The attestation of a slot's key; `None` where the card cannot give one: another maker's, too old, an imported key, or none.
pub(crate) fn of_slot(card: &mut Card<'_>, slot: Slot) -> Result<Option<Statement>> {
    let Some(der) = certificate(card, slot)? else { return Ok(None) };
    read(&der)
        .map(Some)
        .map_err(|error| error.within(card.cannot(&format!("use the attestation of slot {slot} of"))))
}

/// The attestation certificate of a slot's key, DER.
pub(crate) fn certificate(card: &mut Card<'_>, slot: Slot) -> Result<Option<Vec<u8>>> {
    if !card.identity().since(4, 3, 0) {
        return Ok(None);
    }
    let act = format!("attest the key in slot {slot} of");
    let reply = card.send(&act, Command::new(ATTEST, slot.number(), 0, []))?;
    match reply.status {
        Status::OK => Ok(Some(reply.data.to_vec())),
        Status::NO_REFERENCE
        | Status::NOT_FOUND
        | Status::WRONG_DATA
        | Status::CONDITIONS
        | Status::WRONG_P1_P2
        | Status::NO_INSTRUCTION => Ok(None),
        status => Err(card.refused(&act, status)),
    }
}

/// Whether a certificate makes statements of this kind: one that does may never act as an authority.
pub(crate) fn is_statement(certificate: &Certificate) -> bool {
    [FIRMWARE, SERIAL, POLICY]
        .iter()
        .any(|oid| extension(certificate, *oid).is_ok_and(|value| value.is_some()))
}

/// Reads an attestation certificate, DER.
pub(crate) fn read(der: &[u8]) -> Result<Statement> {
    let certificate =
        Certificate::from_der(der).map_err(|cause| odd(&format!("it is no certificate ({cause})")))?;
    statement(&certificate)
}

/// What a parsed attestation certificate says.
pub(crate) fn statement(certificate: &Certificate) -> Result<Statement> {
    let spki = certificate
        .tbs_certificate
        .subject_public_key_info
        .to_der()
        .map_err(|cause| odd(&format!("its public key ({cause})")))?;
    let public_key = match PublicKey::from_spki_der(&spki) {
        Ok(key) => Some(key),
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        Err(error) => return Err(odd(&error.to_string())),
    };
    let firmware = match extension(certificate, FIRMWARE)? {
        Some(&[major, minor, patch]) => Some(Firmware(major, minor, patch)),
        Some(_) => return Err(odd("its firmware is not three bytes")),
        None => None,
    };
    let serial = extension(certificate, SERIAL)?
        .map(|value| u32::from_der(value).map_err(|_| odd("its serial number is no small integer")))
        .transpose()?;
    let policies = match extension(certificate, POLICY)? {
        Some(&[pin, touch]) => {
            Policies::from_bytes([pin, touch]).ok_or_else(|| odd("it has an unknown policy"))?
        }
        Some(_) => return Err(odd("its policies are not two bytes")),
        None => Policies::default(),
    };
    let form_factor = match extension(certificate, FORM_FACTOR)? {
        Some(&[form]) => Some(form),
        Some(_) => return Err(odd("its form factor is not one byte")),
        None => None,
    };
    Ok(Statement { public_key, firmware, serial, policies, form_factor, slot: slot(certificate) })
}

/// The slot that the subject's common name ends in: `CN=YubiKey PIV Attestation 9c`.
fn slot(certificate: &Certificate) -> Option<Slot> {
    let subject = certificate.tbs_certificate.subject.to_string();
    let (_, digits) = subject.strip_prefix("CN=YubiKey PIV Attestation")?.split_once(' ')?;
    Slot::parse(digits)
}

/// The value of an extension that may stand once.
fn extension(certificate: &Certificate, oid: ObjectIdentifier) -> Result<Option<&[u8]>> {
    let extensions = certificate.tbs_certificate.extensions.as_deref().unwrap_or_default();
    let mut found = extensions.iter().filter(|extension| extension.extn_id == oid);
    match (found.next(), found.next()) {
        (Some(extension), None) => Ok(Some(extension.extn_value.as_bytes())),
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(odd(&format!("the extension {oid} stands twice"))),
    }
}

fn odd(why: &str) -> Error {
    Error::new(ErrorKind::Integrity, "cannot read the attestation").why(why)
}
