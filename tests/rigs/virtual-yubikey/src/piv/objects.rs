//! Data objects: GET DATA and PUT DATA (SP 800-73-4 Part 2 3.1.2 and 3.3.2, identifiers in Part 1 table 3).

use crate::apdu::Command;
use crate::piv::Piv;
use crate::status::Status;
use crate::tlv;

pub(super) const CHUID: u32 = 0x5f_c102;
/// Yubico: the certificate of F9.
pub(super) const ATTESTATION_CERTIFICATE: u32 = 0x5f_ff01;
const DISCOVERY: u32 = 0x7e;
/// Fingerprints, facial image, printed information, iris images: only with the PIN.
const WITH_PIN: [u32; 4] = [0x5f_c103, 0x5f_c108, 0x5f_c109, 0x5f_c121];
/// Largest object of a YubiKey.
const MAX_OBJECT_BYTES: usize = 3063;
/// All objects of a YubiKey together.
const MAX_MEMORY_BYTES: usize = 51_200;

/// Where the certificate of a slot lies; nothing if that is no slot for keys.
pub(super) fn certificate_of_slot(slot: u8) -> Option<u32> {
    match slot {
        0x9a => Some(0x5f_c105),
        0x9c => Some(0x5f_c10a),
        0x9d => Some(0x5f_c10b),
        0x9e => Some(0x5f_c101),
        // Retired key management 1 to 20.
        0x82..=0x95 => Some(0x5f_c10d + u32::from(slot - 0x82)),
        super::F9 => Some(ATTESTATION_CERTIFICATE),
        _ => None,
    }
}

/// SP 800-73-4 Part 1 table 10: certificate, not compressed, error detection code.
pub(super) fn certificate_object(der: &[u8]) -> Vec<u8> {
    let mut object = tlv::element(0x70, der);
    tlv::push(&mut object, 0x71, &[0]);
    tlv::push(&mut object, 0xfe, &[]);
    object
}

/// A CHUID that names no agency, with a GUID that ends in the number (SP 800-73-4 Part 1 table 9).
pub(super) fn chuid(number: u32) -> Vec<u8> {
    let mut guid = [0x5a; 16];
    guid[12..].copy_from_slice(&number.to_be_bytes());
    let mut object = tlv::element(0x30, &[0; 25]);
    tlv::push(&mut object, 0x34, &guid);
    tlv::push(&mut object, 0x35, b"20520417");
    tlv::push(&mut object, 0x3e, &[]);
    tlv::push(&mut object, 0xfe, &[]);
    object
}

impl Piv {
    pub(super) fn read_object(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        let elements = request(command)?;
        let id = identifier(&elements)?;
        if id == DISCOVERY {
            // PIN policy: the application's PIN and no other.
            let mut discovery = tlv::element(0x4f, &[0xa0, 0, 0, 3, 8, 0, 0, 0x10, 0, 1, 0]);
            tlv::push(&mut discovery, 0x5f2f, &[0x40, 0x00]);
            return Ok(tlv::element(0x7e, &discovery));
        }
        if WITH_PIN.contains(&id) && !self.session.pin_verified {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let object = self.objects.get(&id).ok_or(Status::NOT_FOUND)?;
        Ok(tlv::element(0x53, object))
    }

    /// An empty object is no object.
    pub(super) fn write_object(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        self.require_management()?;
        let elements = request(command)?;
        let id = identifier(&elements)?;
        let value = tlv::find(&elements, 0x53).ok_or(Status::INCORRECT_DATA)?;
        if !matches!(id, 0x5f_c101..=0x5f_c123 | 0x5f_ff00..=0x5f_ff15) {
            return Err(Status::NOT_FOUND);
        }
        if value.is_empty() {
            self.objects.remove(&id);
            return Ok(Vec::new());
        }
        let others: usize =
            self.objects.iter().filter(|(other, _)| **other != id).map(|(_, object)| object.len()).sum();
        if value.len() > MAX_OBJECT_BYTES || others + value.len() > MAX_MEMORY_BYTES {
            return Err(Status::NO_SPACE);
        }
        self.objects.insert(id, value.to_vec());
        Ok(Vec::new())
    }
}

fn request(command: &Command) -> Result<Vec<tlv::Element<'_>>, Status> {
    if (command.p1, command.p2) != (0x3f, 0xff) {
        return Err(Status::INCORRECT_P1_P2);
    }
    tlv::parse_all(&command.data)
}

fn identifier(elements: &[tlv::Element<'_>]) -> Result<u32, Status> {
    let bytes = tlv::find(elements, 0x5c).filter(|bytes| (1..=3).contains(&bytes.len()));
    Ok(bytes.ok_or(Status::INCORRECT_DATA)?.iter().fold(0, |id, byte| id << 8 | u32::from(*byte)))
}
