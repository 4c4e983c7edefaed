//! Strict encodings, in one place for every backend: raw `r || s` and DER signatures, SPKI, points, `DigestInfo`.
//!
//! Several tools got the padding of `r` and `s` wrong and failed about once in 128 signatures; here each half has
//! the curve's full width on the raw side and the minimal form on the DER side.

use der::asn1::{BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::algorithm::KeyType;
use crate::digest::{Digest, HashAlgorithm};
use crate::error::{Error, ErrorKind, Result};

/// `id-ecPublicKey` (RFC 5480 2.1.1).
pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `rsaEncryption` (RFC 8017 A.1).
pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-RSASSA-PSS` (RFC 8017 A.2.3): keys bound to PSS parameters, which Sigstore's registry does not know.
pub(crate) const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
/// `id-Ed25519` (RFC 8410 3).
pub const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 5480 2.1.1.1.
const CURVES: [(ObjectIdentifier, KeyType); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), KeyType::P256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), KeyType::P384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), KeyType::P521),
];

/// The curve that a named-curve identifier stands for.
pub fn curve(oid: ObjectIdentifier) -> Option<KeyType> {
    CURVES.iter().find(|(known, _)| *known == oid).map(|(_, key_type)| *key_type)
}

/// The identifier of a NIST curve; `None` for other key types.
pub fn curve_oid(key_type: KeyType) -> Option<ObjectIdentifier> {
    CURVES.iter().find(|(_, known)| *known == key_type).map(|(oid, _)| *oid)
}

/// `Ecdsa-Sig-Value` (RFC 3279 2.2.3).
#[derive(Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// Turns a raw `r || s` (each left-padded to the curve's field size, as PKCS#11, JWS and some services return it)
/// into minimal ASN.1 DER.
///
/// # Errors
/// [`ErrorKind::Integrity`] when the length is not twice the field size or a half is zero.
pub fn ecdsa_fixed_to_der(key_type: KeyType, raw: &[u8]) -> Result<Vec<u8>> {
    let wrong = |why: &str| Error::new(ErrorKind::Integrity, "cannot encode an ECDSA signature").why(why);
    let width = key_type
        .field_bytes()
        .ok_or_else(|| Error::internal("an ECDSA signature from a key without a curve"))?;
    if raw.len() != 2 * width {
        return Err(wrong(&format!("it is {} bytes long, expected {}", raw.len(), 2 * width)));
    }
    let (r, s) = raw.split_at(width);
    if r.iter().all(|byte| *byte == 0) || s.iter().all(|byte| *byte == 0) {
        return Err(wrong("r or s is zero"));
    }
    let encode = || EcdsaSignature { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der();
    encode().map_err(|cause: der::Error| wrong(&cause.to_string()))
}

/// Turns an ASN.1 DER ECDSA signature into raw `r || s`, each half left-padded to the curve's field size.
///
/// # Errors
/// [`ErrorKind::Integrity`] when it is not strict DER or a half is wider than the field.
pub fn ecdsa_der_to_fixed(key_type: KeyType, der: &[u8]) -> Result<Vec<u8>> {
    let wrong = |why: &str| Error::new(ErrorKind::Integrity, "cannot decode an ECDSA signature").why(why);
    let width = key_type
        .field_bytes()
        .ok_or_else(|| Error::internal("an ECDSA signature from a key without a curve"))?;
    let signature = EcdsaSignature::from_der(der).map_err(|cause| wrong(&cause.to_string()))?;
    let mut raw = vec![0; 2 * width];
    for (half, integer) in raw.chunks_exact_mut(width).zip([signature.r, signature.s]) {
        let bytes = integer.as_bytes();
        if bytes.len() > width {
            return Err(wrong("r or s is wider than the curve's field"));
        }
        half[width - bytes.len()..].copy_from_slice(bytes);
    }
    Ok(raw)
}

/// Builds `SubjectPublicKeyInfo` DER (RFC 5280 4.1.2.7) from the key in its own form: an uncompressed point, an
/// `RSAPublicKey` (RFC 8017 A.1.1) or the 32 bytes of Ed25519.
pub fn spki_der(key_type: KeyType, key: &[u8]) -> Result<Vec<u8>> {
    let curve = curve_oid(key_type);
    let (oid, parameters) = match key_type {
        KeyType::P256 | KeyType::P384 | KeyType::P521 => {
            (EC_PUBLIC_KEY, curve.as_ref().map(der::AnyRef::from))
        }
        // RFC 8017 A.1: the parameters of rsaEncryption are NULL, not absent.
        KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => (RSA_ENCRYPTION, Some(der::AnyRef::NULL)),
        KeyType::Ed25519 => (ED25519, None),
    };
    let encode = || {
        SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef { oid, parameters },
            subject_public_key: BitStringRef::from_bytes(key)?,
        }
        .to_der()
    };
    encode().map_err(|cause| Error::internal(format!("cannot encode a public key: {cause}")))
}

/// The bytes of a public point, whichever of three ways a token hands it out: bare, inside an OCTET STRING (PKCS#11
/// v3.0 2.3.3) or inside a BIT STRING. NIST curves: the uncompressed point; Ed25519: 32 bytes.
///
/// # Errors
/// [`ErrorKind::Integrity`] for anything else, compressed points included.
pub fn public_point(key_type: KeyType, bytes: &[u8]) -> Result<Vec<u8>> {
    /// SEC 1 2.3.3: the first byte of an uncompressed point.
    const UNCOMPRESSED: u8 = 0x04;
    /// RFC 8032 5.1.5.
    const ED25519_BYTES: usize = 32;
    let is_point = |bytes: &[u8]| match key_type.field_bytes() {
        Some(width) => bytes.len() == 1 + 2 * width && bytes[0] == UNCOMPRESSED,
        None => key_type == KeyType::Ed25519 && bytes.len() == ED25519_BYTES,
    };
    // An OCTET STRING's tag is 0x04 as well; the length tells the two apart.
    if is_point(bytes) {
        return Ok(bytes.to_vec());
    }
    let inner = der::asn1::OctetStringRef::from_der(bytes).ok().map(|octets| octets.as_bytes());
    // tpm2-pkcs11 1.9 writes lengths from 128 on in one byte, which DER does not: a P-521 point there.
    let short = bytes.strip_prefix(&[0x04]).and_then(<[u8]>::split_first);
    let short = short.filter(|(length, rest)| usize::from(**length) == rest.len()).map(|(_, rest)| rest);
    let inner = inner.or(short);
    let inner = inner.or_else(|| BitStringRef::from_der(bytes).ok().and_then(|bits| bits.as_bytes()));
    match inner {
        Some(point) if is_point(point) => Ok(point.to_vec()),
        _ => Err(Error::new(ErrorKind::Integrity, format!("cannot read a point of {key_type}"))
            .why("it is not an uncompressed point, bare or in an OCTET STRING or BIT STRING")),
    }
}

/// The DER of `DigestInfo` (RFC 8017 9.2, note 1): what raw RSA PKCS#1 v1.5 mechanisms of tokens sign.
pub fn digest_info(digest: &Digest) -> Vec<u8> {
    let up_to_the_digest: &[u8] = match digest.algorithm() {
        HashAlgorithm::Sha256 => {
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
        }
        HashAlgorithm::Sha384 => {
            b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
        }
        HashAlgorithm::Sha512 => {
            b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
        }
    };
    [up_to_the_digest, digest.bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn raw_and_der_signatures_round_trip(
            r_zeros in 0_usize..66, s_zeros in 0_usize..66, fill in 1_u8.., curve in 0_usize..3,
        ) {
            let key_type = [KeyType::P256, KeyType::P384, KeyType::P521][curve];
            let width = key_type.field_bytes().unwrap();
            let mut raw = vec![fill; 2 * width];
            raw[..r_zeros.min(width - 1)].fill(0);
            raw[width..width + s_zeros.min(width - 1)].fill(0);
            let der = ecdsa_fixed_to_der(key_type, &raw).unwrap();
            prop_assert_eq!(ecdsa_der_to_fixed(key_type, &der).unwrap(), raw);
        }
    }

    /// The library that signs writes each form itself, so it judges what we make of the other one. One half in 256 begins with
    /// a zero byte: of 10,000 signatures some eighty.
    #[test]
    fn ten_thousand_signatures_change_their_form_and_still_verify() {
        use aws_lc_rs::rand::SystemRandom;
        use aws_lc_rs::signature::{
            ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED,
            ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
        };
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let fixed = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let der = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
        let point = fixed.public_key().as_ref();
        let mut short = 0;
        for number in 0..5_000_u32 {
            let message = number.to_be_bytes();
            let raw = fixed.sign(&random, &message).unwrap();
            short += usize::from(raw.as_ref()[0] == 0 || raw.as_ref()[32] == 0);
            let ours = ecdsa_fixed_to_der(KeyType::P256, raw.as_ref()).unwrap();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(&message, &ours).unwrap();
            let written = der.sign(&random, &message).unwrap();
            let ours = ecdsa_der_to_fixed(KeyType::P256, written.as_ref()).unwrap();
            short += usize::from(ours[0] == 0 || ours[32] == 0);
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(&message, &ours).unwrap();
        }
        // Fewer than that has a chance of one in ten million million.
        assert!(short > 25, "{short}");
    }

    #[test]
    fn refuses_short_long_and_zero_halves() {
        for raw in [vec![1; 63], vec![1; 65], [[0; 32], [1; 32]].concat(), [[1; 32], [0; 32]].concat()] {
            assert_eq!(ecdsa_fixed_to_der(KeyType::P256, &raw).unwrap_err().kind(), ErrorKind::Integrity);
        }
        let wide = ecdsa_fixed_to_der(KeyType::P384, &[0x7f; 96]).unwrap();
        assert!(ecdsa_der_to_fixed(KeyType::P256, &wide).is_err());
        // A needless leading zero is BER, not DER (X.690 8.3.2).
        assert!(ecdsa_der_to_fixed(KeyType::P256, &[0x30, 7, 2, 2, 0, 1, 2, 1, 1]).is_err());
    }

    #[test]
    fn takes_a_point_in_all_three_forms() {
        let point = [&[4_u8][..], &[7; 64]].concat();
        let octets = [&[0x04, 65][..], &point].concat();
        let bits = [&[0x03, 66, 0][..], &point].concat();
        for form in [&point, &octets, &bits] {
            assert_eq!(public_point(KeyType::P256, form).unwrap(), point);
        }
        assert!(public_point(KeyType::P256, &[&[2_u8][..], &[7; 32]].concat()).is_err());
        assert!(public_point(KeyType::P384, &point).is_err());
        let point = [7; 32];
        for form in [&point[..], &[&[0x04, 32][..], &point].concat(), &[&[0x03, 33, 0][..], &point].concat()]
        {
            assert_eq!(public_point(KeyType::Ed25519, form).unwrap(), point);
        }
        assert!(public_point(KeyType::Ed25519, &point[1..]).is_err());
        assert!(public_point(KeyType::Rsa2048, &point).is_err());
    }

    /// tpm2-pkcs11 1.9 writes the length of 133 bytes in one byte, where DER takes two.
    #[test]
    fn reads_a_long_point_whose_length_is_short() {
        let point = [&[4_u8][..], &[7; 132]].concat();
        let short = [&[4, 133][..], &point].concat();
        assert_eq!(public_point(KeyType::P521, &short).unwrap(), point);
        assert!(public_point(KeyType::P521, &short[..134]).is_err());
        assert!(public_point(KeyType::P384, &short).is_err());
    }
}
