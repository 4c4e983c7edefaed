//! PKCS#8 (RFC 5208, RFC 5958), plain and encrypted with PBES2 (RFC 8018).

use pkcs8::der::{Decode, Encode};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::{EncryptedPrivateKeyInfo, PrivateKeyInfo};
use zeroize::Zeroizing;

use super::parse::rejected;
use super::{LocalKey, damaged, ecdsa, unsupported, wrong_password};
use crate::encoding;
use crate::error::Result;
use crate::limits::{MAX_PBKDF2_ROUNDS, MAX_PKCS8_SCRYPT_BLOCKS};
use crate::secret::Secret;

/// Reads a plain PKCS#8 key.
pub(super) fn parse(der: &[u8]) -> Result<LocalKey> {
    let info = PrivateKeyInfo::from_der(der).map_err(|cause| damaged(&cause))?;
    let oid = info.algorithm.oid;
    if oid == encoding::EC_PUBLIC_KEY {
        let curve =
            info.algorithm.parameters_oid().map_err(|_| unsupported("its curve is not a named one"))?;
        let key_type = encoding::curve(curve)
            .ok_or_else(|| unsupported(format!("its curve ({curve}) is not P-256, P-384 or P-521")))?;
        let pair = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(ecdsa(key_type), der)
            .map_err(|cause| damaged(&cause))?;
        LocalKey::from_ecdsa(key_type, pair)
    } else if oid == encoding::RSA_ENCRYPTION {
        LocalKey::from_rsa(aws_lc_rs::rsa::KeyPair::from_pkcs8(der).map_err(|cause| rejected(&cause))?)
    } else if oid == encoding::ED25519 {
        // RFC 8410 7: the private key is an OCTET STRING inside the OCTET STRING.
        let seed =
            pkcs8::der::asn1::OctetStringRef::from_der(info.private_key).map_err(|cause| damaged(&cause))?;
        let seed = <[u8; 32]>::try_from(seed.as_bytes()).map_err(|_| damaged(&"its seed is not 32 bytes"))?;
        let key = LocalKey::from_ed25519_seed(Zeroizing::new(seed))?;
        match info.public_key {
            Some(public) if !key.public_key.spki_der().ends_with(public) => {
                Err(damaged(&"its public half belongs to another key"))
            }
            _ => Ok(key),
        }
    } else if oid == encoding::RSASSA_PSS {
        Err(unsupported("it is bound to RSASSA-PSS parameters")
            .hint("use a plain RSA key and --signing-algorithm rsa-sign-pss-…"))
    } else {
        Err(unsupported(format!("its algorithm is {oid}")))
    }
}

/// Decrypts PBES2. The cost that the file asks for is bounded before the password is asked.
pub(super) fn decrypt(der: &[u8], password: impl FnOnce() -> Result<Secret>) -> Result<Zeroizing<Vec<u8>>> {
    let info = EncryptedPrivateKeyInfo::from_der(der).map_err(|cause| match cause.kind() {
        // Triple DES, say: the file is sound, its cipher is not one we take.
        pkcs8::der::ErrorKind::OidUnknown { oid } => {
            unsupported(format!("it is encrypted in a way that we do not read ({oid})"))
                .hint("convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW")
        }
        _ => damaged(&cause),
    })?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(unsupported("it is encrypted with PBES1, which is broken")
            .hint("convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW"));
    };
    match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count > MAX_PBKDF2_ROUNDS => {
            return Err(unsupported(format!(
                "it asks for {} PBKDF2 rounds, the limit is {MAX_PBKDF2_ROUNDS}",
                pbkdf2.iteration_count
            )));
        }
        Kdf::Scrypt(scrypt) => {
            let blocks = scrypt.cost_parameter.saturating_mul(u64::from(scrypt.block_size));
            if blocks > MAX_PKCS8_SCRYPT_BLOCKS || scrypt.parallelization != 1 {
                return Err(unsupported("its scrypt cost is above our limit (N·r of 1048576, p of 1)"));
            }
        }
        _ => {}
    }
    let password = password()?;
    let document = info.decrypt(password.expose()).map_err(|cause| match cause {
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. })
        | pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::NoPbes1CryptSupport) => {
            unsupported(cause.to_string())
        }
        _ => wrong_password(),
    })?;
    // The document wipes itself; this copy does too.
    document
        .decode_msg::<PrivateKeyInfo<'_>>()
        .map_err(|_| wrong_password())?
        .to_der()
        .map(Zeroizing::new)
        .map_err(|cause| damaged(&cause))
}
