//! A repository in a registry: manifests and tags (distribution specification 1.1, "Pull", "Push", "Content Management").

use std::sync::Arc;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{Answer, Method, Request, SecretBody};
use countersign_core::{Digest, OpenContext};

use super::errors::refused;
use super::host::Host;
use super::manifest::{DOCKER_LIST, DOCKER_MANIFEST, MAX_MANIFEST_BYTES, Manifest, OCI_INDEX, OCI_MANIFEST};
use super::reference::parse_digest;
use super::{Access, Repository};

/// Pages of a list that are followed.
const MAX_PAGES: usize = 100;
/// Times that a registry may say that something moved.
const MAX_REDIRECTS: usize = 4;
/// Tags that are taken.
const MAX_TAGS: usize = 100_000;

/// A repository, opened for reading or more.
pub struct Remote<'a> {
    pub(super) host: Arc<Host<'a>>,
    repository: Repository,
    access: Access,
}

impl<'a> Remote<'a> {
    pub(super) fn new(host: Arc<Host<'a>>, repository: Repository, access: Access) -> Self {
        Self { host, repository, access }
    }

    /// Which one it is.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// What the registry is spoken with.
    pub fn context(&self) -> &OpenContext<'a> {
        self.host.context()
    }

    /// Sends a request, and what is read once more where the registry itself says that it moved.
    pub(super) fn send(&self, limit: usize, act: &str, request: &Request<'_>) -> Result<Answer> {
        let mut path = request.path.to_owned();
        for _ in 0..MAX_REDIRECTS {
            let request = Request { path: &path, ..*request };
            let answer = self.host.send(&self.repository, self.access, limit, act, &request)?;
            let moved = match (request.method, answer.status, answer.location()) {
                (Method::Get | Method::Head, 301..=303 | 307 | 308, Some(location)) => location,
                _ => return Ok(answer),
            };
            let own = self.host.endpoint()?;
            let (there, below) = own.resolve(&path, moved)?;
            if !there.is_same_origin(&own) {
                return Ok(answer);
            }
            path = below;
        }
        Err(Error::new(ErrorKind::Unsupported, format!("cannot {act}"))
            .why("the registry passes it on without end"))
    }

    /// What a tag or digest of it is called.
    pub(super) fn name_of(&self, wanted: &str) -> String {
        format!("{}{}{wanted}", self.repository, if wanted.contains(':') { '@' } else { ':' })
    }

    pub(super) fn path(&self, rest: &str) -> String {
        // Names of repositories and references were checked when they were read: nothing in them steers a path.
        format!("/v2/{}/{rest}", self.repository.path)
    }

    pub(super) fn refused(&self, act: &str, answer: &Answer) -> Error {
        refused(&self.repository.host, act, answer)
    }

    /// Whether the registry takes us.
    pub(super) fn greet(&self) -> Result<()> {
        let act = format!("log in to {}", self.repository.host);
        let request =
            Request { method: Method::Get, path: "/v2/", headers: &[], credentials: &[], body: None };
        let answer = self.send(MAX_MANIFEST_BYTES, &act, &request)?;
        if answer.is_success() { Ok(()) } else { Err(self.refused(&act, &answer)) }
    }

    /// The manifest that a tag or digest names; `None` where there is none. One of a digest is held against it.
    ///
    /// # Errors
    /// Those of the registry; [`ErrorKind::Integrity`] where the bytes are not what was asked for, or no manifest.
    pub fn manifest(&self, wanted: &str) -> Result<Option<Manifest>> {
        let name = self.name_of(wanted);
        let act = format!("read the manifest of {name}");
        let types = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ");
        let path = self.path(&format!("manifests/{wanted}"));
        let headers = &[("accept", types.as_str())];
        let request = Request { method: Method::Get, path: &path, headers, credentials: &[], body: None };
        let answer = self.send(MAX_MANIFEST_BYTES, &act, &request)?;
        if answer.status == 404 {
            return Ok(None);
        }
        if answer.status != 200 {
            return Err(self.refused(&act, &answer));
        }
        let stated = answer.header("content-type").map(str::to_owned);
        let asked = parse_digest(wanted);
        let hash = asked.as_ref().map_or(countersign_core::HashAlgorithm::Sha256, Digest::algorithm);
        let manifest = Manifest::parse_as(answer.body.to_vec(), stated.as_deref(), hash)
            .map_err(|error| error.with_what(|_| format!("cannot use the manifest of {name}")))?;
        match asked {
            Some(asked) if asked != manifest.digest => {
                Err(Error::new(ErrorKind::Integrity, format!("cannot {act}"))
                    .why(format!("the registry answers with another one, {}", manifest.digest))
                    .hint("do not use this registry until whoever runs it has explained that"))
            }
            _ => Ok(Some(manifest)),
        }
    }

    /// Writes a manifest under a tag, or under its own digest. What the registry says of its subject is given back: whether it
    /// lists referrers shows only when it does.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn put_manifest(&self, tag: Option<&str>, manifest: &Manifest) -> Result<Option<String>> {
        let wanted = tag.map_or_else(|| manifest.digest.to_string(), str::to_owned);
        let act = format!("write {}", self.name_of(&wanted));
        let path = self.path(&format!("manifests/{wanted}"));
        let body = SecretBody::new(manifest.bytes.clone());
        let headers = &[("content-type", manifest.media_type.as_str())];
        let request =
            Request { method: Method::Put, path: &path, headers, credentials: &[], body: Some(&body) };
        let answer = self.send(MAX_MANIFEST_BYTES, &act, &request)?;
        if answer.is_success() {
            Ok(answer.header("oci-subject").map(str::to_owned))
        } else {
            Err(self.refused(&act, &answer))
        }
    }

    /// Takes a tag or a manifest away; whether it was there.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn delete(&self, wanted: &str) -> Result<bool> {
        let act = format!("delete {}", self.name_of(wanted));
        let path = self.path(&format!("manifests/{wanted}"));
        let request =
            Request { method: Method::Delete, path: &path, headers: &[], credentials: &[], body: None };
        let answer = self.send(MAX_MANIFEST_BYTES, &act, &request)?;
        match answer.status {
            404 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(self.refused(&act, &answer)),
        }
    }

    /// Takes a tag and what stands under it away. Many registries delete no tags, others keep a tag whose manifest is gone: so
    /// both are asked for.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn delete_tag(&self, tag: &str, manifest: &Digest) -> Result<bool> {
        match self.delete(tag) {
            Err(error) if !matches!(error.kind(), ErrorKind::Unsupported) => return Err(error),
            _ => {}
        }
        self.delete(&manifest.to_string())
    }

    /// All tags, none where the repository is not there.
    ///
    /// # Errors
    /// Those of the registry; [`ErrorKind::Integrity`] for a list without end.
    pub fn tags(&self) -> Result<Vec<String>> {
        let act = format!("list the tags of {}", self.repository);
        let mut tags = Vec::new();
        let mut found = |answer: &Answer| -> Result<()> {
            #[derive(serde::Deserialize)]
            struct Page {
                #[serde(default)]
                tags: Option<Vec<String>>,
            }
            let page: Page = serde_json::from_slice(&answer.body).map_err(|cause| {
                Error::new(ErrorKind::Integrity, format!("cannot {act}"))
                    .why(format!("the answer is no list: {cause}"))
            })?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > MAX_TAGS {
                return Err(Error::new(ErrorKind::Integrity, format!("cannot {act}"))
                    .why(format!("there are more than {MAX_TAGS}")));
            }
            Ok(())
        };
        self.pages(&self.path("tags/list?n=1000"), &act, &[404], &mut found)?;
        Ok(tags)
    }

    /// Reads a list page by page, as `Link` leads (distribution specification 1.1, "Listing Tags"). Gives the status of the first
    /// page where it is one of `ends`, and then nothing was read.
    pub(super) fn pages(
        &self,
        path: &str,
        act: &str,
        ends: &[u16],
        found: &mut dyn FnMut(&Answer) -> Result<()>,
    ) -> Result<Option<u16>> {
        let mut path = path.to_owned();
        for page in 0..MAX_PAGES {
            let request =
                Request { method: Method::Get, path: &path, headers: &[], credentials: &[], body: None };
            let answer = self.send(MAX_MANIFEST_BYTES, act, &request)?;
            if page == 0 && ends.contains(&answer.status) {
                return Ok(Some(answer.status));
            }
            if answer.status != 200 {
                return Err(self.refused(act, &answer));
            }
            found(&answer)?;
            let Some(link) = answer.headers("link").find_map(next) else { return Ok(None) };
            let endpoint = self.host.endpoint()?;
            let (there, below) = endpoint.resolve(&path, link)?;
            if !there.is_same_origin(&endpoint) {
                return Err(Error::new(ErrorKind::Integrity, format!("cannot {act}"))
                    .why(format!("the next page is said to be at {there}, which is another host")));
            }
            path = below;
        }
        Err(Error::new(ErrorKind::Integrity, format!("cannot {act}"))
            .why(format!("the list has more than {MAX_PAGES} pages"))
            .hint("the registry may answer the same page without end: ask who runs it"))
    }
}

/// The target of `<URL>; rel="next"` (RFC 8288).
fn next(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let mut parameters = parameters.split(';').map(str::trim);
    parameters.any(|one| one == "rel=\"next\"" || one == "rel=next").then_some(target)
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn reads_where_the_next_page_is() {
        assert_eq!(next(r#"</v2/a/tags/list?n=2&last=b>; rel="next""#), Some("/v2/a/tags/list?n=2&last=b"));
        assert_eq!(next("<https://r/x>;rel=next"), Some("https://r/x"));
        for link in ["", "<x", "x>", r#"<x>; rel="prev""#, "<x>"] {
            assert_eq!(next(link), None, "{link}");
        }
    }
}
