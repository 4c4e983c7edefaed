//! The PIV application (SP 800-73-4 Part 2) with Yubico's instructions. This file holds the state and gives each command
//! to its file.

use std::collections::BTreeMap;
use std::time::Instant;

use rand_core::{OsRng, RngCore};

use crate::apdu::Command;
use crate::key::PrivateKey;
use crate::status::Status;
use crate::touch::Sensor;
use crate::{Algorithm, Config, PinPolicy, TouchPolicy, certificate};

mod authenticate;
mod keys;
mod management_key;
mod metadata;
mod objects;
mod pin;

use management_key::ManagementKey;
use pin::Reference;

/// The attestation key's slot.
const F9: u8 = 0xf9;

/// A key in a slot.
pub(crate) struct SlotKey {
    key: PrivateKey,
    pin_policy: PinPolicy,
    touch_policy: TouchPolicy,
    generated: bool,
}

/// What is forgotten when the application is selected, or the card reset.
#[derive(Default)]
struct Session {
    pin_verified: bool,
    /// The PIN came after the last use of a private key.
    pin_fresh: bool,
    management_authenticated: bool,
    /// What the card sent and expects back, in clear.
    witness: Option<Vec<u8>>,
    challenge: Option<Vec<u8>>,
}

/// The application's state.
pub(crate) struct Piv {
    pin: Reference,
    puk: Reference,
    management_key: ManagementKey,
    keys: BTreeMap<u8, SlotKey>,
    objects: BTreeMap<u32, Vec<u8>>,
    touched: Option<Instant>,
    session: Session,
}

/// What a command runs with.
struct Context<'a> {
    config: &'a Config,
    sensor: &'a Sensor,
    now: Instant,
}

impl Piv {
    pub(crate) fn new(config: &Config) -> Self {
        let mut piv = Self {
            pin: Reference::new(crate::DEFAULT_PIN, crate::DEFAULT_PIN, 3),
            puk: Reference::new(crate::DEFAULT_PUK, crate::DEFAULT_PUK, 3),
            management_key: ManagementKey::factory(config),
            keys: BTreeMap::new(),
            objects: BTreeMap::new(),
            touched: None,
            session: Session::default(),
        };
        if config.has_attestation() {
            let (key, certificate) = certificate::attestation_key();
            let (pin_policy, touch_policy) = (PinPolicy::Never, TouchPolicy::Never);
            piv.keys.insert(F9, SlotKey { key, pin_policy, touch_policy, generated: false });
            piv.objects.insert(objects::ATTESTATION_CERTIFICATE, objects::certificate_object(&certificate));
        }
        if !config.yubico {
            piv.objects.insert(objects::CHUID, objects::chuid(config.serial));
        }
        piv
    }

    pub(crate) fn end_session(&mut self) {
        self.session = Session::default();
    }

    pub(crate) fn forget_touch(&mut self) {
        self.touched = None;
    }

    pub(crate) fn run(
        &mut self,
        command: &Command,
        config: &Config,
        sensor: &Sensor,
        now: Instant,
    ) -> Result<Vec<u8>, Status> {
        let context = &Context { config, sensor, now };
        let available = match command.instruction {
            0xfa | 0xfb | 0xfd | 0xfe | 0xff => config.yubico,
            0xf6 => config.has_5_7(),
            0xf7 => config.has_metadata(),
            0xf8 => config.has_serial_instruction(),
            0xf9 => config.has_attestation(),
            _ => true,
        };
        if !available {
            return Err(Status::UNKNOWN_INSTRUCTION);
        }
        match command.instruction {
            0x20 => self.verify(command),
            0x24 => self.change_reference(command),
            0x2c => self.reset_retry_counter(command),
            0x47 => self.generate(command, context),
            0x87 => self.general_authenticate(command, context),
            0xcb => self.read_object(command),
            0xdb => self.write_object(command),
            0xf6 => self.move_key(command),
            0xf7 => self.metadata(command),
            0xf8 => Ok(config.serial.to_be_bytes().to_vec()),
            0xf9 => self.attest(command, context),
            0xfa => self.set_retries(command),
            0xfb => self.factory_reset(config),
            0xfd => {
                let (major, minor, patch) = config.firmware;
                Ok(vec![major, minor, patch])
            }
            0xfe => self.import(command, context),
            0xff => self.set_management_key(command, context),
            _ => Err(Status::UNKNOWN_INSTRUCTION),
        }
    }

    pub(crate) fn preset(
        &mut self,
        slot: u8,
        algorithm: Algorithm,
        pin_policy: PinPolicy,
        touch_policy: TouchPolicy,
        with_certificate: bool,
    ) -> Option<Vec<u8>> {
        let object = objects::certificate_of_slot(slot)?;
        let key = PrivateKey::generate(algorithm).ok()?;
        let public_key = key.public_key_der()?;
        if with_certificate {
            let certificate = certificate::self_signed(&format!("CN=Virtual PIV {slot:x}"), &key)?;
            self.objects.insert(object, objects::certificate_object(&certificate));
        }
        self.keys.insert(slot, SlotKey { key, pin_policy, touch_policy, generated: true });
        Some(public_key)
    }

    pub(crate) fn preset_object(&mut self, id: u32, value: &[u8]) {
        self.objects.insert(id, value.to_vec());
    }

    pub(crate) fn preset_pin(&mut self, pin: &str) {
        self.pin = Reference::new(pin, crate::DEFAULT_PIN, self.pin.tries_at_most());
    }

    /// FB: a card as it left the factory but for the attestation key and its certificate, once PIN and PUK are blocked.
    fn factory_reset(&mut self, config: &Config) -> Result<Vec<u8>, Status> {
        if !self.pin.is_blocked() || !self.puk.is_blocked() {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let mut fresh = Self::new(config);
        if let Some(key) = self.keys.remove(&F9) {
            fresh.keys.insert(F9, key);
        }
        if let Some(certificate) = self.objects.remove(&objects::ATTESTATION_CERTIFICATE) {
            fresh.objects.insert(objects::ATTESTATION_CERTIFICATE, certificate);
        }
        *self = fresh;
        Ok(Vec::new())
    }

    fn require_management(&self) -> Result<(), Status> {
        if self.session.management_authenticated {
            Ok(())
        } else {
            Err(Status::SECURITY_STATUS_NOT_SATISFIED)
        }
    }

    /// Waits for a touch if the policy asks for one now.
    fn require_touch(&mut self, policy: TouchPolicy, context: &Context<'_>) -> Result<(), Status> {
        const CACHED_FOR: std::time::Duration = std::time::Duration::from_secs(15);
        let recent = self.touched.is_some_and(|touched| context.now.duration_since(touched) < CACHED_FOR);
        match policy {
            TouchPolicy::Never => return Ok(()),
            TouchPolicy::Cached if recent => return Ok(()),
            TouchPolicy::Cached | TouchPolicy::Always => {}
        }
        if !context.sensor.wait(context.config.touch_timeout) {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        self.touched = Some(Instant::now());
        Ok(())
    }
}

fn random(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    OsRng.fill_bytes(&mut bytes);
    bytes
}
