//! SSH's wire types (RFC 4251 5), read from a slice without copying.

use super::super::damaged;
use crate::error::Result;

/// The longest number OpenSSH reads: 16384 bits and a byte for the sign.
const MAX_INTEGER_BYTES: usize = 16384 / 8 + 1;

/// What is left to read. Every step is checked against the end.
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| damaged(&"it ends inside a field"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        let (bytes, rest) =
            self.0.split_first_chunk::<4>().ok_or_else(|| damaged(&"it ends inside a number"))?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// Bytes after their count.
    pub(super) fn string(&mut self) -> Result<&'a [u8]> {
        let count = usize::try_from(self.u32()?).map_err(|cause| damaged(&cause))?;
        self.take(count)
    }

    /// An `mpint` above zero, as no field of a key may be zero or below: big-endian, without leading zero bytes.
    pub(super) fn positive(&mut self) -> Result<&'a [u8]> {
        let bytes = self.string()?;
        if bytes.len() > MAX_INTEGER_BYTES {
            return Err(damaged(&format!("a number of {} bytes", bytes.len())));
        }
        let first = bytes.iter().position(|byte| *byte != 0);
        match (first, bytes.first()) {
            // The top bit is the sign: what is positive and would set it has a zero byte before it.
            (Some(first), Some(0..=0x7f)) => Ok(&bytes[first..]),
            _ => Err(damaged(&"a number that is zero or negative")),
        }
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Refuses more bytes after `what`.
    pub(super) fn end(self, what: &str) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged(&format!("bytes follow {what}"))) }
    }
}
