//! The layout that Cosign 2 and 3 write with `--registry-referrers-mode oci-1-1`: the layers of the older one, in an artifact that
//! refers to the image. Kyverno reads it with `cosignOCI11`, Cosign with `--experimental-oci11`.

use countersign_core::Digest;
use countersign_core::error::Result;

use super::Found;
use super::budget::Reading;
use super::tags::{self, Layer};
use crate::oci::manifest::{Content, Descriptor, OCI_MANIFEST};
use crate::oci::{Manifest, Remote, Source};

/// An artifact with signatures.
pub const SIGNATURES: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
/// An artifact with an SBOM, unsigned.
pub const SBOM: &str = "application/vnd.dev.cosign.artifact.sbom.v1+json";

/// Whether what refers to an image says that it holds signatures in this layout.
pub(super) fn holds_signatures(descriptor: &Descriptor) -> bool {
    descriptor.artifact_type.as_deref() == Some(SIGNATURES)
}

/// Reads the layers of one. One request, and one for each layer.
///
/// # Errors
/// Those of the place. What is wrong with a layer itself stands in what is handed over.
pub(super) fn read<T>(
    reading: &Reading<'_>,
    descriptor: &Descriptor,
    take: &dyn Fn(Found) -> T,
) -> Result<Vec<T>> {
    let manifest = reading.listed(descriptor)?;
    let layers = manifest.layers().iter().enumerate();
    Ok(layers.map(|(number, layer)| tags::read(reading, (&descriptor.digest, number), layer, take)).collect())
}

/// The artifacts with SBOMs that refer to an image. One request for the list, and one for each.
///
/// # Errors
/// Those of the place.
pub fn sboms(source: &dyn Source, image: &Digest) -> Result<Vec<Manifest>> {
    let listed = source.referrers(image)?.descriptors;
    let listed = listed.iter().filter(|one| one.artifact_type.as_deref() == Some(SBOM));
    listed.filter_map(|one| source.manifest(&one.digest).transpose()).collect()
}

/// Writes a layer in an artifact of its own that refers to an image, and sees that it can be found. Gives its digest.
///
/// # Errors
/// Those of the registry.
pub fn attach(
    remote: &Remote<'_>,
    layer: &Layer,
    artifact_type: &str,
    subject: &Descriptor,
) -> Result<Digest> {
    let layers = vec![layer.descriptor()];
    let config = tags::config(&layers, None);
    let described = Descriptor::of(artifact_type, &config);
    // Nothing refers to what is not there: what is pointed to comes first.
    remote.put_blob(&layers[0], &layer.content)?;
    remote.put_blob(&described, &config)?;
    let content = Content {
        config: Some(described),
        layers: Some(layers),
        subject: Some(subject.clone()),
        ..Content::default()
    };
    let manifest = Manifest::write(OCI_MANIFEST, content)?;
    remote.attach(&manifest, &subject.digest()?)?;
    Ok(manifest.digest)
}
