//! Certificate paths (RFC 5280 6) at a given time, by rustls-webpki; what it leaves to its caller is checked here.

use core::time::Duration;

use countersign_core::certificate::Certificate;
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::ext::pkix;

use super::remembered::{Good, Remembering};

/// What this process found good, whoever asked.
static GOOD: Good = Good::new();

/// What the certificate is used for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// The value of its OBJECT IDENTIFIER (RFC 5280 4.2.1.12).
    pub(super) value: &'static [u8],
    pub(super) name: &'static str,
}

impl Usage {
    /// Signing artifacts.
    pub(super) const CODE_SIGNING: Self = Self { value: &[0x2b, 6, 1, 5, 5, 7, 3, 3], name: "signing code" };
    /// Signing timestamps.
    pub(super) const TIME_STAMPING: Self =
        Self { value: &[0x2b, 6, 1, 5, 5, 7, 3, 8], name: "signing timestamps" };
}

/// Whether `leaf` was good for `usage` at `time`, with a path through `issuers`, whose last is the anchor.
///
/// # Errors
/// The cause in words.
pub(super) fn check(
    leaf: &Certificate,
    issuers: &[Certificate],
    time: Timestamp,
    usage: Usage,
) -> Result<(), String> {
    let Some((root, intermediates)) = issuers.split_last() else {
        return Err("the authority has no certificates".to_owned());
    };
    key_usage(leaf)?;
    extended_key_usage(leaf, usage)?;
    // An anchor is trusted by being named; its own dates still say for how long.
    window(root, time).map_err(|why| format!("the root {} {why}", root.subject()))?;
    let anchor = CertificateDer::from(root.der());
    let anchor =
        anchor_from_trusted_cert(&anchor).map_err(|cause| format!("the root is unusable: {cause}"))?;
    let intermediates: Vec<_> = intermediates.iter().map(|one| CertificateDer::from(one.der())).collect();
    let leaf_der = CertificateDer::from(leaf.der());
    let end_entity = EndEntityCert::try_from(&leaf_der).map_err(|cause| words(&cause))?;
    // An authority without the extension may issue for any usage (RFC 5280 4.2.1.12); one that has it is held to it.
    let usage = KeyUsage::required_if_present(usage.value);
    let seconds = u64::try_from(time.as_second()).map_err(|_| "the time is before 1970".to_owned())?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let root = root.x509().tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes();
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let algorithms: Vec<_> =
        algorithms.iter().map(|one| Remembering { algorithm: *one, root, good: &GOOD }).collect();
    let algorithms: Vec<_> =
        algorithms.iter().map(|one| one as &dyn SignatureVerificationAlgorithm).collect();
    end_entity
        .verify_for_usage(&algorithms, &[anchor], &intermediates, time, usage, None, None)
        .map(|_| ())
        .map_err(|cause| words(&cause))
}

/// Why there is no path, in words.
fn words(cause: &webpki::Error) -> String {
    use webpki::Error;
    let date = |time: &UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    };
    match cause {
        Error::CertExpired { not_after, .. } => {
            format!("a certificate in the path expired on {}", date(not_after))
        }
        Error::CertNotValidYet { not_before, .. } => {
            format!("a certificate in the path is not valid before {}", date(not_before))
        }
        Error::UnknownIssuer => "no path leads to the root".to_owned(),
        Error::InvalidSignatureForPublicKey => "a signature in the path does not match".to_owned(),
        Error::CaUsedAsEndEntity => "it is the certificate of an authority".to_owned(),
        Error::EndEntityUsedAsCa => "it was issued with a certificate that is no authority's".to_owned(),
        Error::PathLenConstraintViolated => "the path is longer than an authority allows".to_owned(),
        Error::RequiredEkuNotFoundContext(_) => {
            "an authority in the path may not issue for this usage (extended key usage)".to_owned()
        }
        Error::UnsupportedCriticalExtension => "a critical extension is not known here".to_owned(),
        Error::NameConstraintViolation => "an authority in the path may not issue for this name".to_owned(),
        other => format!("the path does not hold ({other})"),
    }
}

/// A key usage extension, where there is one, allows signatures (RFC 5280 4.2.1.3).
fn key_usage(leaf: &Certificate) -> Result<(), String> {
    match leaf.x509().tbs_certificate.get::<pkix::KeyUsage>() {
        Ok(Some((_, usage))) if !usage.digital_signature() => {
            Err("its key usage does not allow signatures".to_owned())
        }
        Ok(_) => Ok(()),
        Err(cause) => Err(format!("its key usage is damaged: {cause}")),
    }
}

/// The certificate itself must name the usage: one that names none was not issued for signatures.
fn extended_key_usage(leaf: &Certificate, usage: Usage) -> Result<(), String> {
    match leaf.x509().tbs_certificate.get::<pkix::ExtendedKeyUsage>() {
        Ok(Some((_, usages))) if usages.0.iter().any(|one| one.as_bytes() == usage.value) => Ok(()),
        Ok(_) => Err(format!("it is not for {} (extended key usage)", usage.name)),
        Err(cause) => Err(format!("its extended key usage is damaged: {cause}")),
    }
}

/// Whether the certificate's own dates hold, both ends included.
pub(super) fn window(certificate: &Certificate, time: Timestamp) -> Result<(), String> {
    let validity = &certificate.x509().tbs_certificate.validity;
    let seconds =
        |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    let (start, end) = (seconds(validity.not_before), seconds(validity.not_after));
    if time.as_second() < start {
        return Err(format!("is not valid before {}, and the time is {time}", validity.not_before));
    }
    if time.as_second() > end {
        return Err(format!("expired on {}, and the time is {time}", validity.not_after));
    }
    Ok(())
}

/// Holds a signature by a certificate's key against `message`, with whichever of `algorithms` fits that key.
pub(super) fn verify_signature(
    certificate: &Certificate,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    message: &[u8],
    signature: &[u8],
) -> Result<(), String> {
    let der = CertificateDer::from(certificate.der());
    let end_entity = EndEntityCert::try_from(&der).map_err(|cause| words(&cause))?;
    let matches = algorithms.iter().any(|one| end_entity.verify_signature(*one, message, signature).is_ok());
    if matches { Ok(()) } else { Err("its signature does not match".to_owned()) }
}
