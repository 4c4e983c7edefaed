//! Everything that stands beside an image, signed or not: for looking and for tidying.

use countersign_core::Digest;
use countersign_core::error::Result;

use super::bundles;
use super::tags::Ending;
use crate::oci::manifest::OCI_EMPTY;
use crate::oci::{Descriptor, Manifest, Remote, fallback_tag};

/// Something beside an image.
#[derive(Debug)]
pub struct Beside {
    /// How it is tied to the image.
    pub tie: Tie,
    /// What is there.
    pub manifest: Manifest,
}

/// How something is tied to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tie {
    /// It refers to the image; what it is: the predicate type, else the artifact type.
    Referrer(String),
    /// It stands under this tag of the image.
    Tag(Ending, String),
}

/// What is beside an image. One request for the list, one for each thing that refers to the image, and one for each tag.
///
/// # Errors
/// Those of the registry.
pub fn beside(remote: &Remote<'_>, image: &Digest, tag: &dyn Fn(Ending) -> String) -> Result<Vec<Beside>> {
    let mut found = Vec::new();
    for ending in [Ending::Sboms, Ending::Attestations, Ending::Signatures] {
        let tag = tag(ending);
        if let Some(manifest) = remote.manifest(&tag)? {
            found.push(Beside { tie: Tie::Tag(ending, tag), manifest });
        }
    }
    for descriptor in remote.referrers(image)?.descriptors {
        // What is listed and not there is nothing to look at, and nothing to take away but its entry.
        if let Some(manifest) = remote.manifest(&descriptor.digest()?.to_string())? {
            found.push(Beside { tie: Tie::Referrer(what(&descriptor, &manifest)), manifest });
        }
    }
    Ok(found)
}

fn what(descriptor: &Descriptor, manifest: &Manifest) -> String {
    let noted = manifest.content.annotations.as_ref().and_then(|notes| notes.get(bundles::PREDICATE_TYPE));
    let own = manifest.content.artifact_type.as_ref();
    let listed = descriptor.artifact_type.as_ref().filter(|kind| *kind != OCI_EMPTY);
    let config = manifest.content.config.as_ref().map(|config| &config.media_type);
    noted.or(own).or(listed).or(config).cloned().unwrap_or_default()
}

/// Takes something away. Whether it was there.
///
/// # Errors
/// Those of the registry.
pub fn take_away(remote: &Remote<'_>, one: &Beside, image: &Digest) -> Result<bool> {
    match &one.tie {
        Tie::Referrer(_) => remote.detach(&one.manifest.digest, image),
        Tie::Tag(_, tag) => remote.delete_tag(tag, &one.manifest.digest),
    }
}

/// The index that stands for a list of referrers, where nothing is in it any more: it goes too.
///
/// # Errors
/// Those of the registry.
pub fn tidy(remote: &Remote<'_>, image: &Digest) -> Result<()> {
    let listed = remote.referrers(image)?;
    if !listed.is_kept
        && listed.descriptors.is_empty()
        && let Some(index) = remote.manifest(&fallback_tag(image))?.filter(Manifest::is_index)
    {
        remote.delete_tag(&fallback_tag(image), &index.digest)?;
    }
    Ok(())
}
