//! What a timestamp says (RFC 3161 2.4.2).

use der::{Any, Decode, Encode, Result, Tag, Tagged};
use x509_tsp::TstInfo;

/// Reads the content of a token. The type library takes whole seconds only. RFC 3161 allows fractions, and OpenSSL's
/// authority states them when told to; they are cut off, since certificates and windows know whole seconds only.
pub(super) fn parse(content: &[u8]) -> Result<TstInfo> {
    let mut fields = Vec::<Any>::from_der(content)?;
    for field in fields.iter_mut().filter(|field| field.tag() == Tag::GeneralizedTime) {
        *field = Any::new(Tag::GeneralizedTime, whole_seconds(field.value())?)?;
    }
    TstInfo::from_der(&fields.to_der()?)
}

/// A time without its fraction; DER ends none in a zero (X.690 11.7.3).
fn whole_seconds(time: &[u8]) -> Result<Vec<u8>> {
    let Some(point) = time.iter().position(|byte| *byte == b'.') else { return Ok(time.to_vec()) };
    let (seconds, fraction) = time.split_at(point);
    match fraction {
        [b'.', digits @ .., last, b'Z']
            if digits.iter().all(u8::is_ascii_digit) && (b'1'..=b'9').contains(last) =>
        {
            Ok([seconds, b"Z"].concat())
        }
        _ => Err(Tag::GeneralizedTime.value_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::whole_seconds;

    #[test]
    fn a_fraction_is_cut_off_where_it_is_one() {
        assert_eq!(whole_seconds(b"20250601120000Z").unwrap(), b"20250601120000Z");
        assert_eq!(whole_seconds(b"20250601120000.5Z").unwrap(), b"20250601120000Z");
        assert_eq!(whole_seconds(b"20250601120000.000001Z").unwrap(), b"20250601120000Z");
        for wrong in [
            "20250601120000.Z",
            "20250601120000.50Z",
            "20250601120000.5",
            "20250601120000.5.5Z",
            ".",
            "20250601120000.-5Z",
        ] {
            assert!(whole_seconds(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
