//! Timestamp authorities of the forge (RFC 3161).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{GeneralizedTime, Int, OctetString, SetOfVec};
use der::{Any, Decode, Encode, Tag};
use serde_json::{Value, json};
use x509_cert::attr::Attribute;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_tsp::{MessageImprint, TspVersion, TstInfo};

use super::certificates::{Certified, LONG, TIME_STAMPING, oid, usage};
use super::{TIME, YEAR, date, random, sha256};

const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
pub(crate) const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
pub(crate) const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.47";

/// A timestamp authority: the signer, and the root above it.
#[derive(Clone)]
pub(crate) struct TimestampAuthority {
    pub(crate) host: &'static str,
    pub(crate) root: Certified,
    pub(crate) signer: Certified,
    /// Until when the trusted root lets it be used.
    pub(crate) until: Option<i64>,
    pub(crate) answers: Answers,
}

/// What an authority says around its timestamps.
#[derive(Clone, Copy)]
pub(crate) struct Answers {
    /// 0 grants, 2 rejects (RFC 3161 2.4.2).
    pub(crate) status: u8,
    /// What the token is, what it holds, and what the signed attributes say that it holds.
    pub(crate) token: &'static str,
    pub(crate) content: &'static str,
    pub(crate) attribute: &'static str,
}

/// What is right.
pub(crate) const GRANTED: Answers =
    Answers { status: 0, token: SIGNED_DATA, content: TST_INFO, attribute: TST_INFO };

impl TimestampAuthority {
    pub(crate) fn new(host: &'static str) -> Self {
        Self::with_usage(host, &[TIME_STAMPING])
    }

    /// One whose signer may be used for this.
    pub(crate) fn with_usage(host: &'static str, usages: &[&str]) -> Self {
        let root = Certified::root(&format!("CN=root of {host}"), LONG);
        let signer = root.issue(&format!("CN={host}"), LONG, vec![usage(usages, true)]);
        Self { host, root, signer, until: None, answers: GRANTED }
    }

    /// How a trusted root names it.
    pub(crate) fn trusted(&self) -> Value {
        let raw = |one: &Certified| json!({"rawBytes": STANDARD.encode(&one.der)});
        let mut named = json!({
            "subject": {"organization": "forge.example", "commonName": self.host},
            "uri": format!("https://{}", self.host),
            "certChain": {"certificates": [raw(&self.signer), raw(&self.root)]},
            "validFor": {"start": date(TIME - YEAR)},
        });
        if let Some(until) = self.until {
            named["validFor"]["end"] = date(until).into();
        }
        named
    }

    /// A response over a signature.
    pub(crate) fn stamp(&self, signature: &[u8], time: i64) -> Vec<u8> {
        self.stamp_beside(signature, time, &self.signer)
    }

    /// The same with another certificate in the token than the signer's own.
    pub(crate) fn stamp_beside(&self, signature: &[u8], time: i64, beside: &Certified) -> Vec<u8> {
        let info = TstInfo {
            version: TspVersion::V1,
            policy: oid("1.3.6.1.4.1.57264.2"),
            message_imprint: MessageImprint {
                hash_algorithm: algorithm(SHA256),
                hashed_message: octets(&sha256(signature)),
            },
            serial_number: Int::new(&random(8).iter().map(|byte| byte & 0x7f | 1).collect::<Vec<_>>())
                .unwrap(),
            gen_time: GeneralizedTime::from_unix_duration(Duration::from_secs(time.unsigned_abs())).unwrap(),
            accuracy: None,
            ordering: false,
            nonce: None,
            tsa: None,
            extensions: None,
        };
        let content = info.to_der().unwrap();
        let signed = SignedData {
            version: CmsVersion::V3,
            digest_algorithms: SetOfVec::try_from(vec![algorithm(SHA256)]).unwrap(),
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: oid(self.answers.content),
                econtent: Some(Any::encode_from(&octets(&content)).unwrap()),
            },
            certificates: Some(vec![CertificateChoices::Certificate(beside.parsed())].try_into().unwrap()),
            crls: None,
            signer_infos: vec![self.signature(&content)].try_into().unwrap(),
        };
        let token = ContentInfo {
            content_type: oid(self.answers.token),
            content: Any::encode_from(&signed).unwrap(),
        };
        sequence(&[sequence(&[self.answers.status.to_der().unwrap()]), token.to_der().unwrap()])
    }

    fn signature(&self, content: &[u8]) -> SignerInfo {
        let certificate = self.signer.parsed().tbs_certificate;
        // SigningCertificateV2 (RFC 5035 3) names the signer by its hash.
        let named =
            sequence(&[sequence(&[sequence(&[octets(&sha256(&self.signer.der)).to_der().unwrap()])])]);
        let attributes = [
            (CONTENT_TYPE, Any::encode_from(&oid(self.answers.attribute)).unwrap()),
            (MESSAGE_DIGEST, Any::encode_from(&octets(&sha256(content))).unwrap()),
            (SIGNING_CERTIFICATE, Any::from_der(&named).unwrap()),
        ];
        let attributes = attributes.map(|(kind, value)| Attribute {
            oid: oid(kind),
            values: SetOfVec::try_from(vec![value]).unwrap(),
        });
        let attributes = SetOfVec::try_from(attributes.to_vec()).unwrap();
        let signature = self.signer.key.sign(&attributes.to_der().unwrap());
        SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: certificate.issuer,
                serial_number: certificate.serial_number,
            }),
            digest_alg: algorithm(SHA256),
            signed_attrs: Some(attributes),
            signature_algorithm: algorithm(ECDSA_SHA256),
            signature: octets(&signature),
            unsigned_attrs: None,
        }
    }
}

fn algorithm(kind: &str) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: oid(kind), parameters: None }
}

fn octets(bytes: &[u8]) -> OctetString {
    OctetString::new(bytes).unwrap()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    Any::new(Tag::Sequence, parts.concat()).unwrap().to_der().unwrap()
}
