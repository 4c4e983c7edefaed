//! Signatures and attestations of images, as Cosign and the clusters' verifiers lay them out in a registry.
//!
//! Two layouts are in use. Since Cosign 3 a signature is a Sigstore bundle around an in-toto statement, in a manifest that
//! refers to the image ([`bundles`]). Before, it was a layer of an image under a tag made of the digest ([`tags`]), or, with an
//! experimental flag, of an artifact that refers to the image ([`artifacts`]). No verifier reads all (`docs/formats.md`). [`find`] reads them, [`mod@write`] writes them; what they are worth `verify` decides.

pub mod artifacts;
pub mod beside;
pub mod budget;
pub mod bundles;
pub mod find;
pub mod local;
pub mod tags;
pub mod write;

use countersign_core::Digest;
use countersign_core::error::{Error, ErrorKind, Result};

use crate::oci::manifest::{DOCKER_LIST, OCI_INDEX};
use crate::oci::{Descriptor, Manifest, Reference, Remote, Source};
use crate::verify::Material;

/// Images in one index, and indexes in indexes.
const MAX_IMAGES: usize = 1000;
const MAX_DEPTH: usize = 4;

/// Where a signature lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A bundle in a manifest that refers to the image.
    Bundle,
    /// A layer of an image under the image's tag, or of an artifact that refers to the image.
    Layer,
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Signatures.
    Signature,
    /// Attestations of this predicate type, or of any.
    Attestation(Option<&'a str>),
}

/// Something found beside an image.
#[derive(Debug)]
pub struct Found {
    /// Where, for people.
    pub place: String,
    /// In which form.
    pub layout: Layout,
    /// The bytes that stand there: a bundle, claims or an envelope.
    pub content: Vec<u8>,
    /// The notes beside them.
    pub annotations: crate::oci::manifest::Annotations,
    /// What it is, or why it cannot be read.
    pub material: Result<Material>,
}

/// The digest of an image. Where the name has none the registry is asked for what its tag is now.
///
/// # Errors
/// Those of the registry; [`ErrorKind::NotFound`] where there is no such tag.
pub fn resolve(remote: &Remote<'_>, reference: &Reference) -> Result<Digest> {
    if let Some(digest) = reference.digest {
        return Ok(digest);
    }
    Ok(fetch(remote, reference)?.digest)
}

/// An image with all images of an index, and of indexes in it: the whole first. One request for each index below the first.
///
/// # Errors
/// Those of the registry; [`ErrorKind::Unsupported`] for indexes in indexes beyond what anybody builds.
pub fn platforms(source: &dyn Source, whole: &Manifest) -> Result<Vec<Descriptor>> {
    let mut found = vec![whole.as_subject()];
    let mut left: Vec<(usize, Manifest)> = vec![(0, whole.clone())];
    while let Some((depth, index)) = left.pop() {
        for part in index.manifests() {
            let digest = part.digest()?;
            if found.iter().any(|known| known.digest == part.digest) {
                continue;
            }
            let size = usize::try_from(part.size).unwrap_or(usize::MAX);
            found.push(Descriptor::new(&part.media_type, &digest, size));
            if found.len() > MAX_IMAGES || depth > MAX_DEPTH {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("cannot go through {}", source.name_of(&whole.digest.to_string())),
                )
                .why(format!("the index leads to more than {MAX_IMAGES} images, or {MAX_DEPTH} deep")));
            }
            if [OCI_INDEX, DOCKER_LIST].contains(&part.media_type.as_str()) {
                let part =
                    source.manifest(&part.digest)?.ok_or_else(|| missing(&source.name_of(&part.digest)))?;
                left.push((depth + 1, part));
            }
        }
    }
    Ok(found)
}

/// The manifest of an image.
///
/// # Errors
/// As those of [`resolve`].
pub fn fetch(remote: &Remote<'_>, reference: &Reference) -> Result<Manifest> {
    remote.manifest(&reference.wanted())?.ok_or_else(|| missing(&reference.to_string()))
}

fn missing(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("cannot find {name}"))
        .why("there is no such image")
        .hint("check its name; it may also be one that only who logs in may see")
}
