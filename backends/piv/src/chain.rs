//! The path of an attestation: signatures, names and constraints (RFC 5280 6.1, as far as these certificates go).
//!
//! Validity dates are not looked at: an attestation speaks of the moment when the key was made, and Yubico's devices have no clock.

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Algorithm, HashAlgorithm, Input, PublicKey};
use der::asn1::ObjectIdentifier;
use der::{Decode, Reader, SliceReader};
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use crate::attestation;

pub(crate) const WHAT: &str = "cannot verify the attestation";

/// `../roots/README.md` says where these are from.
const YUBICO_ROOTS: [&[u8]; 2] = [
    include_bytes!("../roots/yubico-piv-root-ca-serial-263751.der"),
    include_bytes!("../roots/yubico-attestation-root-1.der"),
];
const YUBICO_INTERMEDIATES: [&[u8]; 4] = [
    include_bytes!("../roots/yubico-piv-attestation-a-1.der"),
    include_bytes!("../roots/yubico-piv-attestation-b-1.der"),
    include_bytes!("../roots/yubico-attestation-intermediate-a-1.der"),
    include_bytes!("../roots/yubico-attestation-intermediate-b-1.der"),
];
/// How a root's name or that of an authority below it begins when it speaks for PIV and not for another application.
const FOR_PIV: &str = "CN=Yubico PIV ";

/// Certificates that a stranger may send along.
const MAX_CERTIFICATES: usize = 8;
/// Authorities between a device and its root.
const MAX_AUTHORITIES: usize = 5;

/// RFC 8017 A.2.4 and RFC 5758 3.2.
const SIGNATURES: [(ObjectIdentifier, HashAlgorithm, bool); 6] = [
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"), HashAlgorithm::Sha256, true),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"), HashAlgorithm::Sha384, true),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"), HashAlgorithm::Sha512, true),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), HashAlgorithm::Sha256, false),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"), HashAlgorithm::Sha384, false),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"), HashAlgorithm::Sha512, false),
];

/// One certificate of a path.
pub(crate) struct Link<'a> {
    der: &'a [u8],
    /// What its issuer signed, byte for byte.
    signed: &'a [u8],
    certificate: Certificate,
}

impl<'a> Link<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self> {
        let damaged = |cause: der::Error| refused(format!("a certificate is damaged ({cause})"));
        let certificate = Certificate::from_der(der).map_err(damaged)?;
        let mut reader = SliceReader::new(der).map_err(damaged)?;
        let signed = reader
            .sequence(|inner| {
                let signed = inner.tlv_bytes()?;
                inner.tlv_bytes()?;
                inner.tlv_bytes()?;
                Ok(signed)
            })
            .map_err(damaged)?;
        if certificate.signature_algorithm != certificate.tbs_certificate.signature {
            return Err(refused("a certificate names two signature algorithms"));
        }
        Ok(Self { der, signed, certificate })
    }

    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn subject(&self) -> String {
        self.certificate.tbs_certificate.subject.to_string()
    }

    /// Whether `issuer` signed this certificate.
    fn is_signed_by(&self, issuer: &Link<'_>) -> bool {
        if self.certificate.tbs_certificate.issuer != issuer.certificate.tbs_certificate.subject {
            return false;
        }
        let oid = self.certificate.signature_algorithm.oid;
        let Some((_, hash, is_rsa)) = SIGNATURES.iter().find(|row| row.0 == oid) else { return false };
        let Ok(key) = PublicKey::from_certificate_der(issuer.der) else { return false };
        let algorithm = match Algorithm::with_hash(key.key_type(), *hash) {
            Some(algorithm) if key.key_type().rsa_bits().is_some() == *is_rsa => algorithm,
            _ => return false,
        };
        let Some(signature) = self.certificate.signature.as_bytes() else { return false };
        key.verify(algorithm, Input::Digest(&hash.digest(self.signed)), signature).is_ok()
    }

    /// Whether it may issue certificates with this many authorities below it (RFC 5280 4.2.1.3 and 4.2.1.9).
    fn is_authority(&self, below: usize) -> bool {
        let tbs = &self.certificate.tbs_certificate;
        let may_sign =
            tbs.get::<KeyUsage>().is_ok_and(|usage| usage.is_none_or(|(_, usage)| usage.key_cert_sign()));
        let constraints = tbs.get::<BasicConstraints>().ok().flatten();
        let allows = constraints.is_some_and(|(_, constraints)| {
            constraints.ca && constraints.path_len_constraint.is_none_or(|most| below <= usize::from(most))
        });
        may_sign && allows && !attestation::is_statement(&self.certificate)
    }

    /// Whether it may be a device's own certificate. Some of the first devices left the constraints out; none said that it is no
    /// authority.
    fn is_device(&self) -> bool {
        let tbs = &self.certificate.tbs_certificate;
        let unconstrained = tbs.get::<BasicConstraints>().is_ok_and(|constraints| constraints.is_none());
        (unconstrained && !attestation::is_statement(&self.certificate)) || self.is_authority(0)
    }
}

