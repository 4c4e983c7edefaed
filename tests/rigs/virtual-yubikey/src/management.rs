//! Applications by AID, and the two beside PIV: management (device information) and OTP (serial number). Neither can
//! change anything here.

use crate::Config;
use crate::apdu::Command;
use crate::status::Status;
use crate::tlv;

const PIV_AID: &[u8] = &[0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
const MANAGEMENT_AID: &[u8] = &[0xa0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];
const OTP_AID: &[u8] = &[0xa0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01, 0x01];
/// The registered provider, without which an AID names nothing.
const SHORTEST_AID: usize = 5;

/// Capability bits of the management application: OTP, PIV.
const CAPABILITIES: u16 = 0x0001 | 0x0010;
/// USB-A, keychain.
pub(crate) const FORM_FACTOR: u8 = 0x01;

/// What can be selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Application {
    Piv,
    Management,
    Otp,
}

impl Application {
    /// By its full AID or the beginning of it.
    pub(crate) fn by_aid(aid: &[u8], yubico: bool) -> Option<Self> {
        let names = |full: &[u8]| aid.len() >= SHORTEST_AID && full.starts_with(aid);
        if names(PIV_AID) {
            Some(Self::Piv)
        } else if yubico && aid.len() > SHORTEST_AID && names(MANAGEMENT_AID) {
            Some(Self::Management)
        } else if yubico && aid.len() > SHORTEST_AID && names(OTP_AID) {
            Some(Self::Otp)
        } else {
            None
        }
    }
}

pub(crate) fn select_answer(application: Application, config: &Config) -> Vec<u8> {
    let (major, minor, patch) = config.firmware;
    match application {
        // SP 800-73-4 Part 2 table 3: the application's own identifier, and the authority that gave it.
        Application::Piv => {
            let mut template = tlv::element(0x4f, &PIV_AID[5..]);
            tlv::push(&mut template, 0x79, &tlv::element(0x4f, &PIV_AID[..5]));
            tlv::element(0x61, &template)
        }
        Application::Management => format!("Virtual mgr - FW version {major}.{minor}.{patch}").into_bytes(),
        Application::Otp => otp_status(config),
    }
}

pub(crate) fn run_management(command: &Command, config: &Config) -> Result<Vec<u8>, Status> {
    const READ_CONFIG: u8 = 0x1d;
    if command.instruction != READ_CONFIG {
        return Err(Status::UNKNOWN_INSTRUCTION);
    }
    if command.p1 != 0 {
        return Err(Status::INCORRECT_P1_P2);
    }
    let (major, minor, patch) = config.firmware;
    let capabilities: &[u8] = &CAPABILITIES.to_be_bytes();
    // Firmware 4 has one byte of capabilities, and neither form factor nor version.
    let capabilities = if major < 5 { &capabilities[1..] } else { capabilities };
    let mut information = Vec::new();
    for tag in [0x01, 0x03] {
        tlv::push(&mut information, tag, capabilities);
    }
    tlv::push(&mut information, 0x02, &config.serial.to_be_bytes());
    if major >= 5 {
        tlv::push(&mut information, 0x04, &[FORM_FACTOR]);
        tlv::push(&mut information, 0x05, &[major, minor, patch]);
    }
    tlv::push(&mut information, 0x0a, &[0]);
    let mut answer = vec![information.len() as u8];
    answer.append(&mut information);
    Ok(answer)
}

pub(crate) fn run_otp(command: &Command, config: &Config) -> Result<Vec<u8>, Status> {
    match (command.instruction, command.p1) {
        // DEVICE SERIAL
        (0x01, 0x10) => Ok(config.serial.to_be_bytes().to_vec()),
        (0x03, _) => Ok(otp_status(config)),
        _ => Err(Status::UNKNOWN_INSTRUCTION),
    }
}

/// Version, programming sequence, touch level: no slot is configured.
fn otp_status(config: &Config) -> Vec<u8> {
    let (major, minor, patch) = config.firmware;
    vec![major, minor, patch, 0, 0, 0]
}
