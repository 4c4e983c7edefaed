//! OpenSSH's private key container `openssh-key-v1` (OpenSSH PROTOCOL.key), plain or encrypted.
//!
//! Begin with [`parse`]. `cursor.rs` reads SSH's wire types, `protection.rs` opens the private section, `fields.rs` makes
//! keys of what stands in it. The reader is ours because the crate `ssh-key` 0.6 refuses ECDSA scalars that begin with
//! zero bytes, as half of all P-521 keys do.

mod cursor;
mod fields;
mod protection;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use self::cursor::Cursor;
use self::fields::Kind;
use self::protection::Protection;
use super::{LocalKey, damaged, unsupported, wrong_password};
use crate::error::Result;
use crate::secret::Secret;

/// With the zero byte that ends it as a C string.
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// What a public half or a private section may hold. The sections of real keys are a few kilobytes; a comment, which
/// has no limit of its own, is counted in.
const MAX_PART_BYTES: usize = 64 * 1024;

/// Reads the whole PEM text.
pub(super) fn parse(pem: &[u8], password: impl FnOnce() -> Result<Secret>) -> Result<LocalKey> {
    let blocks = pem::parse_many(pem).map_err(|cause| damaged(&cause))?;
    let block = blocks.into_iter().find(|block| block.tag() == "OPENSSH PRIVATE KEY");
    let block = block.ok_or_else(|| damaged(&"no complete PEM block"))?;
    parse_container(&Zeroizing::new(block.into_contents()), password)
}

/// Reads what the PEM text encodes. All that is not secret is checked before the password is asked.
fn parse_container(bytes: &[u8], password: impl FnOnce() -> Result<Secret>) -> Result<LocalKey> {
    let mut file = Cursor::new(bytes);
    if file.take(MAGIC.len())? != MAGIC {
        return Err(damaged(&"it does not begin with openssh-key-v1"));
    }
    let (cipher, hashing, options) = (file.string()?, file.string()?, file.string()?);
    let protection = Protection::parse(cipher, hashing, options)?;
    let keys = file.u32()?;
    if keys != 1 {
        // PROTOCOL.key 1 has room for several; OpenSSH writes and reads one.
        return Err(unsupported(format!("it holds {keys} keys, expected 1")));
    }
    let (outer, sealed) = (part(file.string()?)?, part(file.string()?)?);
    let tag = file.take(protection.tag_bytes())?;
    file.end("its private section")?;

    let mut half = Cursor::new(outer);
    let name = half.string()?;
    let kind = Kind::parse(name)?;
    let public_key = kind.parse_public(&mut half)?;
    half.end("its public half")?;

    let section = protection.open(sealed, tag, password)?;
    let mut private = Cursor::new(&section);
    let checks = (private.u32()?, private.u32()?);
    if checks.0 != checks.1 {
        // PROTOCOL.key 3: they differ when the section was decrypted with another key.
        return Err(match protection {
            Protection::Plain => damaged(&"its check integers differ"),
            Protection::Encrypted { .. } => wrong_password(),
        });
    }
    if private.string()? != name {
        return Err(damaged(&"its halves are of different types"));
    }
    let key = kind.parse_private(&mut private)?;
    let _comment = private.string()?;
    if !is_padding(private.rest()) {
        return Err(damaged(&"its padding is not 1, 2, 3 and so on"));
    }
    if *key.public_key() != public_key {
        return Err(damaged(&"its public half belongs to another key"));
    }
    Ok(key)
}

fn part(bytes: &[u8]) -> Result<&[u8]> {
    if bytes.len() > MAX_PART_BYTES {
        return Err(unsupported(format!(
            "a part of it has {} bytes, the limit is {MAX_PART_BYTES}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// PROTOCOL.key 3. How long the padding may be is left open: like OpenSSH we ask for the sequence alone, which ends at
/// 255 at the latest.
fn is_padding(bytes: &[u8]) -> bool {
    bytes.len() <= usize::from(u8::MAX) && bytes.iter().copied().eq((1..=u8::MAX).take(bytes.len()))
}
