//! Randomness of the system.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Result};

/// Fresh random bytes for salts and nonces.
///
/// # Errors
/// [`ErrorKind::Internal`](crate::ErrorKind::Internal) where the system gives none.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::internal("the system gives no randomness"))?;
    Ok(bytes)
}
