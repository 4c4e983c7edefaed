//! Everything that stands beside an image, of one kind, in both layouts.

use countersign_core::Digest;
use countersign_core::error::Result;

use super::{Found, Kind, bundles, tags};
use crate::batch;
use crate::oci::Remote;

/// The largest layer of the older layout that is fetched, where `COSIGN_MAX_ATTACHMENT_SIZE` says nothing else, in bytes.
pub const MAX_LAYER_BYTES: usize = 128 * 1024 * 1024;

/// How it is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The image.
    pub image: &'a Digest,
    /// What of.
    pub kind: Kind<'a>,
    /// Objects fetched at once.
    pub threads: usize,
    /// The largest layer taken, in bytes.
    pub max_layer_bytes: usize,
}

impl Search<'_> {
    /// Bundles that refer to the image. One request for the list (two where a registry keeps none), and two for each bundle.
    /// One that cannot be fetched stands among what was found, with the reason.
    ///
    /// # Errors
    /// Those of the registry where it gives no list: that is never taken for an empty one.
    pub fn bundles(&self, remote: &Remote<'_>) -> Result<Vec<Found>> {
        let listed = remote.referrers(self.image)?.descriptors;
        let candidates: Vec<_> = listed.into_iter().filter(|one| bundles::may_be(one, self.kind)).collect();
        let read =
            batch::run(&candidates, self.threads, &|| false, &|one| bundles::read(remote, one, self.kind));
        let found = read.into_iter().flatten().zip(&candidates).filter_map(|(read, descriptor)| match read {
            Ok(found) => found,
            Err(error) => Some(Found {
                place: format!("{}@{}", remote.repository(), descriptor.digest),
                layout: super::Layout::Bundle,
                content: Vec::new(),
                annotations: descriptor.annotations.clone().unwrap_or_default(),
                material: Err(error),
            }),
        });
        Ok(found.collect())
    }

    /// Layers under the image's tag, which `tag` is. One request for the list, and one for each layer.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn tags(&self, remote: &Remote<'_>, tag: &str) -> Result<Vec<Found>> {
        let Some(manifest) = remote.manifest(tag)? else { return Ok(Vec::new()) };
        let fits = |layer: &crate::oci::Descriptor| match (layer.annotation(tags::PREDICATE_TYPE), self.kind)
        {
            (Some(named), Kind::Attestation(Some(wanted))) => named == wanted,
            _ => true,
        };
        let layers: Vec<_> = manifest.layers().iter().enumerate().filter(|(_, layer)| fits(layer)).collect();
        let read = batch::run(&layers, self.threads, &|| false, &|(number, layer)| {
            tags::read(remote, tag, *number, layer, self.max_layer_bytes)
        });
        let found = read.into_iter().flatten().zip(&layers).map(|(read, (number, layer))| {
            read.unwrap_or_else(|error| Found {
                place: format!("{}:{tag} (layer {})", remote.repository(), number + 1),
                layout: super::Layout::Tag,
                content: Vec::new(),
                annotations: layer.annotations.clone().unwrap_or_default(),
                material: Err(error),
            })
        });
        Ok(found.collect())
    }
}
