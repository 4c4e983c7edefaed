//! Signed timestamps (RFC 3161): that an authority saw the signature at a time.
//!
//! One token is held against one authority, as a whole: its signer, its chain and its window are never mixed with
//! another's.

mod info;

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use countersign_core::certificate::Certificate;
use countersign_core::{HashAlgorithm, PublicKey};
use der::asn1::{ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use jiff::Timestamp;
use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::aws_lc_rs as algorithms;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectKeyIdentifier};
use x509_tsp::{TimeStampResp, TstInfo};

use super::chain::{self, Usage};
use super::trust::Authority;

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
/// The largest token read; real ones have 1 to 6 KiB.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// A token taken apart. Nothing in it is proven yet.
pub(super) struct Token {
    signed: SignedData,
    /// The signed bytes, as they are in the token.
    content: Vec<u8>,
    info: TstInfo,
}

impl Token {
    /// Reads a time stamp response or a bare token.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(format!("it is larger than {MAX_TOKEN_BYTES} bytes"));
        }
        let content_info = match TimeStampResp::from_der(bytes) {
            Ok(response) => {
                // granted, grantedWithMods (RFC 3161 2.4.2)
                if response.status.status as u8 > 1 {
                    return Err(format!("the authority refused, with status {:?}", response.status.status));
                }
                response.time_stamp_token.ok_or("the response holds no token")?
            }
            Err(_) => ContentInfo::from_der(bytes)
                .map_err(|cause| format!("it is no RFC 3161 timestamp: {cause}"))?,
        };
        if content_info.content_type != oid(SIGNED_DATA) {
            return Err("it is no signed data".to_owned());
        }
        let signed: SignedData = content_info.content.decode_as().map_err(|cause| cause.to_string())?;
        if signed.encap_content_info.econtent_type != oid(TST_INFO) {
            return Err("it holds something other than a timestamp".to_owned());
        }
        let content = signed.encap_content_info.econtent.as_ref().ok_or("it holds no timestamp")?;
        let content = content.decode_as::<OctetString>().map_err(|cause| cause.to_string())?.into_bytes();
        let info = info::parse(&content).map_err(|cause| format!("its timestamp is damaged: {cause}"))?;
        Ok(Self { signed, content, info })
    }

    /// The time that it states.
    ///
    /// # Errors
    /// For a time before 1970.
    pub(super) fn time(&self) -> Result<Timestamp, String> {
        let since = self.info.gen_time.to_unix_duration();
        Timestamp::new(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), 0)
            .map_err(|cause| cause.to_string())
    }

    /// Whether it is over these bytes.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn covers(&self, signature: &[u8]) -> Result<(), String> {
        let imprint = &self.info.message_imprint;
        let hash = hash(&imprint.hash_algorithm.oid)
            .ok_or_else(|| format!("its hash {} is not known here", imprint.hash_algorithm.oid))?;
        if hash.digest(signature).bytes() == imprint.hashed_message.as_bytes() {
            Ok(())
        } else {
            Err("it is over another signature".to_owned())
        }
    }

    /// Whether it answers a request with this nonce.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn answers(&self, nonce: &[u8]) -> Result<(), String> {
        if self.info.nonce.as_ref().is_some_and(|found| found.as_bytes() == nonce) {
            Ok(())
        } else {
            Err("it answers another request: its nonce is not ours".to_owned())
        }
    }

    /// Whether the authority signed it, in its window. Gives the signer's key.
    ///
    /// # Errors
    /// [`Reason::Other`] when the token is not this authority's, [`Reason::Bad`] when it is and does not hold.
    pub(super) fn by(&self, authority: &Authority) -> Result<PublicKey, Reason> {
        let [signer] = self.signed.signer_infos.0.as_slice() else {
            return Err(Reason::Bad("it has not exactly one signer".to_owned()));
        };
        let (leaf, issuers) = self.signer(&signer.sid, authority).ok_or(Reason::Other)?;
        self.signature(signer, &leaf).map_err(Reason::Bad)?;
        let time = self.time().map_err(Reason::Bad)?;
        dedicated(&leaf).map_err(Reason::Bad)?;
        chain::check(&leaf, issuers, time, Usage::TIME_STAMPING)
            .map_err(|why| Reason::Bad(format!("the authority's certificate is not good: {why}")))?;
        if authority.window.contains(time) {
            Ok(leaf.public_key().clone())
        } else {
            let window = authority.window.words();
            Err(Reason::Bad(format!("{} may be used at {window}, and the time is {time}", authority.name)))
        }
    }

    /// The signer's certificate and its issuers. It is the authority's own first one; only where the trusted root
    /// names no signer is it taken from the token, and must then chain to the authority.
    fn signer<'a>(
        &self,
        sid: &SignerIdentifier,
        authority: &'a Authority,
    ) -> Option<(Certificate, &'a [Certificate])> {
        let (first, rest) = authority.chain.split_first()?;
        if is_signer(first) {
            let issuers = if rest.is_empty() { authority.chain.as_slice() } else { rest };
            return names(sid, first).then(|| (first.clone(), issuers));
        }
        let embedded = self.signed.certificates.as_ref()?.0.iter().find_map(|choice| match choice {
            CertificateChoices::Certificate(one) => one
                .to_der()
                .ok()
                .and_then(|der| Certificate::from_der(&der).ok())
                .filter(|one| names(sid, one)),
            _ => None,
        })?;
        let issuer = &embedded.x509().tbs_certificate.issuer;
        let known = authority.chain.iter().any(|one| one.x509().tbs_certificate.subject == *issuer);
        known.then_some((embedded, authority.chain.as_slice()))
    }

    /// The signature over the signed attributes, and those over the content (RFC 5652 5.4).
    fn signature(&self, signer: &SignerInfo, leaf: &Certificate) -> Result<(), String> {
        let attributes = signer.signed_attrs.as_ref().ok_or("it has no signed attributes")?;
        let hash = hash(&signer.digest_alg.oid)
            .ok_or_else(|| format!("its hash {} is not known here", signer.digest_alg.oid))?;
        let single = |name: &str| -> Result<&der::Any, String> {
            let mut found = attributes.iter().filter(|attribute| attribute.oid == oid(name));
            match (found.next().map(|attribute| attribute.values.as_slice()), found.next()) {
                (Some([value]), None) => Ok(value),
                _ => Err(format!("it has not exactly one signed attribute {name}")),
            }
        };
        let content_type =
            single(CONTENT_TYPE)?.decode_as::<ObjectIdentifier>().map_err(|cause| cause.to_string())?;
        if content_type != oid(TST_INFO) {
            return Err("its signed attributes are about something else".to_owned());
        }
        let stated = single(MESSAGE_DIGEST)?.decode_as::<OctetString>().map_err(|cause| cause.to_string())?;
        if stated.as_bytes() != hash.digest(&self.content).bytes() {
            return Err("its signed digest is not its content's".to_owned());
        }
        let message = attributes.to_der().map_err(|cause| cause.to_string())?;
        chain::verify_signature(leaf, &candidates(hash), &message, signer.signature.as_bytes())
    }
}

