//! An X.509 certificate (RFC 5280) beside a key: what it says, and whose key it holds. Nothing here trusts it.

use std::time::SystemTime;

use der::{Decode, Encode};
use x509_cert::Certificate as X509;

use crate::error::{Error, ErrorKind, Result};
use crate::public_key::PublicKey;

/// A certificate and what is read of it.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: Vec<u8>,
    public_key: PublicKey,
    parsed: Box<X509>,
}

impl Certificate {
    /// Reads DER, or the first PEM block, which must be a `CERTIFICATE`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for anything else and for keys that we do not know.
    pub fn from_pem_or_der(content: &[u8]) -> Result<Self> {
        let text = content.trim_ascii_start();
        if !text.starts_with(b"-----BEGIN") {
            return Self::from_der(content);
        }
        let block = pem::parse(text).map_err(|cause| damaged(&cause))?;
        if block.tag() != "CERTIFICATE" {
            return Err(Error::new(ErrorKind::Unsupported, "cannot read the certificate")
                .why(format!("the PEM block is a \"{}\"", block.tag())));
        }
        Self::from_der(block.contents())
    }

    /// Reads DER.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for what is no certificate and for keys that we do not know.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let parsed = X509::from_der(der).map_err(|cause| damaged(&cause))?;
        let public_key = PublicKey::from_certificate_der(der)?;
        Ok(Self { der: der.to_vec(), public_key, parsed: Box::new(parsed) })
    }

    /// The whole certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Everything that it says, as `x509-cert` reads it.
    pub fn x509(&self) -> &X509 {
        &self.parsed
    }

    /// Whether it may issue others (RFC 5280 4.2.1.9).
    pub fn is_authority(&self) -> bool {
        let constraints = self.parsed.tbs_certificate.get::<x509_cert::ext::pkix::BasicConstraints>();
        matches!(constraints, Ok(Some((_, constraints))) if constraints.ca)
    }

    /// As PEM: lines of 64 characters ended by LF.
    pub fn to_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("CERTIFICATE", self.der.clone()), config)
    }

    /// The key that it is for.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The subject, as RFC 4514 writes names.
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate.subject.to_string()
    }

    /// Subject, issuer and serial number in DER, as tokens keep them beside the certificate (PKCS#11 v3.0 4.6.3).
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when a part that was just decoded does not encode.
    pub fn names_der(&self) -> Result<[Vec<u8>; 3]> {
        let part = &self.parsed.tbs_certificate;
        let failed = |cause| Error::internal(format!("cannot encode a part of a certificate: {cause}"));
        Ok([
            part.subject.to_der().map_err(failed)?,
            part.issuer.to_der().map_err(failed)?,
            part.serial_number.to_der().map_err(failed)?,
        ])
    }

    /// Whether subject and issuer are one: it tells nothing that the key does not tell, unless somebody trusts it as a root.
    pub fn is_self_issued(&self) -> bool {
        self.parsed.tbs_certificate.subject == self.parsed.tbs_certificate.issuer
    }

    /// When it begins to be valid.
    pub fn not_before(&self) -> SystemTime {
        self.parsed.tbs_certificate.validity.not_before.to_system_time()
    }
}

/// Every certificate of a PEM file in DER, in its order; other blocks are refused.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for anything else, and for a file without any.
pub fn read_all(content: &[u8]) -> Result<Vec<Vec<u8>>> {
    let blocks = pem::parse_many(content).map_err(|cause| damaged(&cause))?;
    if blocks.is_empty() {
        return Err(damaged(&"there is no PEM block in it"));
    }
    blocks
        .into_iter()
        .map(|block| match block.tag() {
            "CERTIFICATE" => Ok(block.into_contents()),
            tag => Err(damaged(&format!("the PEM block is a \"{tag}\""))),
        })
        .collect()
}

fn damaged(cause: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, "cannot read the certificate")
        .why(cause.to_string())
        .hint("it must be one X.509 certificate, PEM or DER")
}
