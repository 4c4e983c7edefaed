//! Key algorithms and their bytes (SP 800-78-4 table 6-2, and Yubico's).

use crate::Config;

/// The algorithm of a key in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Firmware 4 and 5.
    Rsa1024 = 0x06,
    /// All firmware, and PIV cards of others.
    Rsa2048 = 0x07,
    /// From 5.7 on.
    Rsa3072 = 0x05,
    /// From 5.7 on.
    Rsa4096 = 0x16,
    /// All firmware, and PIV cards of others.
    P256 = 0x11,
    /// All firmware from 4 on, and PIV cards of others.
    P384 = 0x14,
    /// From 5.7 on.
    Ed25519 = 0xe0,
}

impl Algorithm {
    /// What this card knows by that byte.
    pub(crate) fn parse(byte: u8, config: &Config) -> Option<Self> {
        match byte {
            0x06 if config.yubico => Some(Self::Rsa1024),
            0x07 => Some(Self::Rsa2048),
            0x05 if config.has_5_7() => Some(Self::Rsa3072),
            0x16 if config.has_5_7() => Some(Self::Rsa4096),
            0x11 => Some(Self::P256),
            0x14 => Some(Self::P384),
            0xe0 if config.has_5_7() => Some(Self::Ed25519),
            _ => None,
        }
    }

    /// The modulus of an RSA key in bytes.
    pub(crate) fn rsa_size(self) -> Option<usize> {
        match self {
            Self::Rsa1024 => Some(128),
            Self::Rsa2048 => Some(256),
            Self::Rsa3072 => Some(384),
            Self::Rsa4096 => Some(512),
            Self::P256 | Self::P384 | Self::Ed25519 => None,
        }
    }
}
