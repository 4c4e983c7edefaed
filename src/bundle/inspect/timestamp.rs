//! Describes a signed timestamp: an RFC 3161 `TimeStampResp`, or the token alone.
//!
//! Only the way to the `TSTInfo` is parsed. What surrounds it (certificates, signer infos) matters to a verifier, and
//! a defect there does not hide the time here, as it does in Cosign.

use std::time::Duration;

use x509_cert::der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier, OctetStringRef};
use x509_cert::der::{DateTime, Decode, ErrorKind, Reader, Result, Tag, TagNumber, Tagged};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::outline::{Outline, present, unreadable};

// RFC 5652 5.1, RFC 3161 2.4.2
const ID_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const ID_CT_TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// The longest serial number told in decimal; RFC 3161 2.4.2 asks for 160 bits.
const MAX_SERIAL_BYTES: usize = 64;

struct TstInfo {
    time: String,
    hash_algorithm: String,
    imprint_len: usize,
    serial_number: String,
    policy: ObjectIdentifier,
}

pub(super) fn describe(outline: &mut Outline, der: &[u8]) {
    match parse_response(der) {
        Ok(info) => {
            outline.line("Time", info.time);
            outline.line("Hash Algorithm", info.hash_algorithm);
            outline.line("Message Imprint", present(info.imprint_len));
            outline.line("Serial Number", info.serial_number);
            outline.line("Policy", info.policy);
        }
        Err(cause) => outline.line("Time", unreadable(cause)),
    }
}

/// A moment in RFC 3339, to the second.
pub(super) fn utc(since_epoch: Duration) -> String {
    DateTime::from_unix_duration(since_epoch).map_or_else(unreadable, |time| time.to_string())
}

fn parse_response(der: &[u8]) -> Result<TstInfo> {
    AnyRef::from_der(der)?.sequence(|reader| {
        let first = AnyRef::decode(reader)?;
        if first.tag() == Tag::ObjectIdentifier {
            // No PKIStatusInfo in front: this is the token itself.
            return parse_content_info(reader, first.decode_as()?);
        }
        // An absent token, as in a refusal, ends in "incomplete".
        AnyRef::decode(reader)?.sequence(|reader| {
            let content_type = ObjectIdentifier::decode(reader)?;
            parse_content_info(reader, content_type)
        })
    })
}

/// RFC 5652 3: the content after its type.
fn parse_content_info<'a>(reader: &mut impl Reader<'a>, content_type: ObjectIdentifier) -> Result<TstInfo> {
    expect_oid(content_type, ID_SIGNED_DATA)?;
    let content = explicit_0(reader)?;
    content.sequence(|reader| {
        // RFC 5652 5.1: version, digestAlgorithms, encapContentInfo, and more that is not needed here.
        AnyRef::decode(reader)?;
        AnyRef::decode(reader)?;
        let encapsulated = AnyRef::decode(reader)?;
        skip_rest(reader)?;
        encapsulated.sequence(|reader| {
            expect_oid(ObjectIdentifier::decode(reader)?, ID_CT_TST_INFO)?;
            let content: OctetStringRef<'_> = explicit_0(reader)?.decode_as()?;
            parse_tst_info(content.as_bytes())
        })
    })
}

/// RFC 3161 2.4.2.
fn parse_tst_info(der: &[u8]) -> Result<TstInfo> {
    AnyRef::from_der(der)?.sequence(|reader| {
        AnyRef::decode(reader)?; // version
        let policy = ObjectIdentifier::decode(reader)?;
        let (algorithm, imprint_len) = AnyRef::decode(reader)?.sequence(|reader| {
            let algorithm = AlgorithmIdentifierOwned::decode(reader)?;
            Ok((algorithm.oid, OctetStringRef::decode(reader)?.as_bytes().len()))
        })?;
        let serial_number = AnyRef::decode(reader)?;
        serial_number.tag().assert_eq(Tag::Integer)?;
        let serial_number = decimal(serial_number.value());
        let time = AnyRef::decode(reader)?;
        time.tag().assert_eq(Tag::GeneralizedTime)?;
        let time = generalized_time(time.value()).unwrap_or_else(|| unreadable("not a UTC time"));
        skip_rest(reader)?;
        Ok(TstInfo { time, hash_algorithm: hash_name(algorithm), imprint_len, serial_number, policy })
    })
}

