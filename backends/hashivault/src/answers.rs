//! What the server answers, as types. Fields that are not read are not named: servers differ in them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyType, PublicKey};
use serde::Deserialize;
use serde_json::Value;

/// What every successful answer has around it.
#[derive(Deserialize)]
pub(crate) struct Envelope<T> {
    pub(crate) data: T,
}

/// `GET keys/NAME`.
#[derive(Deserialize)]
pub(crate) struct Key {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) key_type: String,
    pub(crate) latest_version: u32,
    /// Versions below have been archived: they are not among `keys`.
    #[serde(default)]
    pub(crate) min_decryption_version: u32,
    /// Versions below sign no more; 0 sets no limit.
    #[serde(default)]
    pub(crate) min_encryption_version: u32,
    /// Each version with its public half; of symmetric keys a time in place of it.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) derived: bool,
    #[serde(default)]
    pub(crate) exportable: bool,
    #[serde(default)]
    pub(crate) allow_plaintext_backup: bool,
    #[serde(default)]
    pub(crate) deletion_allowed: bool,
    #[serde(default)]
    pub(crate) soft_deleted: bool,
}

/// The types that sign, by the server's names.
const TYPES: [(&str, KeyType); 7] = [
    ("ecdsa-p256", KeyType::P256),
    ("ecdsa-p384", KeyType::P384),
    ("ecdsa-p521", KeyType::P521),
    ("rsa-2048", KeyType::Rsa2048),
    ("rsa-3072", KeyType::Rsa3072),
    ("rsa-4096", KeyType::Rsa4096),
    ("ed25519", KeyType::Ed25519),
];

/// The server's name of a key type.
pub(crate) fn type_name(key_type: KeyType) -> Option<&'static str> {
    TYPES.iter().find(|(_, ours)| *ours == key_type).map(|(name, _)| *name)
}

impl Key {
    /// The type, if it signs anything that can be verified with a public key.
    pub(crate) fn signing_type(&self) -> Option<KeyType> {
        TYPES.iter().find(|(name, _)| *name == self.key_type).map(|(_, ours)| *ours).filter(|_| !self.derived)
    }

    /// The versions that there are, oldest first.
    pub(crate) fn versions(&self) -> Vec<u32> {
        let mut versions: Vec<u32> = self.keys.keys().filter_map(|version| version.parse().ok()).collect();
        versions.sort_unstable();
        versions
    }

    /// The public half of a version.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such version, [`ErrorKind::Unsupported`] for a key that does not sign,
    /// [`ErrorKind::Integrity`] when the key is of another type than the server says.
    pub(crate) fn public_key(&self, version: u32, what: &str) -> Result<PublicKey> {
        let Some(expected) = self.signing_type() else {
            let why = if self.derived {
                "it derives a key for each context, so it has no one public key".to_owned()
            } else {
                format!("it is of type {}, which does not sign for a public key", self.key_type)
            };
            return Err(Error::new(ErrorKind::Unsupported, what)
                .why(why)
                .hint("make a key for signing, as with: countersign generate-key-pair --kms URI"));
        };
        let Some(entry) = self.keys.get(&version.to_string()) else {
            return Err(self.no_version(version, what));
        };
        let text = entry["public_key"].as_str().unwrap_or_default();
        let key = if expected == KeyType::Ed25519 && !text.starts_with("-----") {
            // Both servers write the 32 bytes of RFC 8032 in base64 here, PEM for all others.
            let bytes = STANDARD.decode(text).unwrap_or_default();
            PublicKey::from_parts(expected, bytes)
        } else {
            PublicKey::from_pem_or_der(text.as_bytes())
        };
        let damaged = |why: String| Error::new(ErrorKind::Integrity, what).why(why);
        let key = key.map_err(|cause| damaged(format!("the server's public key: {cause}")))?;
        if key.key_type() == expected {
            return Ok(key);
        }
        Err(damaged(format!("expected a public key of type {expected}, found {}", key.key_type())))
    }

    fn no_version(&self, version: u32, what: &str) -> Error {
        let versions = self.versions();
        let range = match (versions.first(), versions.last()) {
            (Some(first), Some(last)) if first == last => format!("version {first} alone"),
            (Some(first), Some(last)) => format!("versions {first} to {last}"),
            _ => "no version".to_owned(),
        };
        let error =
            Error::new(ErrorKind::NotFound, what).why(format!("there is no version {version}, but {range}"));
        if version != 0 && version < self.min_decryption_version {
            return error.hint(format!(
                "it is archived: somebody who may lowers min_decryption_version, which is {}, to {version}",
                self.min_decryption_version
            ));
        }
        error.hint("list the versions with: countersign keys list, and the URI without version")
    }
}

