//! Where images are read from: a repository of a registry, or files in the image layout.

use countersign_core::Digest;
use countersign_core::error::Result;

use super::{Descriptor, ImageLayout, Manifest, Referrers, Remote};

/// What reading an image and what is beside it takes. Everything that is given was held against its digest.
pub trait Source: Send + Sync {
    /// What a tag or digest of it is called, for people.
    fn name_of(&self, wanted: &str) -> String;

    /// The manifest that a tag or digest names; `None` where there is none.
    ///
    /// # Errors
    /// Those of the place; `Integrity` where the bytes are not what was asked for, or no manifest.
    fn manifest(&self, wanted: &str) -> Result<Option<Manifest>>;

    /// The blob that a descriptor points to, of at most `limit` bytes.
    ///
    /// # Errors
    /// Those of the place; `Unsupported` beyond the limit, before anything is read; `Integrity` where it is not what was
    /// described.
    fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Vec<u8>>;

    /// What refers to an image.
    ///
    /// # Errors
    /// Those of the place: where it cannot say, that is never an empty list.
    fn referrers(&self, subject: &Digest) -> Result<Referrers>;
}

impl Source for Remote<'_> {
    fn name_of(&self, wanted: &str) -> String {
        Remote::name_of(self, wanted)
    }

    fn manifest(&self, wanted: &str) -> Result<Option<Manifest>> {
        Remote::manifest(self, wanted)
    }

    fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Vec<u8>> {
        Remote::blob(self, descriptor, limit)
    }

    fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        Remote::referrers(self, subject)
    }
}

impl Source for ImageLayout {
    fn name_of(&self, wanted: &str) -> String {
        ImageLayout::name_of(self, wanted)
    }

    fn manifest(&self, wanted: &str) -> Result<Option<Manifest>> {
        ImageLayout::manifest(self, wanted)
    }

    fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Vec<u8>> {
        ImageLayout::blob(self, descriptor, limit)
    }

    fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        ImageLayout::referrers(self, subject)
    }
}