fn explicit_0<'a>(reader: &mut impl Reader<'a>) -> Result<AnyRef<'a>> {
    ContextSpecific::<AnyRef<'a>>::decode_explicit(reader, TagNumber::N0)?
        .map(|field| field.value)
        .ok_or_else(|| Tag::ContextSpecific { constructed: true, number: TagNumber::N0 }.value_error())
}

fn skip_rest<'a>(reader: &mut impl Reader<'a>) -> Result<()> {
    reader.read_slice(reader.remaining_len()).map(|_| ())
}

fn expect_oid(found: ObjectIdentifier, expected: ObjectIdentifier) -> Result<()> {
    if found == expected { Ok(()) } else { Err(ErrorKind::OidUnknown { oid: found }.into()) }
}

/// `YYYYMMDDhhmmss[.f…]Z`. RFC 3161 allows the fraction that the `der` crate's own type refuses.
fn generalized_time(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let part = |from: usize| whole[from..from + 2].parse::<u8>().ok();
    let time =
        DateTime::new(whole[..4].parse().ok()?, part(4)?, part(6)?, part(8)?, part(10)?, part(12)?).ok()?;
    Some(time.to_string())
}

/// The names that Go's crypto package has for hashes.
fn hash_name(oid: ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.3.14.3.2.26" => "SHA-1".to_owned(),
        "2.16.840.1.101.3.4.2.1" => "SHA-256".to_owned(),
        "2.16.840.1.101.3.4.2.2" => "SHA-384".to_owned(),
        "2.16.840.1.101.3.4.2.3" => "SHA-512".to_owned(),
        other => other.to_owned(),
    }
}

/// A big-endian two's complement integer in decimal.
fn decimal(bytes: &[u8]) -> String {
    if bytes.len() > MAX_SERIAL_BYTES {
        return unreadable(format!("{} bytes, expected at most {MAX_SERIAL_BYTES}", bytes.len()));
    }
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut digits = vec![0];
    for byte in bytes {
        multiply_add(&mut digits, 256, if negative { !byte } else { *byte });
    }
    if negative {
        multiply_add(&mut digits, 1, 1); // the magnitude is the complement and one
    }
    let text: String = digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
    if negative { format!("-{text}") } else { text }
}

/// Decimal digits, the least significant first.
fn multiply_add(digits: &mut Vec<u8>, factor: u32, addend: u8) {
    let mut carry = u32::from(addend);
    for digit in digits.iter_mut() {
        let value = u32::from(*digit) * factor + carry;
        *digit = (value % 10) as u8;
        carry = value / 10;
    }
    while carry > 0 {
        digits.push((carry % 10) as u8);
        carry /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_serial_numbers_in_decimal() {
        for (bytes, expected) in [
            (&[0][..], "0"),
            (&[0x01, 0x00], "256"),
            (&[0x00, 0xff], "255"),
            (&[0xff], "-1"),
            (&[0x80], "-128"),
            (&[0xfe, 0xff], "-257"),
            (&[0x7f; 16], "169473963133173273960190490760135540607"),
            (&[0x80, 0, 0, 0, 0, 0, 0, 0], "-9223372036854775808"),
        ] {
            assert_eq!(decimal(bytes), expected);
        }
        assert_eq!(decimal(&[1; 65]), "unreadable (65 bytes, expected at most 64)");
    }

    #[test]
    fn reads_times_with_and_without_a_fraction_and_refuses_others() {
        for time in ["20261123064640Z", "20261123064640.5Z", "20261123064640.123456Z"] {
            assert_eq!(generalized_time(time.as_bytes()).as_deref(), Some("2026-11-23T06:46:40Z"));
        }
        for time in [
            "20261123064640",
            "20261123064640+0100",
            "20261123064640.Z",
            "20261323064640Z",
            "202611230646Z",
            "+0261123064640Z",
            "2026112306464é",
            "",
        ] {
            assert_eq!(generalized_time(time.as_bytes()), None, "{time}");
        }
    }
}
