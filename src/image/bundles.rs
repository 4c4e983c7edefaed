//! Bundles that refer to an image (Sigstore's "bundle specification", and OCI image specification 1.1, "Guidelines for Artifact
//! Usage").

use countersign_core::error::Result;
use countersign_core::{Digest, HashAlgorithm};

use super::budget::Reading;
use super::{Found, Kind, Layout};
use crate::bundle::{self, MAX_BUNDLE_BYTES, MEDIA_TYPE};
use crate::oci::manifest::{Annotations, Content, Descriptor, OCI_EMPTY, OCI_MANIFEST};
use crate::oci::{Manifest, Remote};
use crate::verify::{Material, SIGNATURE};

/// What all versions of bundles are called.
pub(crate) const FAMILY: &str = "application/vnd.dev.sigstore.bundle";
/// The notes on a bundle's manifest.
pub const CONTENT: &str = "dev.sigstore.bundle.content";
/// What it says.
pub const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";
/// When it was made (OCI image specification 1.1, "Pre-Defined Annotation Keys").
const CREATED: &str = "org.opencontainers.image.created";
/// The configuration of what has none.
const EMPTY: &[u8] = b"{}";

/// Whether what refers to an image may be a bundle of the kind that is looked for. Where a list does not say, or names the
/// configuration instead of the artifact, as some registries do, only the manifest tells.
pub(super) fn may_be(descriptor: &Descriptor, kind: Kind<'_>) -> bool {
    let is_bundle = match descriptor.artifact_type.as_deref() {
        None | Some("" | OCI_EMPTY) => true,
        Some(named) => named.starts_with(FAMILY),
    };
    is_bundle && fits(descriptor.annotation(PREDICATE_TYPE), kind)
}

/// Whether what a note calls the predicate type is what is looked for; where there is none, only the bundle tells.
fn fits(noted: Option<&str>, kind: Kind<'_>) -> bool {
    match (noted, kind) {
        (None, _) | (_, Kind::Attestation(None)) => true,
        (Some(noted), Kind::Signature) => noted == SIGNATURE,
        (Some(noted), Kind::Attestation(Some(wanted))) => noted == wanted,
    }
}

/// Reads what a descriptor points to. `None`: it is no bundle, or one of another kind. Two requests.
///
/// # Errors
/// Those of the place. What is wrong with the bundle itself stands in what is handed over.
pub(super) fn read<T>(
    reading: &Reading<'_>,
    descriptor: &Descriptor,
    kind: Kind<'_>,
    take: &dyn Fn(Found) -> T,
) -> Result<Option<T>> {
    let manifest = reading.listed(descriptor)?;
    let place = reading.source.name_of(&descriptor.digest);
    let own = manifest.content.artifact_type.as_deref();
    let [layer] = manifest.layers() else { return Ok(None) };
    if !own.unwrap_or(&layer.media_type).starts_with(FAMILY) || !layer.media_type.starts_with(FAMILY) {
        return Ok(None);
    }
    // The list may have said less than the manifest does.
    let noted = manifest.content.annotations.as_ref().and_then(|notes| notes.get(PREDICATE_TYPE));
    if !fits(noted.map(String::as_str), kind) {
        return Ok(None);
    }
    let _held = reading.budget.take(layer.size);
    let content = reading.source.blob(layer, MAX_BUNDLE_BYTES as usize)?;
    let material = bundle::parse(&content).and_then(|bundle| Material::from_bundle(&bundle));
    let material = material.map_err(|error| error.within(format!("cannot use the bundle {place}")));
    let annotations = manifest.content.annotations.unwrap_or_default();
    Ok(Some(take(Found { place, layout: Layout::Bundle, content, annotations, material })))
}

/// The manifests of bundles of a predicate type that refer to an image, by what is noted on them. One request for the list, and
/// one for each whose note the list leaves out.
///
/// # Errors
/// Those of the registry.
pub fn of_type(remote: &Remote<'_>, image: &Digest, predicate_type: &str) -> Result<Vec<Digest>> {
    let kind = Kind::Attestation(Some(predicate_type));
    let mut found = Vec::new();
    for descriptor in remote.referrers(image)?.descriptors.iter().filter(|one| may_be(one, kind)) {
        let digest = descriptor.digest()?;
        let mut noted = descriptor.annotation(PREDICATE_TYPE).map(str::to_owned);
        if noted.is_none() {
            let manifest = remote.manifest(&digest.to_string())?;
            noted = manifest.and_then(|one| one.content.annotations?.get(PREDICATE_TYPE).cloned());
        }
        if noted.as_deref() == Some(predicate_type) {
            found.push(digest);
        }
    }
    Ok(found)
}

/// The manifest around a bundle, as Cosign 3 writes it.
///
/// # Errors
/// Where it would be too large.
pub fn manifest(bundle: &[u8], subject: &Descriptor, predicate_type: &str, now: &str) -> Result<Manifest> {
    let note = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let annotations: Annotations =
        [note(CONTENT, "dsse-envelope"), note(PREDICATE_TYPE, predicate_type), note(CREATED, now)].into();
    let content = Content {
        artifact_type: Some(MEDIA_TYPE.to_owned()),
        config: Some(Descriptor::of(OCI_EMPTY, EMPTY)),
        layers: Some(vec![Descriptor::of(MEDIA_TYPE, bundle)]),
        subject: Some(subject.clone()),
        annotations: Some(annotations),
        ..Content::default()
    };
    Manifest::write(OCI_MANIFEST, content)
}

/// Writes a bundle beside the image and sees that it can be found. Gives its digest.
///
/// # Errors
/// Those of the registry.
pub fn attach(remote: &Remote<'_>, bundle: &[u8], manifest: &Manifest, subject: &Digest) -> Result<Digest> {
    debug_assert_eq!(manifest.layers()[0].digest, HashAlgorithm::Sha256.digest(bundle).to_string());
    // Nothing refers to what is not there: what is pointed to comes first.
    for (descriptor, bytes) in manifest
        .layers()
        .iter()
        .map(|layer| (layer, bundle))
        .chain(manifest.content.config.as_ref().map(|config| (config, EMPTY)))
    {
        remote.put_blob(descriptor, bytes)?;
    }
    remote.attach(manifest, subject)?;
    Ok(manifest.digest)
}
