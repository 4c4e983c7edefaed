//! What refers to an image: the registry's own list, or the index under a tag that stands for it where a registry has none
//! (distribution specification 1.1, "Listing Referrers", "Referrers Tag Schema").

use std::time::Duration;

use countersign_core::Digest;
use countersign_core::context::Event;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::Answer;

use super::manifest::{Content, DOCKER_LIST, Descriptor, MAX_PARTS, Manifest, OCI_INDEX};
use super::remote::Remote;

/// How often a list is asked for what was just written.
const MAX_LOOKS: u32 = 4;
/// Entries beyond which readers give up (Kyverno).
const READABLE: usize = 50;

/// Statuses by which registries say that they know no such list: the specification's, and those that Go's and other servers
/// give for a path or method of which they know nothing. A refusal to show it is none of them.
const NO_LIST: [u16; 5] = [400, 404, 405, 406, 501];

/// What refers to an image.
#[derive(Debug, Clone, Default)]
pub struct Referrers {
    /// Each, as the list describes it.
    pub descriptors: Vec<Descriptor>,
    /// Whether the registry keeps the list; else it is an index under [`fallback_tag`].
    pub is_kept: bool,
}

impl Referrers {
    fn lists(&self, digest: &Digest) -> bool {
        let digest = digest.to_string();
        self.descriptors.iter().any(|one| one.digest == digest)
    }
}

/// The tag under which the list stands where the registry keeps none.
pub fn fallback_tag(subject: &Digest) -> String {
    subject.to_string().replace(':', "-")
}

impl Remote<'_> {
    /// What refers to `subject`. One request, and one more where the registry keeps no list. An answer that is no list is an
    /// error, never an empty one.
    ///
    /// # Errors
    /// Those of the registry; [`ErrorKind::Integrity`] for a list without end.
    pub fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        if let Some(kept) = self.kept(subject)? {
            return Ok(kept);
        }
        let descriptors = self.tagged(subject)?.and_then(|index| index.content.manifests).unwrap_or_default();
        Ok(Referrers { descriptors, is_kept: false })
    }

    /// The registry's own list; `None` where it keeps none.
    fn kept(&self, subject: &Digest) -> Result<Option<Referrers>> {
        let act = format!("list what refers to {}@{subject}", self.repository());
        let mut descriptors = Vec::new();
        let mut found = |answer: &Answer| -> Result<()> {
            let page = Manifest::parse(answer.body.to_vec(), None);
            let page = page.map_err(|error| error.with_what(|_| format!("cannot {act}")))?;
            if !page.is_index() {
                return Err(
                    Error::new(ErrorKind::Integrity, format!("cannot {act}")).why("the answer is no index")
                );
            }
            descriptors.extend(page.content.manifests.unwrap_or_default());
            if descriptors.len() > MAX_PARTS {
                return Err(Error::new(ErrorKind::Integrity, format!("cannot {act}"))
                    .why(format!("there are more than {MAX_PARTS}"))
                    .hint("countersign clean takes away what is not needed any more"));
            }
            Ok(())
        };
        let ended = self.pages(&self.path(&format!("referrers/{subject}")), &act, &NO_LIST, &mut found)?;
        Ok(ended.is_none().then_some(Referrers { descriptors, is_kept: true }))
    }

    /// The index that stands for the list.
    fn tagged(&self, subject: &Digest) -> Result<Option<Manifest>> {
        self.manifest(&fallback_tag(subject))?.map(|found| self.index(found, subject)).transpose()
    }

    fn index(&self, found: Manifest, subject: &Digest) -> Result<Manifest> {
        if found.is_index() {
            return Ok(found);
        }
        let name = format!("{}:{}", self.repository(), fallback_tag(subject));
        Err(Error::new(ErrorKind::Integrity, format!("cannot use {name}"))
            .why("that tag is for the list of what refers to the image, and there is an image under it")
            .hint("move that image to another tag"))
    }

    /// Writes a manifest that refers to `subject`, and sees that it can be found from there.
    ///
    /// # Errors
    /// Those of the registry; [`ErrorKind::Unavailable`] where it is written and the list does not keep it.
    pub fn attach(&self, manifest: &Manifest, subject: &Digest) -> Result<()> {
        // What a registry says here of the subject proves nothing: some say it and keep no list.
        self.put_manifest(None, manifest)?;
        for look in 0..MAX_LOOKS {
            match self.kept(subject)? {
                None => return self.list(&manifest.descriptor(), subject),
                Some(list) if list.lists(&manifest.digest) => return Ok(()),
                Some(_) => std::thread::sleep(Duration::from_millis(100) * 2u32.pow(look)),
            }
        }
        Err(self.not_listed(manifest, "the registry keeps a list, and it is not in it"))
    }

    /// Takes away what refers to `subject`, and its entry where the list is an index of ours. Whether it was there.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn detach(&self, digest: &Digest, subject: &Digest) -> Result<bool> {
        if self.kept(subject)?.is_none() {
            let gone = digest.to_string();
            self.merge(&fallback_tag(subject), &|current| {
                let Some(index) = current else { return Ok(None) };
                let mut content = self.index(index, subject)?.content;
                let entries = content.manifests.get_or_insert_default();
                let before = entries.len();
                entries.retain(|one| one.digest != gone);
                if entries.len() == before {
                    return Ok(None);
                }
                let media_type = content.media_type.clone().filter(|kind| kind == DOCKER_LIST);
                Manifest::write(media_type.as_deref().unwrap_or(OCI_INDEX), content).map(Some)
            })?;
        }
        self.delete(&digest.to_string())
    }

    fn not_listed(&self, manifest: &Manifest, why: &str) -> Error {
        let name = format!("{}@{}", self.repository(), manifest.digest);
        Error::new(ErrorKind::Unavailable, format!("cannot make {name} known"))
            .why(format!("it is written, and nobody finds it: {why}"))
            .hint("run it again")
    }

    /// Adds an entry to the index that stands for the list. What others wrote is kept.
    fn list(&self, entry: &Descriptor, subject: &Digest) -> Result<()> {
        self.merge(&fallback_tag(subject), &|current| {
            let mut content = match current {
                None => Content::default(),
                Some(index) => self.index(index, subject)?.content,
            };
            let entries = content.manifests.get_or_insert_default();
            if entries.iter().any(|one| one.digest == entry.digest) {
                return Ok(None);
            }
            entries.push(entry.clone());
            if entries.len() > READABLE {
                self.context().events.event(Event::Warning(format!(
                    "{} things refer to {}@{subject}; some verifiers read {READABLE} at most",
                    entries.len(),
                    self.repository()
                )));
            }
            let media_type = content.media_type.clone().filter(|kind| kind == DOCKER_LIST);
            Manifest::write(media_type.as_deref().unwrap_or(OCI_INDEX), content).map(Some)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::HashAlgorithm;

    #[test]
    fn the_tag_is_the_digest_with_a_dash() {
        let digest = HashAlgorithm::Sha256.digest(b"");
        assert_eq!(fallback_tag(&digest), format!("sha256-{}", digest.hex()));
    }
}
