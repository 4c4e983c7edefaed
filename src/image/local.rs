//! An image in files with what `cosign save` puts beside it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use countersign_core::Digest;
use countersign_core::error::{Error, ErrorKind, Result};

use super::tags::Ending;
use crate::oci::layout::NAME;
use crate::oci::reference::{is_tag, parse_digest};
use crate::oci::{Descriptor, ImageLayout, Manifest, Referrers, Source};

/// The note by which `cosign save` says what an entry is.
const KIND: &str = "kind";
const IMAGES: [&str; 2] = ["dev.cosignproject.cosign/image", "dev.cosignproject.cosign/imageIndex"];
const SIGNATURES: &str = "dev.cosignproject.cosign/sigs";
const ATTESTATIONS: &str = "dev.cosignproject.cosign/atts";
/// Images named when the user must choose.
const MAX_NAMED: usize = 8;

/// An image in files.
#[derive(Debug)]
pub struct Local {
    layout: ImageLayout,
    /// The image.
    pub manifest: Manifest,
}

impl Local {
    /// Opens `PATH`, `PATH:NAME` or `PATH@DIGEST`. A path alone must hold one image.
    ///
    /// # Errors
    /// Those of the files; [`ErrorKind::NotFound`] where there is no such image, [`ErrorKind::Ambiguous`] where there are several.
    pub fn open(text: &str, deadline: Option<Instant>) -> Result<Self> {
        let (path, wanted) = split(text);
        let layout = ImageLayout::open(&path, deadline)?;
        let wanted = match wanted {
            Some(wanted) => wanted,
            None => the_image(&layout, &path)?.to_string(),
        };
        let manifest = layout.manifest(&wanted)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("cannot find {}", layout.name_of(&wanted)))
                .why(format!("there is no such image in {}", path.display()))
                .hint(format!("it has: {}", named(&layout)))
        })?;
        Ok(Self { layout, manifest })
    }

    /// The entry that `cosign save` calls so.
    fn of_kind(&self, kind: &str) -> Result<Option<Manifest>> {
        let mut entries = self.layout.entries().iter();
        let Some(entry) = entries.find(|entry| entry.annotation(KIND) == Some(kind)) else { return Ok(None) };
        self.layout.manifest(&entry.digest)
    }

    /// Whether it is the image that the entries of `cosign save` are about.
    fn is_saved(&self) -> bool {
        let digest = self.manifest.digest.to_string();
        self.layout.entries().iter().any(|entry| is_image(entry) && entry.digest == digest)
    }
}

impl Source for Local {
    fn name_of(&self, wanted: &str) -> String {
        self.layout.name_of(wanted)
    }

    fn manifest(&self, wanted: &str) -> Result<Option<Manifest>> {
        if let found @ Some(_) = self.layout.manifest(wanted)? {
            return Ok(found);
        }
        let is = |ending: Ending| wanted == ending.tag(&self.manifest.digest);
        match () {
            () if is(Ending::Signatures) && self.is_saved() => self.of_kind(SIGNATURES),
            () if is(Ending::Attestations) && self.is_saved() => self.of_kind(ATTESTATIONS),
            () => Ok(None),
        }
    }

    fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Vec<u8>> {
        self.layout.blob(descriptor, limit)
    }

    fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        self.layout.referrers(subject)
    }
}

/// The path, and what of it is meant. A path that is there is one, whatever is in its name.
fn split(text: &str) -> (PathBuf, Option<String>) {
    let whole = (PathBuf::from(text), None);
    if Path::new(text).exists() {
        return whole;
    }
    if let Some((path, digest)) = text.rsplit_once('@').filter(|(_, digest)| parse_digest(digest).is_some()) {
        return (PathBuf::from(path), Some(digest.to_owned()));
    }
    match text.rsplit_once(':').filter(|(path, name)| is_tag(name) && Path::new(path).exists()) {
        Some((path, name)) => (PathBuf::from(path), Some(name.to_owned())),
        None => whole,
    }
}

fn is_image(entry: &Descriptor) -> bool {
    entry.annotation(KIND).is_some_and(|kind| IMAGES.contains(&kind))
}

/// The only image of a layout: what `cosign save` calls so, else the only entry that is not beside another.
fn the_image(layout: &ImageLayout, path: &Path) -> Result<Digest> {
    let failed =
        |kind, why: String| Error::new(kind, format!("cannot read the image in {}", path.display())).why(why);
    let mut images: Vec<&Descriptor> = layout.entries().iter().filter(|entry| is_image(entry)).collect();
    if images.is_empty() {
        for entry in layout.entries().iter().filter(|entry| !is_beside(entry)) {
            let manifest = layout.manifest(&entry.digest)?;
            if manifest.is_none_or(|manifest| manifest.content.subject.is_none()) {
                images.push(entry);
            }
        }
    }
    images.sort_by(|one, other| one.digest.cmp(&other.digest));
    images.dedup_by(|one, other| one.digest == other.digest);
    match images[..] {
        [image] => image.digest(),
        [] => Err(failed(ErrorKind::NotFound, "its index lists none".to_owned())),
        _ => Err(failed(ErrorKind::Ambiguous, format!("it has {} images", images.len()))
            .hint(format!("add :NAME or @DIGEST to the path; it has: {}", named(layout)))),
    }
}

/// Whether an entry's name or kind says that it stands beside an image: `sha256-HEX`, `.sig` and the others.
fn is_beside(entry: &Descriptor) -> bool {
    let is_tag_of_another = |name: &str| {
        let start = name.split('.').next().unwrap_or_default();
        parse_digest(&start.replacen('-', ":", 1)).is_some()
    };
    entry.annotation(KIND).is_some_and(|kind| [SIGNATURES, ATTESTATIONS].contains(&kind))
        || entry.annotation(NAME).is_some_and(is_tag_of_another)
}

/// What the images of a layout are called.
fn named(layout: &ImageLayout) -> String {
    let name = |entry: &Descriptor| match entry.annotation(NAME) {
        Some(name) => format!(":{name}"),
        None => format!("@{}", entry.digest),
    };
    let images: Vec<_> = layout.entries().iter().filter(|entry| !is_beside(entry)).map(name).collect();
    let more = if images.len() > MAX_NAMED { ", and more" } else { "" };
    format!("{}{more}", images[..images.len().min(MAX_NAMED)].join(", "))
}
