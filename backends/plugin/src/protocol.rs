//! Cosign's plugin protocol v1, as types: what is asked in an argument, what is answered on standard output.
//!
//! Cosign v3.1.3, sigstore v1.10.8 `pkg/signature/kms/cliplugin/common`. Bytes are base64, hashes are Go's numbers, times RFC 3339.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::HashAlgorithm;
use countersign_core::digest::Digest;
use serde::Deserialize;
use serde_json::{Value, json};

/// The first argument, and again inside the second.
pub(crate) const VERSION: &str = "v1";

/// What a plugin is asked to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Method<'a> {
    DefaultAlgorithm,
    SupportedAlgorithms,
    CreateKey(&'a str),
    PublicKey,
    /// A digest, or `None`: the message comes on standard input.
    SignMessage(Option<&'a Digest>),
}

impl Method<'_> {
    /// The name in the protocol.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DefaultAlgorithm => "defaultAlgorithm",
            Self::SupportedAlgorithms => "supportedAlgorithms",
            Self::CreateKey(_) => "createKey",
            Self::PublicKey => "publicKey",
            Self::SignMessage(_) => "signMessage",
        }
    }

    /// The second argument: the key, until when an answer is awaited, and the method's own arguments under its name.
    pub(crate) fn arguments(self, resource: &str, deadline: Option<SystemTime>) -> String {
        let deadline =
            deadline.and_then(|at| der::DateTime::from_system_time(at).ok()).map(|at| at.to_string());
        let timed = |mut value: Value| {
            if let Some(deadline) = &deadline {
                value["ctxDeadline"] = deadline.as_str().into();
            }
            value
        };
        let rpc = timed(json!({ "keyVersion": "", "remoteVerification": false }));
        let (own, hash) = match self {
            Self::DefaultAlgorithm | Self::SupportedAlgorithms => (json!({}), None),
            Self::CreateKey(algorithm) => (timed(json!({ "algorithm": algorithm })), None),
            Self::PublicKey => (json!({ "publicKeyOptions": { "rpcOptions": rpc.clone() } }), None),
            Self::SignMessage(Some(digest)) => {
                let message = json!({
                    "digest": STANDARD.encode(digest.bytes()),
                    "hashFunc": hash_number(digest.algorithm()),
                });
                let options = json!({ "rpcOptions": rpc.clone(), "messageOptions": message });
                (json!({ "signOptions": options }), Some(digest.algorithm()))
            }
            Self::SignMessage(None) => {
                let options = json!({ "rpcOptions": rpc.clone(), "messageOptions": { "digest": null } });
                (json!({ "signOptions": options }), None)
            }
        };
        // Cosign says SHA-256 where no digest is in play; a plugin may insist on a number that it knows.
        let init = timed(json!({
            "protocolVersion": VERSION,
            "keyResourceID": resource,
            "hashFunc": hash_number(hash.unwrap_or(HashAlgorithm::Sha256)),
            "rpcOptions": rpc,
        }));
        json!({ "initOptions": init, "methodName": self.name(), self.name(): own }).to_string()
    }
}

/// Go's `crypto.Hash`.
fn hash_number(hash: HashAlgorithm) -> u8 {
    match hash {
        HashAlgorithm::Sha256 => 5,
        HashAlgorithm::Sha384 => 6,
        HashAlgorithm::Sha512 => 7,
    }
}

/// What a plugin answers: the member of the method that was asked, or a message.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Answer {
    pub(crate) error_message: String,
    pub(crate) default_algorithm: Option<DefaultAlgorithm>,
    pub(crate) supported_algorithms: Option<SupportedAlgorithms>,
    pub(crate) create_key: Option<Key>,
    pub(crate) public_key: Option<Key>,
    pub(crate) sign_message: Option<Signed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DefaultAlgorithm {
    pub(crate) default_algorithm: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SupportedAlgorithms {
    /// Go writes an empty list as null.
    pub(crate) supported_algorithms: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Key {
    /// PEM, in base64.
    #[serde(rename = "publicKeyPEM")]
    pub(crate) public_key_pem: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Signed {
    /// In base64: ASN.1 DER of ECDSA, the octets of RSA, the 64 bytes of Ed25519.
    pub(crate) signature: String,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What Cosign v3.1.3 sends, recorded by the sample plugin, but for the digest and the time.
    #[test]
    fn asks_as_cosign_does() {
        let digest = HashAlgorithm::Sha384.digest(b"");
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let text = Method::SignMessage(Some(&digest)).arguments("a\"b", Some(at));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["initOptions"]["keyResourceID"], "a\"b");
        assert_eq!(value["initOptions"]["protocolVersion"], "v1");
        assert_eq!(value["initOptions"]["hashFunc"], 6);
        assert_eq!(value["initOptions"]["ctxDeadline"], "2027-01-15T08:00:00Z");
        assert_eq!(value["methodName"], "signMessage");
        let options = &value["signMessage"]["signOptions"];
        assert_eq!(options["messageOptions"]["hashFunc"], 6);
        assert_eq!(options["messageOptions"]["digest"], STANDARD.encode(digest.bytes()));
        assert_eq!(options["rpcOptions"]["keyVersion"], "");
        let plain: Value = serde_json::from_str(&Method::PublicKey.arguments("k", None)).unwrap();
        assert_eq!(
            plain,
            json!({
                "initOptions": {
                    "protocolVersion": "v1",
                    "keyResourceID": "k",
                    "hashFunc": 5,
                    "rpcOptions": { "keyVersion": "", "remoteVerification": false },
                },
                "methodName": "publicKey",
                "publicKey": {
                    "publicKeyOptions": { "rpcOptions": { "keyVersion": "", "remoteVerification": false } },
                },
            })
        );
    }

    #[test]
    fn reads_what_gos_encoder_writes() {
        let answer: Answer = serde_json::from_str(
            r#"{"supportedAlgorithms":{"supportedAlgorithms":null},"publicKey":{"publicKeyPEM":"eA=="},"verifySignature":{}}"#,
        )
        .unwrap();
        assert!(answer.error_message.is_empty() && answer.sign_message.is_none());
        assert!(answer.supported_algorithms.unwrap().supported_algorithms.is_none());
        assert_eq!(answer.public_key.unwrap().public_key_pem, "eA==");
    }
}
