//! The fields of each key type: public half (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4) and private section
//! (PROTOCOL.key 3, whose field order is that of OpenSSH's agent protocol).

use aws_lc_rs::signature::EcdsaKeyPair;
use num_bigint_dig::BigUint;
use pkcs8::der::Encode;
use pkcs8::der::asn1::UintRef;
use zeroize::{Zeroize, Zeroizing};

use super::super::parse::rejected;
use super::super::{LocalKey, damaged, ecdsa, unsupported};
use super::cursor::Cursor;
use super::protection::shown;
use crate::algorithm::KeyType;
use crate::error::{Error, Result};
use crate::public_key::PublicKey;

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Ed25519,
    Ecdsa { key_type: KeyType, curve: &'static [u8] },
    Rsa,
}

impl Kind {
    /// By the name that begins both halves.
    pub(super) fn parse(name: &[u8]) -> Result<Self> {
        match name {
            b"ssh-ed25519" => Ok(Self::Ed25519),
            b"ecdsa-sha2-nistp256" => Ok(Self::Ecdsa { key_type: KeyType::P256, curve: b"nistp256" }),
            b"ecdsa-sha2-nistp384" => Ok(Self::Ecdsa { key_type: KeyType::P384, curve: b"nistp384" }),
            b"ecdsa-sha2-nistp521" => Ok(Self::Ecdsa { key_type: KeyType::P521, curve: b"nistp521" }),
            b"ssh-rsa" => Ok(Self::Rsa),
            b"sk-ssh-ed25519@openssh.com" | b"sk-ecdsa-sha2-nistp256@openssh.com" => {
                Err(unsupported("it is the handle of a FIDO key, which signs challenges only"))
            }
            other => Err(unsupported(format!("OpenSSH key type {}", shown(other)))),
        }
    }

    /// The public half behind its name.
    pub(super) fn parse_public(self, fields: &mut Cursor<'_>) -> Result<PublicKey> {
        let key = match self {
            Self::Ed25519 => PublicKey::from_parts(KeyType::Ed25519, fields.string()?.to_vec()),
            Self::Ecdsa { key_type, curve } => {
                PublicKey::from_parts(key_type, point(fields, curve)?.to_vec())
            }
            Self::Rsa => {
                let (e, n) = (fields.positive()?, fields.positive()?);
                PublicKey::from_rsa_numbers(n, e)
            }
        };
        // The user named a private key: that is what cannot be read or used.
        key.map_err(|error| error.with_what(|what| what.replace("the public key", "the private key")))
    }

    /// The private fields behind the name, up to the comment.
    pub(super) fn parse_private(self, fields: &mut Cursor<'_>) -> Result<LocalKey> {
        match self {
            Self::Ed25519 => {
                let public = fields.string()?;
                // RFC 8032's seed and, once more, the public half.
                let pair = fields.string()?;
                let Some((seed, again)) = pair.split_first_chunk::<32>() else {
                    return Err(damaged(&"its seed is not 32 bytes"));
                };
                let key = LocalKey::from_ed25519_seed(Zeroizing::new(*seed))?;
                if public != again
                    || PublicKey::from_parts(KeyType::Ed25519, public.to_vec())? != key.public_key
                {
                    return Err(damaged(&"its public half belongs to another key"));
                }
                Ok(key)
            }
            Self::Ecdsa { key_type, curve } => {
                let point = point(fields, curve)?;
                let scalar = padded(fields.positive()?, key_type)?;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(ecdsa(key_type), &scalar, point)
                    .map_err(|cause| damaged(&cause))?;
                LocalKey::from_ecdsa(key_type, pair)
            }
            Self::Rsa => {
                let der = pkcs1_der(fields)?;
                LocalKey::from_rsa(aws_lc_rs::rsa::KeyPair::from_der(&der).map_err(|cause| rejected(&cause))?)
            }
        }
    }
}

fn point<'a>(fields: &mut Cursor<'a>, curve: &[u8]) -> Result<&'a [u8]> {
    if fields.string()? != curve {
        return Err(damaged(&"its curve is not that of its type"));
    }
    fields.string()
}

/// An `mpint` has no leading zero bytes, the scalar of SEC 1 C.4 has the width of the field.
fn padded(scalar: &[u8], key_type: KeyType) -> Result<Zeroizing<Vec<u8>>> {
    let width = key_type.field_bytes().ok_or_else(|| Error::internal("a curve without a field"))?;
    let zeros = width
        .checked_sub(scalar.len())
        .ok_or_else(|| damaged(&format!("its scalar has {} bytes, expected {width}", scalar.len())))?;
    let mut padded = Zeroizing::new(vec![0; width]);
    padded[zeros..].copy_from_slice(scalar);
    Ok(padded)
}

/// OpenSSH leaves out the CRT exponents that PKCS#1 (RFC 8017 A.1.2) wants: d mod (p-1) and d mod (q-1).
fn pkcs1_der(fields: &mut Cursor<'_>) -> Result<Zeroizing<Vec<u8>>> {
    let (n, e, d) = (fields.positive()?, fields.positive()?, fields.positive()?);
    let (iqmp, p, q) = (fields.positive()?, fields.positive()?, fields.positive()?);
    let exponent = |prime: &[u8]| {
        let mut less_one = BigUint::from_bytes_be(prime);
        if less_one < BigUint::from(3_u8) {
            return Err(damaged(&"a prime below three"));
        }
        less_one -= 1_u8;
        let mut private = BigUint::from_bytes_be(d);
        let mut exponent = &private % &less_one;
        let bytes = Zeroizing::new(exponent.to_bytes_be());
        private.zeroize();
        exponent.zeroize();
        less_one.zeroize();
        Ok(bytes)
    };
    let (dp, dq) = (exponent(p)?, exponent(q)?);
    let encode = || {
        pkcs1::RsaPrivateKey {
            modulus: UintRef::new(n)?,
            public_exponent: UintRef::new(e)?,
            private_exponent: UintRef::new(d)?,
            prime1: UintRef::new(p)?,
            prime2: UintRef::new(q)?,
            exponent1: UintRef::new(&dp)?,
            exponent2: UintRef::new(&dq)?,
            coefficient: UintRef::new(iqmp)?,
            other_prime_infos: None,
        }
        .to_der()
    };
    encode().map(Zeroizing::new).map_err(|cause: pkcs8::der::Error| damaged(&cause))
}
