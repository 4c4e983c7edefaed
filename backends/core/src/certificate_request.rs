//! A certificate request (PKCS#10, RFC 2986) for a key in any store, signed by the key itself.

use std::str::FromStr;

use der::asn1::{Any, BitString, Null};
use der::oid::ObjectIdentifier;
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::Attributes;
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, Version};

use crate::algorithm::{Algorithm, Scheme};
use crate::digest::HashAlgorithm;
use crate::error::{Error, ErrorKind, Result};
use crate::input::Input;
use crate::signer::Signer;

/// Asks for a certificate: DER. `subject` is a name as RFC 4514 writes it, `CN=release,O=Example`.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a name that cannot be read and for algorithms that certificates do not name: RSA-PSS and
/// Ed25519ph. Else the signer's own.
pub fn request(signer: &dyn Signer, algorithm: Algorithm, subject: &str) -> Result<Vec<u8>> {
    let what = "cannot ask for a certificate";
    let subject = Name::from_str(subject).map_err(|cause| {
        Error::new(ErrorKind::Unsupported, what)
            .why(format!("\"{subject}\" is no name: {cause}"))
            .hint("write it as in CN=release,O=Example")
    })?;
    if subject.0.is_empty() {
        return Err(Error::new(ErrorKind::Unsupported, what)
            .why("the name is empty")
            .hint("write it as in CN=release,O=Example"));
    }
    let internal =
        |cause: der::Error| Error::internal(format!("cannot encode a certificate request: {cause}"));
    let info = CertReqInfo {
        version: Version::V1,
        subject,
        public_key: SubjectPublicKeyInfoOwned::from_der(signer.info().public_key.spki_der())
            .map_err(internal)?,
        attributes: Attributes::default(),
    };
    let named = identifier(algorithm).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, what).why(format!("requests are not signed with {algorithm}"))
    })?;
    let body = info.to_der().map_err(internal)?;
    let digest = algorithm.hash().map(|hash| hash.digest(&body));
    let input = digest.as_ref().map_or(Input::Message(&body), |digest| Input::Hashed(digest, &body));
    let signature = signer.sign(algorithm, input)?;
    let signature = BitString::from_bytes(signature.bytes()).map_err(internal)?;
    CertReq { info, algorithm: named, signature }.to_der().map_err(internal)
}

/// RFC 5758 3.2, RFC 4055 5 and RFC 8410 3: the signature algorithm's name; RSA's has NULL parameters, the others none.
fn identifier(algorithm: Algorithm) -> Option<AlgorithmIdentifierOwned> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    let (oid, parameters) = match (algorithm.scheme(), algorithm.hash()) {
        (Scheme::Ecdsa, Some(Sha256)) => ("1.2.840.10045.4.3.2", None),
        (Scheme::Ecdsa, Some(Sha384)) => ("1.2.840.10045.4.3.3", None),
        (Scheme::Ecdsa, Some(Sha512)) => ("1.2.840.10045.4.3.4", None),
        (Scheme::RsaPkcs1v15, Some(Sha256)) => ("1.2.840.113549.1.1.11", Some(Any::from(Null))),
        (Scheme::RsaPkcs1v15, Some(Sha384)) => ("1.2.840.113549.1.1.12", Some(Any::from(Null))),
        (Scheme::RsaPkcs1v15, Some(Sha512)) => ("1.2.840.113549.1.1.13", Some(Any::from(Null))),
        (Scheme::Ed25519, None) => ("1.3.101.112", None),
        _ => return None,
    };
    Some(AlgorithmIdentifierOwned { oid: ObjectIdentifier::new(oid).ok()?, parameters })
}

/// A request in DER as PEM, `CERTIFICATE REQUEST`, lines of 64 characters ended by LF.
pub fn to_pem(der: Vec<u8>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE REQUEST", der), config)
}
