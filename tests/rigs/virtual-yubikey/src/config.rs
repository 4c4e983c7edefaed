//! What a card is made with.

use std::time::Duration;

use crate::{Fault, TouchBehaviour};

/// The make of a card and how its holder behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Major, minor, patch: 4.3.5, 5.4.3 and 5.7.1 are those that were thought of; others get the abilities of their number.
    pub firmware: (u8, u8, u8),
    /// As printed on the device.
    pub serial: u32,
    /// What the finger does when a key asks for touch.
    pub touch: TouchBehaviour,
    /// How long the card waits for it. A device waits 15 s; here 1 s, so that tests of a missing touch end soon.
    pub touch_timeout: Duration,
    /// False for a PIV card of another maker: no instruction and no application of Yubico's.
    pub yubico: bool,
    /// In force from the first APDU on, as by [`Card::fault`](crate::Card::fault).
    pub faults: Vec<Fault>,
}

impl Config {
    /// A YubiKey whose touch sensor is pressed as soon as it asks.
    pub fn new(firmware: (u8, u8, u8), serial: u32) -> Self {
        Self {
            firmware,
            serial,
            touch: TouchBehaviour::Immediate,
            touch_timeout: Duration::from_secs(1),
            yubico: true,
            faults: Vec::new(),
        }
    }

    /// A PIV card of another maker: SP 800-73-4 and nothing else, with a 3DES management key. It takes the algorithms of
    /// SP 800-78-4 (RSA 2048, P-256, P-384). It has no serial number; its CHUID has a GUID that ends in `0001`.
    pub fn plain_piv() -> Self {
        Self { yubico: false, ..Self::new((0, 0, 0), 1) }
    }

    fn has(&self, since: (u8, u8, u8)) -> bool {
        self.yubico && self.firmware >= since
    }

    pub(crate) fn has_attestation(&self) -> bool {
        self.has((4, 3, 0))
    }
    pub(crate) fn has_serial_instruction(&self) -> bool {
        self.has((5, 0, 0))
    }
    pub(crate) fn has_metadata(&self) -> bool {
        self.has((5, 3, 0))
    }
    pub(crate) fn has_aes_management_keys(&self) -> bool {
        self.has((5, 4, 2))
    }
    /// RSA 3072 and 4096, Ed25519, MOVE KEY, AES-192 as the default of the management key.
    pub(crate) fn has_5_7(&self) -> bool {
        self.has((5, 7, 0))
    }
}
