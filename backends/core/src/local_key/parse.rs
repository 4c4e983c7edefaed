//! Tells the form of a private key file and reads it.

use pkcs8::der::Decode;
use zeroize::Zeroizing;

use super::{LocalKey, cosign_key, damaged, ecdsa, openssh, pkcs8_key, unsupported};
use crate::algorithm::KeyType;
use crate::encoding;
use crate::error::Result;
use crate::secret::Secret;

/// The form in which a private key is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Cosign's encrypted key (PEM `ENCRYPTED SIGSTORE PRIVATE KEY` or `ENCRYPTED COSIGN PRIVATE KEY`).
    Cosign,
    /// PKCS#8 (RFC 5208), PEM or DER.
    Pkcs8,
    /// Encrypted PKCS#8, PBES2 (RFC 8018).
    EncryptedPkcs8,
    /// `ECPrivateKey` (SEC 1 C.4, RFC 5915).
    Sec1,
    /// `RSAPrivateKey` (RFC 8017 A.1.2).
    Pkcs1,
    /// OpenSSH's own container, encrypted or not.
    OpenSsh,
}

impl Form {
    /// The name people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosign => "Cosign encrypted key",
            Self::Pkcs8 => "PKCS#8",
            Self::EncryptedPkcs8 => "encrypted PKCS#8",
            Self::Sec1 => "SEC1",
            Self::Pkcs1 => "PKCS#1",
            Self::OpenSsh => "OpenSSH",
        }
    }

    /// Whether the key is certainly in the clear. An OpenSSH file tells only when it is read.
    pub fn is_plain(self) -> bool {
        match self {
            Self::Pkcs8 | Self::Sec1 | Self::Pkcs1 => true,
            Self::Cosign | Self::EncryptedPkcs8 | Self::OpenSsh => false,
        }
    }
}

/// Which form `bytes` are in, by PEM label or DER shape, without decrypting anything.
///
/// # Errors
/// [`crate::ErrorKind::Unsupported`] for something that is no private key, with what it is where that is known.
pub fn form(bytes: &[u8]) -> Result<Form> {
    block(bytes).map(|(form, _)| form)
}

/// Reads a private key. `password` is called at most once, and only when the key turns out to be encrypted.
///
/// # Errors
/// [`crate::ErrorKind::WrongPin`], [`crate::ErrorKind::Unsupported`] for forms, types and sizes we do not take (hostile
/// password-hashing costs among them), [`crate::ErrorKind::Integrity`] for damaged keys, and what `password` returns.
pub fn parse(bytes: &[u8], password: impl FnOnce() -> Result<Secret>) -> Result<LocalKey> {
    let (form, content) = block(bytes)?;
    match form {
        Form::Cosign => pkcs8_key::parse(&cosign_key::open(&content, password)?),
        Form::Pkcs8 => pkcs8_key::parse(&content),
        Form::EncryptedPkcs8 => pkcs8_key::parse(&pkcs8_key::decrypt(&content, password)?),
        Form::Sec1 => parse_sec1(&content),
        Form::Pkcs1 => parse_pkcs1(&content),
        Form::OpenSsh => openssh::parse(bytes, password),
    }
}

/// The form, and the content of the PEM block or the DER itself.
fn block(bytes: &[u8]) -> Result<(Form, Zeroizing<Vec<u8>>)> {
    let Some(start) = bytes.windows(11).position(|window| window == b"-----BEGIN ") else {
        return der_form(bytes).map(|form| (form, Zeroizing::new(bytes.to_vec())));
    };
    // An EC key made by `openssl ecparam -genkey` is preceded by a block with its parameters: skip that one.
    let blocks = pem::parse_many(&bytes[start..]).map_err(|cause| damaged(&cause))?;
    let block = blocks
        .into_iter()
        .find(|block| block.tag() != "EC PARAMETERS")
        .ok_or_else(|| damaged(&"no complete PEM block"))?;
    let old_encryption = block.headers().get("DEK-Info").is_some();
    let tag = block.tag().to_owned();
    let content = Zeroizing::new(block.into_contents());
    if old_encryption {
        return Err(unsupported(
            "it is encrypted in OpenSSL's old PEM form, whose password hashing is one MD5",
        )
        .hint("convert it with: openssl pkcs8 -topk8 -in OLD -out NEW"));
    }
    let form = match tag.as_str() {
        "ENCRYPTED SIGSTORE PRIVATE KEY" | "ENCRYPTED COSIGN PRIVATE KEY" => Form::Cosign,
        "PRIVATE KEY" => Form::Pkcs8,
        "ENCRYPTED PRIVATE KEY" => Form::EncryptedPkcs8,
        "EC PRIVATE KEY" => Form::Sec1,
        "RSA PRIVATE KEY" => Form::Pkcs1,
        "OPENSSH PRIVATE KEY" => Form::OpenSsh,
        "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" => {
            return Err(unsupported(format!("a PEM block \"{tag}\" holds no private key"))
                .hint("signing needs the private half, as in cosign.key; cosign.pub verifies"));
        }
        other => return Err(unsupported(format!("a PEM block \"{other}\" is no key form we read"))),
    };
    Ok((form, content))
}

fn der_form(bytes: &[u8]) -> Result<Form> {
    if pkcs8::PrivateKeyInfo::from_der(bytes).is_ok() {
        Ok(Form::Pkcs8)
    } else if pkcs8::EncryptedPrivateKeyInfo::from_der(bytes).is_ok() {
        Ok(Form::EncryptedPkcs8)
    } else if sec1::EcPrivateKey::from_der(bytes).is_ok() {
        Ok(Form::Sec1)
    } else if pkcs1::RsaPrivateKey::from_der(bytes).is_ok() {
        Ok(Form::Pkcs1)
    } else {
        Err(unsupported("it is neither PEM nor DER of a private key"))
    }
}

fn parse_sec1(der: &[u8]) -> Result<LocalKey> {
    let key = sec1::EcPrivateKey::from_der(der).map_err(|cause| damaged(&cause))?;
    let key_type = match key.parameters.and_then(|parameters| parameters.named_curve()) {
        Some(oid) => encoding::curve(oid),
        // Without parameters the size of the scalar tells the curve (SEC 1 C.4 leaves them optional).
        None => [KeyType::P256, KeyType::P384, KeyType::P521]
            .into_iter()
            .find(|key_type| key_type.field_bytes() == Some(key.private_key.len())),
    }
    .ok_or_else(|| unsupported("its curve is not P-256, P-384 or P-521"))?;
    let pair = aws_lc_rs::signature::EcdsaKeyPair::from_private_key_der(ecdsa(key_type), der)
        .map_err(|cause| damaged(&cause))?;
    LocalKey::from_ecdsa(key_type, pair)
}

fn parse_pkcs1(der: &[u8]) -> Result<LocalKey> {
    LocalKey::from_rsa(aws_lc_rs::rsa::KeyPair::from_der(der).map_err(|cause| rejected(&cause))?)
}

/// The library's reasons that concern size rather than damage.
pub(super) fn rejected(cause: &aws_lc_rs::error::KeyRejected) -> crate::error::Error {
    let text = cause.to_string();
    if text.contains("TooSmall") || text.contains("TooLarge") {
        unsupported("its RSA modulus has an unusual size").hint("use RSA 2048, 3072 or 4096")
    } else {
        damaged(&text)
    }
}
