//! The management key (9B): its ciphers, and SET MANAGEMENT KEY. The protocols with it are in `authenticate`.

use aes::{Aes128, Aes192, Aes256};
use cipher::generic_array::GenericArray;
use cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use des::TdesEde3;

use crate::apdu::Command;
use crate::piv::{Context, Piv};
use crate::status::Status;
use crate::{Config, TouchPolicy, tlv};

pub(super) const SLOT: u8 = 0x9b;

/// Ciphers by SP 800-78-4 table 6-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    Tdes = 0x03,
    Aes128 = 0x08,
    Aes192 = 0x0a,
    Aes256 = 0x0c,
}

impl Cipher {
    /// 0 is 3DES, by SP 800-78-4.
    pub(super) fn parse(byte: u8) -> Option<Self> {
        match byte {
            0x00 | 0x03 => Some(Self::Tdes),
            0x08 => Some(Self::Aes128),
            0x0a => Some(Self::Aes192),
            0x0c => Some(Self::Aes256),
            _ => None,
        }
    }

    fn key_size(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Tdes | Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }
}

/// The key and what it is for.
pub(super) struct ManagementKey {
    pub(super) cipher: Cipher,
    pub(super) touch_policy: TouchPolicy,
    key: Vec<u8>,
}

impl ManagementKey {
    pub(super) fn factory(config: &Config) -> Self {
        let cipher = if config.has_5_7() { Cipher::Aes192 } else { Cipher::Tdes };
        Self { cipher, touch_policy: TouchPolicy::Never, key: crate::DEFAULT_MANAGEMENT_KEY.to_vec() }
    }

    pub(super) fn is_default(&self) -> bool {
        self.key == crate::DEFAULT_MANAGEMENT_KEY
    }

    pub(super) fn block_size(&self) -> usize {
        if self.cipher == Cipher::Tdes { 8 } else { 16 }
    }

    pub(super) fn encrypt(&self, block: &[u8]) -> Result<Vec<u8>, Status> {
        if block.len() != self.block_size() {
            return Err(Status::INCORRECT_DATA);
        }
        match self.cipher {
            Cipher::Tdes => encrypt::<TdesEde3>(&self.key, block),
            Cipher::Aes128 => encrypt::<Aes128>(&self.key, block),
            Cipher::Aes192 => encrypt::<Aes192>(&self.key, block),
            Cipher::Aes256 => encrypt::<Aes256>(&self.key, block),
        }
    }

    pub(super) fn decrypt(&self, block: &[u8]) -> Result<Vec<u8>, Status> {
        if block.len() != self.block_size() {
            return Err(Status::INCORRECT_DATA);
        }
        match self.cipher {
            Cipher::Tdes => decrypt::<TdesEde3>(&self.key, block),
            Cipher::Aes128 => decrypt::<Aes128>(&self.key, block),
            Cipher::Aes192 => decrypt::<Aes192>(&self.key, block),
            Cipher::Aes256 => decrypt::<Aes256>(&self.key, block),
        }
    }
}

fn encrypt<C: KeyInit + BlockEncrypt>(key: &[u8], block: &[u8]) -> Result<Vec<u8>, Status> {
    let mut block = block.to_vec();
    let cipher = C::new_from_slice(key).map_err(|_| Status::INTERNAL)?;
    cipher.encrypt_block(GenericArray::from_mut_slice(&mut block));
    Ok(block)
}

fn decrypt<C: KeyInit + BlockDecrypt>(key: &[u8], block: &[u8]) -> Result<Vec<u8>, Status> {
    let mut block = block.to_vec();
    let cipher = C::new_from_slice(key).map_err(|_| Status::INTERNAL)?;
    cipher.decrypt_block(GenericArray::from_mut_slice(&mut block));
    Ok(block)
}

impl Piv {
    /// FF: P1 FF, P2 FF without touch, FE with, FD with cached touch; cipher, then the key under tag 9B.
    pub(super) fn set_management_key(
        &mut self,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Vec<u8>, Status> {
        self.require_management()?;
        let touch_policy = match (command.p1, command.p2) {
            (0xff, 0xff) => TouchPolicy::Never,
            (0xff, 0xfe) => TouchPolicy::Always,
            (0xff, 0xfd) => TouchPolicy::Cached,
            _ => return Err(Status::INCORRECT_P1_P2),
        };
        let (&byte, rest) = command.data.split_first().ok_or(Status::INCORRECT_DATA)?;
        let cipher =
            Cipher::parse(byte).filter(|cipher| *cipher as u8 == byte).ok_or(Status::INCORRECT_DATA)?;
        if cipher != Cipher::Tdes && !context.config.has_aes_management_keys() {
            return Err(Status::INCORRECT_DATA);
        }
        let elements = tlv::parse_all(rest)?;
        let key = tlv::find(&elements, u16::from(SLOT)).filter(|key| key.len() == cipher.key_size());
        let key = key.ok_or(Status::INCORRECT_DATA)?.to_vec();
        self.management_key = ManagementKey { cipher, touch_policy, key };
        Ok(Vec::new())
    }
}
