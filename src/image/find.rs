//! Everything that stands beside an image, of one kind, in all layouts.

use countersign_core::Digest;
use countersign_core::error::Result;

use super::budget::{Budget, Reading};
use super::{Found, Kind, Layout, artifacts, bundles, tags};
use crate::batch;
use crate::oci::{Descriptor, Source};

/// The largest layer of the older layout that is fetched, where `COSIGN_MAX_ATTACHMENT_SIZE` says nothing else, in bytes.
pub const MAX_LAYER_BYTES: usize = 128 * 1024 * 1024;

/// How it is looked for. What is found is handed over as it comes, on many threads, so that no more of it is held than is of use.
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
    /// What may be held at once.
    pub budget: &'a Budget,
}

impl Search<'_> {
    fn reading<'s>(&'s self, source: &'s dyn Source) -> Reading<'s> {
        Reading { source, max_layer_bytes: self.max_layer_bytes, budget: self.budget }
    }

    /// What refers to the image: bundles, and artifacts with layers of the older layout. One request for the list (two where a
    /// registry keeps none), and two for each. One that cannot be fetched is handed over with the reason.
    ///
    /// # Errors
    /// Those of the place where it gives no list: that is never taken for an empty one.
    pub fn referrers<T: Send>(
        &self,
        source: &dyn Source,
        take: &(dyn Fn(Found) -> T + Sync),
    ) -> Result<Vec<T>> {
        let listed = source.referrers(self.image)?.descriptors;
        let wants_older = matches!(self.kind, Kind::Signature | Kind::Attestation(None));
        let is_older = |one: &Descriptor| wants_older && artifacts::holds_signatures(one);
        let candidates: Vec<_> =
            listed.into_iter().filter(|one| bundles::may_be(one, self.kind) || is_older(one)).collect();
        let read = batch::run(&candidates, self.threads, &|| false, &|one| {
            let read = match is_older(one) {
                true => artifacts::read(&self.reading(source), one, take),
                false => bundles::read(&self.reading(source), one, self.kind, take)
                    .map(|found| found.into_iter().collect()),
            };
            read.unwrap_or_else(|error| {
                vec![take(Found {
                    place: source.name_of(&one.digest),
                    layout: Layout::Bundle,
                    content: Vec::new(),
                    annotations: one.annotations.clone().unwrap_or_default(),
                    material: Err(error),
                })]
            })
        });
        Ok(read.into_iter().flatten().flatten().collect())
    }

    /// Layers under the image's tag, which `tag` is. One request for the list, and one for each layer.
    ///
    /// # Errors
    /// Those of the place.
    pub fn tags<T: Send>(
        &self,
        source: &dyn Source,
        tag: &str,
        take: &(dyn Fn(Found) -> T + Sync),
    ) -> Result<Vec<T>> {
        let Some(manifest) = source.manifest(tag)? else { return Ok(Vec::new()) };
        let fits = |layer: &Descriptor| match (layer.annotation(tags::PREDICATE_TYPE), self.kind) {
            (Some(named), Kind::Attestation(Some(wanted))) => named == wanted,
            _ => true,
        };
        let layers: Vec<_> = manifest.layers().iter().enumerate().filter(|(_, layer)| fits(layer)).collect();
        let read = batch::run(&layers, self.threads, &|| false, &|(number, layer)| {
            tags::read(&self.reading(source), (tag, *number), layer, take)
        });
        Ok(read.into_iter().flatten().collect())
    }
}
