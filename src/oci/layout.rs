//! Images in files: a directory in the layout that OCI defines, or an archive of one (OCI image specification 1.1, "Image Layout").
//! `cosign save`, `skopeo copy … oci:`, `docker buildx build -o type=oci` and `docker save` write it.

mod files;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Digest, HashAlgorithm, bounded};

use super::manifest::{Descriptor, MAX_MANIFEST_BYTES, MAX_PARTS, Manifest};
use super::reference::parse_digest;
use super::referrers::Referrers;
use files::Files;

/// What an entry is called in its layout (OCI image specification 1.1, "Pre-Defined Annotation Keys").
pub const NAME: &str = "org.opencontainers.image.ref.name";

/// Images in files.
#[derive(Debug)]
pub struct ImageLayout {
    path: PathBuf,
    files: Files,
    index: Manifest,
    deadline: Option<Instant>,
    /// What refers to what, once somebody asked: an image layout has no list of it.
    about: Mutex<Option<BTreeMap<String, Vec<Descriptor>>>>,
}

impl ImageLayout {
    /// Opens a directory or an archive.
    ///
    /// # Errors
    /// Those of the files; [`ErrorKind::NotFound`] where it is no image layout, [`ErrorKind::Integrity`] where its index cannot
    /// be used.
    pub fn open(path: &Path, deadline: Option<Instant>) -> Result<Self> {
        let failed = |cause| Error::io("read the image in", path.display(), cause);
        let files = Files::open(path).map_err(failed)?;
        let Some(index) = files.read("index.json", MAX_MANIFEST_BYTES, deadline).map_err(failed)? else {
            return Err(Error::new(ErrorKind::NotFound, format!("cannot read the image in {}", path.display()))
                .why("it has no index.json, so it is no OCI image layout")
                .hint("cosign save --dir writes one, and so do skopeo copy … oci:DIR and docker buildx build -o type=oci"));
        };
        let index = Manifest::parse(index, None).and_then(|index| match index.is_index() {
            true => Ok(index),
            false => Err(Error::new(ErrorKind::Integrity, "cannot use it").why("it is no index")),
        });
        let index = index.map_err(|error| {
            error.with_what(|_| format!("cannot use {}", path.join("index.json").display()))
        })?;
        Ok(Self { path: path.to_owned(), files, index, deadline, about: Mutex::default() })
    }

    /// What its index lists.
    pub fn entries(&self) -> &[Descriptor] {
        self.index.manifests()
    }

    pub(super) fn name_of(&self, wanted: &str) -> String {
        let join = if wanted.contains(':') { '@' } else { ':' };
        format!("{}{join}{wanted}", self.path.display())
    }

    pub(super) fn manifest(&self, wanted: &str) -> Result<Option<Manifest>> {
        if let Some(digest) = parse_digest(wanted) {
            return self.by_digest(&digest);
        }
        let mut named = self.entries().iter().filter(|entry| entry.annotation(NAME) == Some(wanted));
        let Some(entry) = named.next() else { return Ok(None) };
        if named.any(|other| other.digest != entry.digest) {
            return Err(Error::new(ErrorKind::Ambiguous, format!("cannot read {}", self.name_of(wanted)))
                .why("two images have that name")
                .hint("name the image by its digest"));
        }
        let missing = || {
            Error::new(ErrorKind::NotFound, format!("cannot read {}", self.name_of(wanted)))
                .why(format!("the index lists {}, and it is not there", entry.digest))
        };
        self.by_digest(&entry.digest()?)?.ok_or_else(missing).map(Some)
    }

    fn by_digest(&self, digest: &Digest) -> Result<Option<Manifest>> {
        let name = self.name_of(&digest.to_string());
        let Some(bytes) = self.file(digest, MAX_MANIFEST_BYTES)? else { return Ok(None) };
        let manifest = Manifest::parse_as(bytes, None, digest.algorithm())
            .map_err(|error| error.with_what(|_| format!("cannot use the manifest of {name}")))?;
        if manifest.digest != *digest {
            return Err(Error::new(ErrorKind::Integrity, format!("cannot read the manifest of {name}"))
                .why(format!("the file of that name is another one, {}", manifest.digest))
                .hint("the files were damaged or changed: get them again"));
        }
        Ok(Some(manifest))
    }

    pub(super) fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Vec<u8>> {
        let digest = descriptor.digest()?;
        let act = format!("read {}", self.name_of(&digest.to_string()));
        let size = descriptor.size_within(limit, &act)?;
        let bytes = self.file(&digest, size)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("cannot {act}")).why("it is described, and not there")
        })?;
        descriptor.check(&bytes, &act, "the files were damaged or changed: get them again")?;
        Ok(bytes)
    }

    fn file(&self, digest: &Digest, limit: usize) -> Result<Option<Vec<u8>>> {
        let name = format!("blobs/{}/{}", digest.algorithm().name(), digest.hex());
        let failed = |cause| Error::io("read", self.path.join(&name).display(), cause);
        self.files.read(&name, limit, self.deadline).map_err(failed)
    }

    /// What refers to `subject`. The first question goes through all files, since `cosign save` writes referrers among them and
    /// lists them nowhere.
    pub(super) fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        let mut about = self.about.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match &mut *about {
            Some(known) => known,
            none => none.insert(self.all_referrers()?),
        };
        let descriptors = known.get(&subject.to_string()).cloned().unwrap_or_default();
        if descriptors.len() > MAX_PARTS {
            let act = format!("list what refers to {}", self.name_of(&subject.to_string()));
            return Err(Error::new(ErrorKind::Integrity, format!("cannot {act}"))
                .why(format!("there are more than {MAX_PARTS}")));
        }
        Ok(Referrers { descriptors, is_kept: true })
    }

    fn all_referrers(&self) -> Result<BTreeMap<String, Vec<Descriptor>>> {
        let mut found: BTreeMap<String, Vec<Descriptor>> = BTreeMap::new();
        for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha512] {
            let folder = format!("blobs/{}", hash.name());
            let failed = |cause| Error::io("list", self.path.join(&folder).display(), cause);
            for (name, size) in self.files.list(&folder).map_err(failed)? {
                if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return Err(failed(bounded::late()));
                }
                let digest = parse_digest(&format!("{}:{name}", hash.name()));
                let (Some(digest), true) = (digest, size <= MAX_MANIFEST_BYTES as u64) else { continue };
                let Some(bytes) = self.file(&digest, MAX_MANIFEST_BYTES)? else { continue };
                // Layers and configurations lie there too: what is no manifest refers to nothing.
                let Ok(manifest) = Manifest::parse_as(bytes, None, hash) else { continue };
                if let (true, Some(subject)) = (manifest.digest == digest, &manifest.content.subject) {
                    found.entry(subject.digest.clone()).or_default().push(manifest.descriptor());
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
