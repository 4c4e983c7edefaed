//! Signers of the forge: what they sign, how logs write it down, and the bundles around it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::certificates::Certified;
use super::keys::Key;
use super::sha256;

pub(crate) const ARTIFACT: &[u8] = b"what is signed here\n";
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
pub(crate) const PREDICATE_TYPE: &str = "https://forge.example/predicate/v1";
pub(crate) const BUNDLE_0_1: &str = "application/vnd.dev.sigstore.bundle+json;version=0.1";
pub(crate) const BUNDLE_0_3: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Who signs: a key, with or without a certificate.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) key: Arc<Key>,
    pub(crate) certificate: Option<Certified>,
}

/// An envelope's parts.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub(crate) payload_type: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Signer {
    /// A key by itself.
    pub(crate) fn bare() -> Self {
        Self { key: Arc::new(Key::p256()), certificate: None }
    }

    pub(crate) fn certified(certificate: Certified) -> Self {
        Self { key: certificate.key.clone(), certificate: Some(certificate) }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message)
    }

    /// Signs a payload behind the pre-authentication encoding of DSSE.
    pub(crate) fn seal(&self, payload: &[u8]) -> Sealed {
        self.seal_as(PAYLOAD_TYPE, payload)
    }

    pub(crate) fn seal_as(&self, payload_type: &str, payload: &[u8]) -> Sealed {
        let mut sealed = Sealed {
            payload_type: payload_type.to_owned(),
            payload: payload.to_vec(),
            signature: Vec::new(),
        };
        sealed.signature = self.key.sign(&sealed.signed());
        sealed
    }

    /// A body of a log of version 1 about a signature over an artifact. The names stand in the order of RFC 8785.
    pub(crate) fn hashedrekord(&self, artifact: &[u8], signature: &[u8]) -> Value {
        json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": hash(artifact)},
            "signature": {"content": STANDARD.encode(signature), "publicKey": {"content": self.pem()}},
        }})
    }

    /// The same for a log of version 2.
    pub(crate) fn hashedrekord_2(&self, artifact: &[u8], signature: &[u8]) -> Value {
        json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": STANDARD.encode(sha256(artifact))},
            "signature": {"content": STANDARD.encode(signature), "verifier": self.verifier()},
        }}})
    }

    /// A body about an envelope, for version 1.
    pub(crate) fn dsse(&self, sealed: &Sealed) -> Value {
        json!({"apiVersion": "0.0.1", "kind": "dsse", "spec": {
            "envelopeHash": hash(sealed.to_json().to_string().as_bytes()),
            "payloadHash": hash(&sealed.payload),
            "signatures": [{"signature": STANDARD.encode(&sealed.signature), "verifier": self.pem()}],
        }})
    }

    /// The same for version 2, in its first form.
    pub(crate) fn dsse_2(&self, sealed: &Sealed) -> Value {
        json!({"apiVersion": "0.0.2", "kind": "dsse", "spec": {"dsseV002": {
            "payloadHash": {"algorithm": "SHA2_256", "digest": STANDARD.encode(sha256(&sealed.payload))},
            "signatures": [{"content": STANDARD.encode(&sealed.signature), "verifier": self.verifier()}],
        }}})
    }

    /// The older kind for envelopes of version 1: base64 within base64.
    pub(crate) fn intoto(&self, sealed: &Sealed) -> Value {
        let signature = STANDARD.encode(STANDARD.encode(&sealed.signature));
        json!({"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": {
            "envelope": {
                "payloadType": sealed.payload_type,
                "signatures": [{"publicKey": self.pem(), "sig": signature}],
            },
            "hash": hash(sealed.to_json().to_string().as_bytes()),
            "payloadHash": hash(&sealed.payload),
        }}})
    }

    /// The oldest: the envelope by its hash alone.
    pub(crate) fn intoto_1(&self, sealed: &Sealed) -> Value {
        json!({"apiVersion": "0.0.1", "kind": "intoto", "spec": {
            "content": {
                "hash": hash(sealed.to_sent().as_bytes()),
                "payloadHash": hash(&sealed.payload),
            },
            "publicKey": self.pem(),
        }})
    }

    /// A bundle of a signature over an artifact.
    pub(crate) fn bundle(
        &self,
        artifact: &[u8],
        signature: &[u8],
        entries: Vec<Value>,
        stamps: &[Vec<u8>],
    ) -> Value {
        let mut bundle = self.around(BUNDLE_0_3, entries, stamps);
        bundle["messageSignature"] = json!({
            "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(sha256(artifact))},
            "signature": STANDARD.encode(signature),
        });
        bundle
    }

    /// A bundle of an envelope.
    pub(crate) fn attestation(&self, sealed: &Sealed, entries: Vec<Value>, stamps: &[Vec<u8>]) -> Value {
        let mut bundle = self.around(BUNDLE_0_3, entries, stamps);
        bundle["dsseEnvelope"] = sealed.to_json();
        bundle
    }

    /// Cosign's older blob bundle around an entry of version 1.
    pub(crate) fn legacy(&self, signature: &[u8], entry: &Value) -> Value {
        let number = |name: &str| -> i64 { entry[name].as_str().unwrap().parse().unwrap() };
        let id = STANDARD.decode(entry["logId"]["keyId"].as_str().unwrap()).unwrap();
        json!({
            "base64Signature": STANDARD.encode(signature),
            "cert": self.pem(),
            "rekorBundle": {
                "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
                "Payload": {
                    "body": entry["canonicalizedBody"],
                    "integratedTime": number("integratedTime"),
                    "logIndex": number("logIndex"),
                    "logID": id.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
                },
            },
        })
    }

    fn around(&self, media_type: &str, entries: Vec<Value>, stamps: &[Vec<u8>]) -> Value {
        let stamps: Vec<_> =
            stamps.iter().map(|one| json!({"signedTimestamp": STANDARD.encode(one)})).collect();
        let mut material = match &self.certificate {
            Some(certificate) => json!({"certificate": {"rawBytes": STANDARD.encode(&certificate.der)}}),
            None => json!({"publicKey": {"hint": self.key.hint()}}),
        };
        material["tlogEntries"] = entries.into();
        if !stamps.is_empty() {
            material["timestampVerificationData"] = json!({"rfc3161Timestamps": stamps});
        }
        json!({"mediaType": media_type, "verificationMaterial": material})
    }

    /// The certificate or key as logs of version 1 and older bundles have it: base64 of PEM.
    fn pem(&self) -> String {
        STANDARD.encode(self.certificate.as_ref().map_or_else(|| self.key.pem(), Certified::pem))
    }

    fn verifier(&self) -> Value {
        let mut verifier = json!({"keyDetails": self.key.details()});
        match &self.certificate {
            Some(one) => verifier["x509Certificate"] = json!({"rawBytes": STANDARD.encode(&one.der)}),
            None => verifier["publicKey"] = json!({"rawBytes": STANDARD.encode(self.key.spki())}),
        }
        verifier
    }
}

impl Sealed {
    /// The envelope as Cosign has sent it to logs.
    pub(crate) fn to_sent(&self) -> String {
        format!(
            r#"{{"payloadType":"{}","payload":"{}","signatures":[{{"keyid":"","sig":"{}"}}]}}"#,
            self.payload_type,
            STANDARD.encode(&self.payload),
            STANDARD.encode(&self.signature)
        )
    }

    /// What the signature is over. Logs of version 2 know an envelope by it, as if it were an artifact.
    pub(crate) fn signed(&self) -> Vec<u8> {
        let head =
            format!("DSSEv1 {} {} {} ", self.payload_type.len(), self.payload_type, self.payload.len());
        [head.as_bytes(), &self.payload].concat()
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "payload": STANDARD.encode(&self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"sig": STANDARD.encode(&self.signature)}],
        })
    }
}

/// A statement about an artifact that says nothing of interest.
pub(crate) fn statement(artifact: &[u8]) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "artifact", "digest": {"sha256": hex(&sha256(artifact))}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"verdict": "good"},
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(bytes: &[u8]) -> Value {
    json!({"algorithm": "sha256", "value": hex(&sha256(bytes))})
}