/// `POST sign/NAME`.
#[derive(Deserialize)]
pub(crate) struct Signed {
    pub(crate) signature: String,
    /// OpenBao and newer Vaults say it twice.
    pub(crate) key_version: Option<u32>,
}

impl Signed {
    /// The bytes of a signature `vault:vN:BASE64` that must be of version `expected`.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] for another version or another form.
    pub(crate) fn bytes(&self, expected: u32, what: &str) -> Result<Vec<u8>> {
        let wrong = |why: String| Error::new(ErrorKind::Integrity, what).why(why);
        let form = || wrong("the answer has no signature of the form vault:vN:BASE64".to_owned());
        let mut parts = self.signature.splitn(3, ':');
        let (Some("vault"), Some(version), Some(signature)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(form());
        };
        let version: u32 = version.strip_prefix('v').and_then(|text| text.parse().ok()).ok_or_else(form)?;
        let told = self.key_version.unwrap_or(version);
        if (version, told) != (expected, expected) {
            let found = if version == expected { told } else { version };
            return Err(wrong(format!(
                "the server signed with another version of the key: expected {expected}, found {found}"
            ))
            .hint("something between here and the server changes requests or answers"));
        }
        STANDARD.decode(signature).map_err(|_| form())
    }
}

/// `LIST keys`.
#[derive(Deserialize)]
pub(crate) struct Names {
    pub(crate) keys: Vec<String>,
}

/// What a login returns.
#[derive(Deserialize)]
pub(crate) struct Login {
    pub(crate) auth: Auth,
}

#[derive(Deserialize)]
pub(crate) struct Auth {
    pub(crate) client_token: String,
    /// Seconds; 0 never ends.
    #[serde(default)]
    pub(crate) lease_duration: u64,
}

/// `auth/token/lookup-self`. The answer's `id` is the token itself, which is not read.
#[derive(Deserialize)]
pub(crate) struct Token {
    pub(crate) display_name: String,
    #[serde(default)]
    pub(crate) policies: Vec<String>,
    /// Seconds left; 0 never ends.
    #[serde(default)]
    pub(crate) ttl: u64,
}

/// `sys/seal-status`, which needs no token.
#[derive(Deserialize)]
pub(crate) struct SealStatus {
    pub(crate) sealed: bool,
    #[serde(default)]
    pub(crate) version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(signature: &str, key_version: Option<u32>) -> Result<Vec<u8>> {
        Signed { signature: signature.to_owned(), key_version }.bytes(3, "cannot sign")
    }

    #[test]
    fn a_signature_names_its_version() {
        assert_eq!(signed("vault:v3:AQI=", None).unwrap(), [1, 2]);
        assert_eq!(signed("vault:v3:AQI=", Some(3)).unwrap(), [1, 2]);
        for (text, told) in [
            ("vault:v4:AQI=", None),
            ("vault:v3:AQI=", Some(4)),
            ("vault:v4:AQI=", Some(3)),
            ("vault:3:AQI=", None),
            ("vault:v3", None),
            ("vault:v3:!", None),
            ("AQI=", None),
            ("", None),
        ] {
            assert_eq!(signed(text, told).unwrap_err().kind(), ErrorKind::Integrity, "{text}");
        }
    }

    #[test]
    fn a_key_that_is_not_what_it_says_is_refused() {
        let key = |text: &str| serde_json::from_str::<Key>(text).unwrap();
        let mut symmetric =
            key(r#"{"name":"k","type":"aes256-gcm96","latest_version":1,"keys":{"1":1700000000}}"#);
        assert_eq!(symmetric.public_key(1, "x").unwrap_err().kind(), ErrorKind::Unsupported);
        symmetric.key_type = "ecdsa-p256".to_owned();
        assert_eq!(symmetric.public_key(1, "x").unwrap_err().kind(), ErrorKind::Integrity);
        assert_eq!(symmetric.public_key(2, "x").unwrap_err().kind(), ErrorKind::NotFound);
        let ed25519 = key(
            r#"{"name":"k","type":"ed25519","latest_version":1,"keys":{"1":{"public_key":"wN9Ads4H9V3U28FZPMF0TgOziNGtjwsMbJfIlxTh/6w="}}}"#,
        );
        assert_eq!(ed25519.public_key(1, "x").unwrap().key_type(), KeyType::Ed25519);
    }
}
