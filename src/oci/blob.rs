//! Blobs: what layers and configurations are in (distribution specification 1.1, "Pulling blobs", "Pushing blobs").

use countersign_core::Digest;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{Answer, Method, Request, SecretBody};

use super::manifest::{Descriptor, MAX_MANIFEST_BYTES};
use super::remote::Remote;

/// Hosts that a blob may be fetched through, one after the other.
const MAX_REDIRECTS: usize = 5;

impl Remote<'_> {
    /// The blob that a descriptor points to, held against its digest and size. `limit`: the most bytes that are taken.
    ///
    /// # Errors
    /// Those of the registry; [`ErrorKind::Unsupported`] beyond the limit, before anything is fetched;
    /// [`ErrorKind::Integrity`] where it is not what was described.
    pub fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Vec<u8>> {
        let digest = descriptor.digest()?;
        let act = format!("read {digest} of {}", self.repository());
        let size = descriptor.size_within(limit, &act)?;
        let path = self.path(&format!("blobs/{digest}"));
        let request =
            Request { method: Method::Get, path: &path, headers: &[], credentials: &[], body: None };
        let answer = self.send(size, &act, &request)?;
        let answer = self.follow(&path, answer, size, &act)?;
        if answer.status != 200 {
            return Err(self.refused(&act, &answer));
        }
        let bytes = answer.body.to_vec();
        descriptor.check(
            &bytes,
            &act,
            "do not use this registry until whoever runs it has explained that",
        )?;
        Ok(bytes)
    }

    /// Follows an answer to where the blob is stored. Nothing that tells who we are goes along.
    fn follow(&self, path: &str, answer: Answer, limit: usize, act: &str) -> Result<Answer> {
        let (mut answer, mut from, mut path) = (answer, self.host.endpoint()?, path.to_owned());
        for _ in 0..MAX_REDIRECTS {
            let location = match (answer.status, answer.location()) {
                (301..=303 | 307 | 308, Some(location)) => location,
                _ => return Ok(answer),
            };
            let (there, below) = from.resolve(&path, location)?;
            if there.is_plain() && !from.is_plain() {
                return Err(Error::new(ErrorKind::Denied, format!("cannot {act}"))
                    .why(format!("{from} leads to {there}, which is plain http")));
            }
            let client = self.host.elsewhere(there.clone())?;
            let request =
                Request { method: Method::Get, path: &below, headers: &[], credentials: &[], body: None };
            answer = client.send_up_to(limit, act, &request)?;
            (from, path) = (there, below);
        }
        Err(Error::new(ErrorKind::Unsupported, format!("cannot {act}")).why("it is passed on without end"))
    }

    /// Writes a blob unless it is there.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn put_blob(&self, descriptor: &Descriptor, bytes: &[u8]) -> Result<()> {
        let digest = descriptor.digest()?;
        if self.has_blob(&digest)? {
            return Ok(());
        }
        let act = format!("write {digest} to {}", self.repository());
        let start = self.path("blobs/uploads/");
        let nothing = SecretBody::new(Vec::new());
        let headers = &[("content-type", "application/octet-stream")];
        let request =
            Request { method: Method::Post, path: &start, headers, credentials: &[], body: Some(&nothing) };
        let answer = self.send(MAX_MANIFEST_BYTES, &act, &request)?;
        if answer.status != 202 {
            return Err(self.refused(&act, &answer));
        }
        let location = answer.location().ok_or_else(|| {
            Error::new(ErrorKind::Integrity, format!("cannot {act}"))
                .why("the registry does not say where to")
        })?;
        let own = self.host.endpoint()?;
        let (there, below) = own.resolve(&start, location)?;
        let join = if below.contains('?') { '&' } else { '?' };
        let path = format!("{below}{join}digest={}", digest.to_string().replace(':', "%3A"));
        let body = SecretBody::new(bytes.to_vec());
        let request =
            Request { method: Method::Put, path: &path, headers, credentials: &[], body: Some(&body) };
        let answer = match there.is_same_origin(&own) {
            true => self.send(MAX_MANIFEST_BYTES, &act, &request)?,
            false if there.is_plain() && !own.is_plain() => {
                return Err(Error::new(ErrorKind::Denied, format!("cannot {act}"))
                    .why(format!("{own} leads to {there}, which is plain http")));
            }
            false => self.host.elsewhere(there)?.send(&act, &request)?,
        };
        if answer.is_success() { Ok(()) } else { Err(self.refused(&act, &answer)) }
    }

    fn has_blob(&self, digest: &Digest) -> Result<bool> {
        let act = format!("look for {digest} in {}", self.repository());
        let path = self.path(&format!("blobs/{digest}"));
        let request =
            Request { method: Method::Head, path: &path, headers: &[], credentials: &[], body: None };
        let answer = self.send(MAX_MANIFEST_BYTES, &act, &request)?;
        match answer.status {
            // A redirect leads to where it is stored.
            200 | 301..=308 => Ok(true),
            404 => Ok(false),
            _ => Err(self.refused(&act, &answer)),
        }
    }
}
