//! OpenSSH's private key container (PROTOCOL.key), plain or encrypted with bcrypt-pbkdf.

use num_bigint_dig::BigUint;
use pkcs8::der::Encode;
use pkcs8::der::asn1::UintRef;
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::{EcdsaCurve, Kdf, PrivateKey};
use zeroize::{Zeroize, Zeroizing};

use super::parse::rejected;
use super::{LocalKey, damaged, ecdsa, unsupported, wrong_password};
use crate::algorithm::KeyType;
use crate::error::Result;
use crate::limits::MAX_BCRYPT_ROUNDS;
use crate::secret::Secret;

/// Reads the whole PEM text.
pub(super) fn parse(pem: &[u8], password: impl FnOnce() -> Result<Secret>) -> Result<LocalKey> {
    let mut key = PrivateKey::from_openssh(pem).map_err(|cause| damaged(&cause))?;
    if key.is_encrypted() {
        if let Kdf::Bcrypt { rounds, .. } = key.kdf()
            && *rounds > MAX_BCRYPT_ROUNDS
        {
            return Err(unsupported(format!(
                "it asks for {rounds} bcrypt rounds, the limit is {MAX_BCRYPT_ROUNDS}"
            )));
        }
        key = key.decrypt(password()?.expose()).map_err(|_| wrong_password())?;
    }
    match key.key_data() {
        KeypairData::Ed25519(pair) => LocalKey::from_ed25519_seed(Zeroizing::new(pair.private.to_bytes())),
        KeypairData::Ecdsa(pair) => {
            let key_type = match pair.curve() {
                EcdsaCurve::NistP256 => KeyType::P256,
                EcdsaCurve::NistP384 => KeyType::P384,
                EcdsaCurve::NistP521 => KeyType::P521,
            };
            let pair = aws_lc_rs::signature::EcdsaKeyPair::from_private_key_and_public_key(
                ecdsa(key_type),
                pair.private_key_bytes(),
                pair.public_key_bytes(),
            )
            .map_err(|cause| damaged(&cause))?;
            LocalKey::from_ecdsa(key_type, pair)
        }
        KeypairData::Rsa(pair) => {
            let der = pkcs1_der(pair)?;
            LocalKey::from_rsa(aws_lc_rs::rsa::KeyPair::from_der(&der).map_err(|cause| rejected(&cause))?)
        }
        KeypairData::SkEcdsaSha2NistP256(_) | KeypairData::SkEd25519(_) => {
            Err(unsupported("it is the handle of a FIDO key, which signs challenges only"))
        }
        other => Err(unsupported(format!(
            "OpenSSH key type {}",
            other.algorithm().map_or_else(|_| "unknown".to_owned(), |algorithm| algorithm.to_string())
        ))),
    }
}

/// OpenSSH leaves out the CRT exponents that PKCS#1 (RFC 8017 A.1.2) wants: d mod (p-1) and d mod (q-1).
fn pkcs1_der(pair: &RsaKeypair) -> Result<Zeroizing<Vec<u8>>> {
    let positive = |number: &ssh_key::Mpint| {
        number
            .as_positive_bytes()
            .map(<[u8]>::to_vec)
            .map(Zeroizing::new)
            .ok_or_else(|| damaged(&"a negative number"))
    };
    let (n, e) = (positive(&pair.public.n)?, positive(&pair.public.e)?);
    let (d, iqmp) = (positive(&pair.private.d)?, positive(&pair.private.iqmp)?);
    let (p, q) = (positive(&pair.private.p)?, positive(&pair.private.q)?);
    let exponent = |prime: &[u8]| {
        let mut less_one = BigUint::from_bytes_be(prime);
        if less_one < BigUint::from(3_u8) {
            return Err(damaged(&"a prime below three"));
        }
        less_one -= 1_u8;
        let mut private = BigUint::from_bytes_be(&d);
        let mut exponent = &private % &less_one;
        let bytes = Zeroizing::new(exponent.to_bytes_be());
        private.zeroize();
        exponent.zeroize();
        less_one.zeroize();
        Ok(bytes)
    };
    let (dp, dq) = (exponent(&p)?, exponent(&q)?);
    let encode = || {
        pkcs1::RsaPrivateKey {
            modulus: UintRef::new(&n)?,
            public_exponent: UintRef::new(&e)?,
            private_exponent: UintRef::new(&d)?,
            prime1: UintRef::new(&p)?,
            prime2: UintRef::new(&q)?,
            exponent1: UintRef::new(&dp)?,
            exponent2: UintRef::new(&dq)?,
            coefficient: UintRef::new(&iqmp)?,
            other_prime_infos: None,
        }
        .to_der()
    };
    encode().map(Zeroizing::new).map_err(|cause: pkcs8::der::Error| damaged(&cause))
}
