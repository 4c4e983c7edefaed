//! What the user names beside what the registry has: a signature, a certificate.

use std::path::Path;
use std::time::Instant;

use countersign_core::certificate::Certificate;
use countersign_core::error::{Error, ErrorKind};

use super::{Demand, Image, ImageFlags};
use crate::commands::flags::beside::{read_certificate, read_sct};
use crate::exit::Failure;
use crate::image::write::claims;
use crate::image::{Found, tags, write::Annotations};
use crate::verify::{CertificateTimestamp, Material};

/// A signature that is not taken from the registry.
pub(crate) struct Detached {
    /// Base64, or the bytes.
    pub(crate) signature: Vec<u8>,
    /// The claims that it is over; else those that name the image's own repository and say nothing more.
    pub(crate) payload: Option<Vec<u8>>,
}

/// What was named, read once for all images.
pub(super) struct Given<'a> {
    detached: Option<&'a Detached>,
    certificate: Option<Certificate>,
    certificate_timestamp: Option<CertificateTimestamp>,
}

impl<'a> Given<'a> {
    /// # Errors
    /// Those of the files; a usage failure where one signature is for several images.
    pub(super) fn read(
        flags: &ImageFlags,
        demand: &'a Demand<'_>,
        deadline: Option<Instant>,
    ) -> Result<Self, Failure> {
        let certificate = flags.certificate.as_deref().map(|path: &Path| read_certificate(path, deadline));
        let timestamp = flags.sct.as_deref().map(|path| read_sct(path, deadline));
        let detached = demand.detached.as_ref();
        if detached.is_some() && (flags.images.len() > 1 || flags.recursive) {
            return Err(Failure::usage_with_hint(
                "--signature is of one image, and there are several to verify",
                "leave it out: signatures are read from the registry",
            ));
        }
        Ok(Self {
            detached,
            certificate: certificate.transpose()?,
            certificate_timestamp: timestamp.transpose()?,
        })
    }

    /// The signature that was named, if one was.
    ///
    /// # Errors
    /// A usage failure where it is not known what it is over.
    pub(super) fn detached(&self, image: &Image<'_>) -> Result<Option<Found>, Failure> {
        let Some(detached) = self.detached else { return Ok(None) };
        let payload = match (&detached.payload, &image.repository) {
            (Some(payload), _) => payload.clone(),
            (None, Some(repository)) => claims(&repository.to_string(), &image.digest, &Annotations::new()),
            (None, None) => {
                return Err(Failure::usage_with_hint(
                    "an image in files has no repository, and the signature is over claims that name one",
                    "pass --payload with the claims",
                ));
            }
        };
        Ok(Some(tags::detached(&detached.signature, payload)))
    }

    /// Puts the certificate beside a signature that has none.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] where it has another one.
    pub(super) fn add(&self, material: &mut Material) -> Result<(), Error> {
        let Some(certificate) = &self.certificate else { return Ok(()) };
        let is_other = material.certificate.as_ref().is_some_and(|own| own.der() != certificate.der());
        if is_other || material.key.as_ref().is_some_and(|key| key != certificate.public_key()) {
            return Err(Error::new(ErrorKind::Integrity, "cannot use the signature")
                .why("it comes with another certificate or key than --certificate names"));
        }
        material.certificate = Some(certificate.clone());
        if self.certificate_timestamp.is_some() {
            material.certificate_timestamp.clone_from(&self.certificate_timestamp);
        }
        Ok(())
    }
}
