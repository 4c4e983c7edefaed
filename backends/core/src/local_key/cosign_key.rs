//! Cosign's encrypted key file: PEM around JSON around scrypt and NaCl's secretbox, inside it PKCS#8.
//!
//! Shape (Cosign v3.1.3, from go-securesystemslib `encrypted`): `{"kdf":{"name":"scrypt","params":{"N","r","p"},
//! "salt"},"cipher":{"name":"nacl/secretbox","nonce"},"ciphertext"}`, byte strings in standard base64. The salt has 32
//! bytes, the nonce 24; the key is scrypt's 32 bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{LocalKey, damaged, unsupported, wrong_password};
use crate::error::{Error, Result};
use crate::random;
use crate::secret::Secret;

/// What Cosign writes; as costly as 64 MiB and about 0.13 s.
const WRITTEN_LOG_N: u8 = 16;
/// log2 of the N that Cosign wrote in the past, writes, and reads from others: 32768, 65536, 131072. Anything else is
/// a hostile or foreign file: N chooses how much memory we take, so it is not the file's to choose.
const ACCEPTED_LOG_N: [u8; 3] = [15, 16, 17];
const R: u32 = 8;
const P: u32 = 1;
const SALT_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cipher {
    name: String,
    nonce: String,
}

/// Decrypts the JSON inside the PEM to PKCS#8. Costs one scrypt; the password is asked for only when the file is
/// sound.
pub(super) fn open(json: &[u8], password: impl FnOnce() -> Result<Secret>) -> Result<Zeroizing<Vec<u8>>> {
    let file: File = serde_json::from_slice(json).map_err(|cause| damaged(&cause))?;
    if file.kdf.name != "scrypt" {
        return Err(unsupported(format!("its password hashing is \"{}\", expected scrypt", file.kdf.name)));
    }
    if file.cipher.name != "nacl/secretbox" {
        return Err(unsupported(format!("its cipher is \"{}\", expected nacl/secretbox", file.cipher.name)));
    }
    let Params { n, r, p } = file.kdf.params;
    let log_n = ACCEPTED_LOG_N.into_iter().find(|log_n| 1 << log_n == n).filter(|_| r == R && p == P);
    let log_n = log_n.ok_or_else(|| {
        unsupported(format!("its scrypt cost N={n}, r={r}, p={p} is not one that Cosign writes"))
            .hint("N is 32768, 65536 or 131072 with r=8 and p=1; the file may be made to exhaust memory")
    })?;
    let salt = decode::<SALT_BYTES>(&file.kdf.salt, "salt")?;
    let nonce = decode::<NONCE_BYTES>(&file.cipher.nonce, "nonce")?;
    let ciphertext = STANDARD.decode(&file.ciphertext).map_err(|cause| damaged(&cause))?;
    let cipher = cipher(&password()?, &salt, log_n)?;
    cipher.decrypt((&nonce).into(), ciphertext.as_slice()).map(Zeroizing::new).map_err(|_| wrong_password())
}

/// Writes a key in this form, PEM with the label and line width that Cosign uses. Costs one scrypt.
pub fn seal(key: &LocalKey, password: &Secret) -> Result<String> {
    let salt = random::bytes::<SALT_BYTES>()?;
    let nonce = random::bytes::<NONCE_BYTES>()?;
    let ciphertext = cipher(password, &salt, WRITTEN_LOG_N)?
        .encrypt((&nonce).into(), key.to_pkcs8()?.as_slice())
        .map_err(|_| Error::internal("cannot encrypt a private key"))?;
    let file = File {
        kdf: Kdf {
            name: "scrypt".to_owned(),
            params: Params { n: 1 << WRITTEN_LOG_N, r: R, p: P },
            salt: STANDARD.encode(salt),
        },
        cipher: Cipher { name: "nacl/secretbox".to_owned(), nonce: STANDARD.encode(nonce) },
        ciphertext: STANDARD.encode(ciphertext),
    };
    let json = serde_json::to_vec(&file).map_err(|_| Error::internal("cannot encode a key file"))?;
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    Ok(pem::encode_config(&pem::Pem::new("ENCRYPTED SIGSTORE PRIVATE KEY", json), config))
}

fn cipher(password: &Secret, salt: &[u8], log_n: u8) -> Result<XSalsa20Poly1305> {
    let params = scrypt::Params::new(log_n, R, P, 32).map_err(|_| Error::internal("scrypt parameters"))?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password.expose(), salt, &params, key.as_mut())
        .map_err(|_| Error::internal("scrypt output"))?;
    Ok(XSalsa20Poly1305::new((&*key).into()))
}

fn decode<const N: usize>(text: &str, name: &str) -> Result<[u8; N]> {
    let bytes = STANDARD.decode(text).map_err(|cause| damaged(&cause))?;
    bytes
        .try_into()
        .map_err(|bytes: Vec<u8>| damaged(&format!("its {name} has {} bytes, expected {N}", bytes.len())))
}
