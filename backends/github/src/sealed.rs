//! libsodium's sealed box (`crypto_box_seal`): X25519 with a key for this message alone, XSalsa20-Poly1305, and a nonce that is the
//! BLAKE2b of both public keys. The reviewed crate does it; the randomness is that of all our keys.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use countersign_core::error::{Error, Result};
use crypto_box::PublicKey;
use crypto_box::aead::rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

/// Seals for the holder of `key`.
pub(crate) fn seal(key: &PublicKey, value: &[u8]) -> Result<Vec<u8>> {
    let mut once = Once { seed: Zeroizing::new([0; 32]), used: 0 };
    SystemRandom::new()
        .fill(once.seed.as_mut())
        .map_err(|_| Error::internal("the system gives no random bytes"))?;
    let sealed =
        key.seal(&mut once, value).map_err(|_| Error::internal("a sealed box that cannot be made"))?;
    if once.used == once.seed.len() {
        Ok(sealed)
    } else {
        Err(Error::internal("a sealed box of another kind"))
    }
}

/// The 32 random bytes of the message's own key, fetched before, since this interface cannot fail.
struct Once {
    seed: Zeroizing<[u8; 32]>,
    used: usize,
}

impl CryptoRng for Once {}

impl RngCore for Once {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        // Past the end is counted, and then refused by `seal`.
        let left = self.seed.get(self.used..).unwrap_or_default();
        for (byte, random) in bytes.iter_mut().zip(left) {
            *byte = *random;
        }
        self.used += bytes.len();
    }

    fn try_fill_bytes(
        &mut self,
        bytes: &mut [u8],
    ) -> std::result::Result<(), crypto_box::aead::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_and_never_looks_the_same() {
        let secret = crypto_box::SecretKey::from_bytes([7; 32]);
        let sealed = [(); 2].map(|()| seal(&secret.public_key(), b"value").unwrap());
        assert_ne!(sealed[0][..32], sealed[1][..32]);
        for sealed in sealed {
            assert_eq!(secret.unseal(&sealed).unwrap(), b"value");
        }
    }
}