/// Why a token does not prove a time.
pub(super) enum Reason {
    /// Another authority's certificate signed it.
    Other,
    /// It is wrong, in words.
    Bad(String),
}

fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

fn hash(oid: &ObjectIdentifier) -> Option<HashAlgorithm> {
    match oid.to_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => Some(HashAlgorithm::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(HashAlgorithm::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(HashAlgorithm::Sha512),
        _ => None,
    }
}

/// The signature algorithms with this hash; the signer's key picks one.
fn candidates(hash: HashAlgorithm) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    match hash {
        HashAlgorithm::Sha256 => vec![
            algorithms::ECDSA_P256_SHA256,
            algorithms::ECDSA_P384_SHA256,
            algorithms::ECDSA_P521_SHA256,
            algorithms::RSA_PKCS1_2048_8192_SHA256,
        ],
        HashAlgorithm::Sha384 => vec![
            algorithms::ECDSA_P256_SHA384,
            algorithms::ECDSA_P384_SHA384,
            algorithms::ECDSA_P521_SHA384,
            algorithms::RSA_PKCS1_2048_8192_SHA384,
        ],
        HashAlgorithm::Sha512 => vec![
            algorithms::ECDSA_P256_SHA512,
            algorithms::ECDSA_P384_SHA512,
            algorithms::ECDSA_P521_SHA512,
            algorithms::RSA_PKCS1_2048_8192_SHA512,
            algorithms::ED25519,
        ],
    }
}

fn is_signer(certificate: &Certificate) -> bool {
    usages(certificate).is_some_and(|(_, usages)| usages.contains(&oid(TIME_STAMPING)))
        && !certificate.is_authority()
}

fn usages(certificate: &Certificate) -> Option<(bool, Vec<ObjectIdentifier>)> {
    let found = certificate.x509().tbs_certificate.get::<ExtendedKeyUsage>().ok()??;
    Some((found.0, found.1.0))
}

/// The certificate is for timestamps only, and says so critically (RFC 3161 2.3).
fn dedicated(leaf: &Certificate) -> Result<(), String> {
    match usages(leaf) {
        Some((true, usages)) if usages == [oid(TIME_STAMPING)] => Ok(()),
        _ => Err("the signer's certificate is not for timestamps alone (RFC 3161 2.3)".to_owned()),
    }
}

fn names(sid: &SignerIdentifier, certificate: &Certificate) -> bool {
    let part = &certificate.x509().tbs_certificate;
    match sid {
        SignerIdentifier::IssuerAndSerialNumber(id) => {
            part.issuer == id.issuer && part.serial_number == id.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            matches!(part.get::<SubjectKeyIdentifier>(), Ok(Some((_, own))) if own == *id)
        }
    }
}
