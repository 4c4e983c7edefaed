//! How the private section is encrypted (PROTOCOL.key 2 and 3): bcrypt-pbkdf makes key and IV for an SSH cipher.

use bcrypt_pbkdf::bcrypt_pbkdf_with_memory;
use ssh_cipher::Cipher;
use zeroize::Zeroizing;

use super::super::{damaged, unsupported, wrong_password};
use super::cursor::Cursor;
use crate::error::Result;
use crate::limits::MAX_BCRYPT_ROUNDS;
use crate::secret::Secret;

/// `ssh-keygen` writes aes256-ctr, older versions aes256-cbc, and the others when told so with `-Z`.
const CIPHERS: [Cipher; 9] = [
    Cipher::Aes256Ctr,
    Cipher::Aes192Ctr,
    Cipher::Aes128Ctr,
    Cipher::Aes256Cbc,
    Cipher::Aes192Cbc,
    Cipher::Aes128Cbc,
    Cipher::Aes256Gcm,
    Cipher::Aes128Gcm,
    Cipher::ChaCha20Poly1305,
];
/// The block of "none", to which a plain section is padded.
const PLAIN_BLOCK_BYTES: usize = 8;
/// OpenSSH writes 16.
const MAX_SALT_BYTES: usize = 256;
/// What one run of the bcrypt core gives.
const BCRYPT_BLOCK_BYTES: usize = 32;

pub(super) enum Protection<'a> {
    Plain,
    Encrypted { cipher: Cipher, salt: &'a [u8], rounds: u32 },
}

impl<'a> Protection<'a> {
    /// Reads `ciphername`, `kdfname` and `kdfoptions`. The cost that they ask for is bounded here.
    pub(super) fn parse(cipher: &[u8], hashing: &[u8], options: &'a [u8]) -> Result<Self> {
        if cipher == b"none" && hashing == b"none" && options.is_empty() {
            return Ok(Self::Plain);
        }
        if cipher == b"none" || hashing == b"none" {
            return Err(damaged(&"it is half encrypted: cipher and password hashing do not fit together"));
        }
        if hashing != b"bcrypt" {
            return Err(unsupported(format!(
                "its password hashing is \"{}\", expected bcrypt",
                shown(hashing)
            )));
        }
        let known = CIPHERS.into_iter().find(|known| known.as_str().as_bytes() == cipher);
        let cipher = known.ok_or_else(|| {
            unsupported(format!("its cipher is \"{}\"", shown(cipher)))
                .hint("change it with: ssh-keygen -p -Z aes256-ctr -f KEY")
        })?;
        let mut options = Cursor::new(options);
        let (salt, rounds) = (options.string()?, options.u32()?);
        options.end("its bcrypt options")?;
        if salt.is_empty() || rounds == 0 {
            return Err(damaged(&"bcrypt without salt or rounds"));
        }
        if salt.len() > MAX_SALT_BYTES {
            return Err(unsupported(format!(
                "its salt has {} bytes, the limit is {MAX_SALT_BYTES}",
                salt.len()
            )));
        }
        if rounds > MAX_BCRYPT_ROUNDS {
            return Err(unsupported(format!(
                "it asks for {rounds} bcrypt rounds, the limit is {MAX_BCRYPT_ROUNDS}"
            )));
        }
        Ok(Self::Encrypted { cipher, salt, rounds })
    }

    /// How many bytes follow the section to authenticate it.
    pub(super) fn tag_bytes(&self) -> usize {
        match self {
            Self::Encrypted { cipher, .. } if cipher.has_tag() => size_of::<ssh_cipher::Tag>(),
            Self::Plain | Self::Encrypted { .. } => 0,
        }
    }

    /// The section in the clear. Asks for the password when the section can be one.
    pub(super) fn open(
        &self,
        sealed: &[u8],
        tag: &[u8],
        password: impl FnOnce() -> Result<Secret>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let block_bytes = match self {
            Self::Plain => PLAIN_BLOCK_BYTES,
            Self::Encrypted { cipher, .. } => cipher.block_size(),
        };
        if sealed.is_empty() || !sealed.len().is_multiple_of(block_bytes) {
            return Err(damaged(&"its private section is not whole blocks"));
        }
        let mut section = Zeroizing::new(sealed.to_vec());
        if let Self::Encrypted { cipher, salt, rounds } = self {
            let (key_bytes, iv_bytes) =
                cipher.key_and_iv_size().ok_or_else(|| unsupported("its cipher has no key"))?;
            let material = derive(&password()?, salt, *rounds, key_bytes + iv_bytes)?;
            let (key, iv) = material.split_at(key_bytes);
            let tag = cipher.has_tag().then(|| tag.try_into().map_err(|_| damaged(&"its tag is too short")));
            cipher.decrypt(key, iv, &mut section, tag.transpose()?).map_err(|_| wrong_password())?;
        }
        Ok(section)
    }
}

/// bcrypt-pbkdf. An empty password opens nothing: the function has no result for it.
fn derive(password: &Secret, salt: &[u8], rounds: u32, count: usize) -> Result<Zeroizing<Vec<u8>>> {
    let mut material = Zeroizing::new(vec![0; count]);
    // Handed in so that it is wiped too.
    let mut memory = Zeroizing::new(vec![0; count.next_multiple_of(BCRYPT_BLOCK_BYTES)]);
    bcrypt_pbkdf_with_memory(password.expose(), salt, rounds, &mut material, &mut memory)
        .map_err(|_| wrong_password())?;
    Ok(material)
}

/// A name from the file for a message: printable, and no longer than names may be (RFC 4251 6).
pub(super) fn shown(name: &[u8]) -> String {
    name[..name.len().min(64)].escape_ascii().to_string()
}
