//! CRC-32C (Castagnoli), by which KMS and we notice bytes that changed on the way.

/// The reversed polynomial (RFC 3720 appendix B.4).
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The checksum as KMS writes it: a number of 32 bits in 64.
pub(crate) fn checksum(bytes: &[u8]) -> i64 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let bit = crc & 1;
            crc = (crc >> 1) ^ (POLYNOMIAL * bit);
        }
    }
    i64::from(!crc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_that_of_rfc_3720() {
        let rising: Vec<u8> = (0..32).collect();
        for (bytes, crc) in [
            (&b""[..], 0),
            (b"123456789", 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
        ] {
            assert_eq!(checksum(bytes), crc);
        }
    }
}
