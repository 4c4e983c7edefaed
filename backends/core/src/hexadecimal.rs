//! Hexadecimal, as digests are written.

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes of an even number of hexadecimal digits, in either case.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_round_trips() {
        assert_eq!(from_hex(&hex(&[0, 0xab, 0xff])).unwrap(), [0, 0xab, 0xff]);
        assert_eq!(from_hex("ABCDEF").unwrap(), [0xab, 0xcd, 0xef]);
        assert!(from_hex("abc").is_none() && from_hex("zz").is_none());
    }
}