/// Verifies the path from a slot's certificate to one of Yubico's roots or of `roots`, over those in `rest`. Returns the
/// subjects of the device's certificate and of the root.
pub(crate) fn verify(leaf: &Link<'_>, rest: &[Vec<u8>], roots: &[Vec<u8>]) -> Result<(String, String)> {
    if rest.len() > MAX_CERTIFICATES || roots.len() > MAX_CERTIFICATES {
        return Err(refused(format!("there are more than {MAX_CERTIFICATES} certificates")));
    }
    let sent: Vec<Link<'_>> = rest.iter().map(|der| Link::parse(der)).collect::<Result<_>>()?;
    let given: Vec<Link<'_>> = roots.iter().map(|der| Link::parse(der)).collect::<Result<_>>()?;
    let yubico: Vec<Link<'_>> = YUBICO_ROOTS.into_iter().map(Link::parse).collect::<Result<_>>()?;
    let known: Vec<Link<'_>> = YUBICO_INTERMEDIATES.into_iter().map(Link::parse).collect::<Result<_>>()?;

    let Some(device) = sent.iter().find(|link| leaf.is_signed_by(link)) else {
        return Err(refused(format!(
            "no certificate that came with it issued \"{}\": its issuer is \"{}\"",
            leaf.subject(),
            leaf.certificate.tbs_certificate.issuer
        ))
        .hint("add the device's own certificate, of slot f9, after the key's"));
    };
    if !device.is_device() {
        return Err(refused(format!("\"{}\" may not attest keys", device.subject())));
    }
    let mut path = vec![device];
    loop {
        let last = path[path.len() - 1];
        let below = path.len();
        let is_root = |root: &&Link<'_>| last.is_signed_by(root) && root.is_authority(below);
        if let Some(root) = given.iter().find(|root| root.der == last.der || is_root(root)) {
            return Ok((device.subject(), root.subject()));
        }
        if let Some(root) = yubico.iter().find(is_root) {
            // Yubico's new root is over other applications too.
            if !path.iter().skip(1).chain([&root]).any(|link| link.subject().starts_with(FOR_PIV)) {
                return Err(refused(format!("\"{}\" was not issued for PIV", device.subject())));
            }
            return Ok((device.subject(), root.subject()));
        }
        let next = known.iter().chain(&sent).find(|link| {
            last.is_signed_by(link)
                && link.is_authority(below)
                && path.iter().all(|seen| seen.der != link.der)
        });
        match next {
            Some(next) if path.len() <= MAX_AUTHORITIES => path.push(next),
            _ => {
                return Err(refused(format!(
                    "no root that is known issued \"{}\": its issuer is \"{}\"",
                    last.subject(),
                    last.certificate.tbs_certificate.issuer
                ))
                .hint(
                    "a device with an attestation key of your own needs its own root: pass it with --root",
                ));
            }
        }
    }
}

fn refused(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Integrity, WHAT).why(why)
}
