//! Manifests and indexes (OCI image specification 1.1), read with care: the bytes that were hashed are the bytes that are
//! used, and fields that are not known stay as they are.

use std::collections::BTreeMap;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Digest, HashAlgorithm};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::reference::parse_digest;
use crate::json;

/// The largest manifest taken: what registries bound it to (distribution specification 1.1, "Pushing Manifests").
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// The most layers, or manifests in an index, that are looked at.
pub const MAX_PARTS: usize = 1000;

/// Media types.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An index of OCI.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image of Docker.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A list of images of Docker.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The configuration of what has none: `{}`.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Annotations.
pub type Annotations = BTreeMap<String, String>;

/// Points to a blob or a manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// `ALGORITHM:HEX`.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// What a manifest is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Everything else, as it stood.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// An image, an artifact or an index, as it stands in its bytes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// 2.
    pub schema_version: u32,
    /// What it is; older images do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Descriptor>,
    /// The layers of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<Descriptor>>,
    /// What an index lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifests: Option<Vec<Descriptor>>,
    /// What it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Everything else, as it stood.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// A manifest that was fetched or is to be pushed.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The bytes that the digest is of.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
    /// What it is.
    pub media_type: String,
    /// What the bytes say.
    pub content: Content,
}

impl Descriptor {
    /// One without notes.
    pub fn new(media_type: &str, digest: &Digest, size: usize) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: digest.to_string(),
            size: size as u64,
            artifact_type: None,
            annotations: None,
            others: Map::new(),
        }
    }

    /// Of these bytes, by SHA-256.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, &HashAlgorithm::Sha256.digest(bytes), bytes.len())
    }

    /// Its digest.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] where it is none.
    pub fn digest(&self) -> Result<Digest> {
        parse_digest(&self.digest).ok_or_else(|| damaged(format!("\"{}\" is no digest", self.digest)))
    }

    /// Its size, where that is within `limit`: what is asked before anything is read.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] beyond it.
    pub(super) fn size_within(&self, limit: usize, act: &str) -> Result<usize> {
        usize::try_from(self.size).ok().filter(|size| *size <= limit).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("cannot {act}"))
                .why(format!("it is said to have {} bytes, and at most {limit} are taken", self.size))
        })
    }

    /// Holds what was read against it.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] where it is something else; `hint` says what to do then.
    pub(super) fn check(&self, bytes: &[u8], act: &str, hint: &str) -> Result<()> {
        let failed = |why: String| Error::new(ErrorKind::Integrity, format!("cannot {act}")).why(why);
        if bytes.len() as u64 != self.size {
            let (said, has) = (self.size, bytes.len());
            return Err(failed(format!("it is said to have {said} bytes and has {has}")));
        }
        let digest = self.digest()?;
        match digest.algorithm().digest(bytes) {
            own if own == digest => Ok(()),
            own => Err(failed(format!("what is there is something else, {own}")).hint(hint)),
        }
    }

    /// A note.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }
}

impl Manifest {
    /// Reads the bytes. `stated` is the media type that the registry named.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] where they are no manifest, say two things about their type, or list more than is looked at.
    pub fn parse(bytes: Vec<u8>, stated: Option<&str>) -> Result<Self> {
        Self::parse_as(bytes, stated, HashAlgorithm::Sha256)
    }

    /// The same, its digest by this hash.
    ///
    /// # Errors
    /// As those of [`Manifest::parse`].
    pub fn parse_as(bytes: Vec<u8>, stated: Option<&str>, hash: HashAlgorithm) -> Result<Self> {
        let value = json::parse(&bytes).map_err(damaged)?;
        let content: Content = serde_json::from_value(value).map_err(|cause| damaged(cause.to_string()))?;
        if content.schema_version != 2 {
            return Err(damaged(format!(
                "its schemaVersion is {}, and 2 is known here",
                content.schema_version
            )));
        }
        // Something that is both is read in two ways by two readers.
        let [oci, docker] = match (&content.layers, &content.manifests) {
            (Some(_), Some(_)) => return Err(damaged("it has both layers and manifests".to_owned())),
            (None, Some(_)) => [OCI_INDEX, DOCKER_LIST],
            (_, None) => [OCI_MANIFEST, DOCKER_MANIFEST],
        };
        let stated = stated.map(|stated| stated.split(';').next().unwrap_or(stated).trim());
        let media_type = match (content.media_type.as_deref(), stated) {
            (Some(own), _) if own == oci || own == docker => own,
            (Some(own), _) => {
                return Err(damaged(format!("it calls itself {own} and has not what belongs to that")));
            }
            (None, Some(stated)) if stated == docker => docker,
            (None, _) => oci,
        };
        let media_type = media_type.to_owned();
        let parts = content.layers.iter().chain(&content.manifests).map(Vec::len).max().unwrap_or(0);
        if parts > MAX_PARTS {
            return Err(damaged(format!("it lists {parts} parts, and at most {MAX_PARTS} are looked at")));
        }
        Ok(Self { digest: hash.digest(&bytes), bytes, media_type, content })
    }

    /// Writes one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it would be larger than registries take.
    pub fn write(media_type: &str, content: Content) -> Result<Self> {
        let content = Content { schema_version: 2, media_type: Some(media_type.to_owned()), ..content };
        let bytes = serde_json::to_vec(&content)
            .map_err(|cause| Error::internal("a manifest that is no JSON").source(cause))?;
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(Error::new(ErrorKind::Unsupported, "cannot write the manifest")
                .why(format!("it has {} bytes, and registries take {MAX_MANIFEST_BYTES}", bytes.len())));
        }
        Ok(Self {
            digest: HashAlgorithm::Sha256.digest(&bytes),
            bytes,
            media_type: media_type.to_owned(),
            content,
        })
    }

    /// Whether it lists other manifests.
    pub fn is_index(&self) -> bool {
        self.content.manifests.is_some()
    }

    /// The layers; none of an index.
    pub fn layers(&self) -> &[Descriptor] {
        self.content.layers.as_deref().unwrap_or_default()
    }

    /// What an index lists; nothing of an image.
    pub fn manifests(&self) -> &[Descriptor] {
        self.content.manifests.as_deref().unwrap_or_default()
    }

    /// Points to it, with what a list of referrers says of it (distribution specification 1.1, "Listing Referrers"): the
    /// artifact type, else the configuration's media type, and the annotations.
    pub fn descriptor(&self) -> Descriptor {
        let artifact_type = self.content.artifact_type.clone();
        let config = self.content.config.as_ref().map(|config| config.media_type.clone());
        Descriptor {
            artifact_type: artifact_type.or(config),
            annotations: self.content.annotations.clone(),
            ..Descriptor::new(&self.media_type, &self.digest, self.bytes.len())
        }
    }

    /// Points to it as a subject: what it is, and nothing more.
    pub fn as_subject(&self) -> Descriptor {
        Descriptor::new(&self.media_type, &self.digest, self.bytes.len())
    }
}

fn damaged(why: String) -> Error {
    Error::new(ErrorKind::Integrity, "cannot use the manifest").why(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, stated: Option<&str>) -> Result<Manifest> {
        Manifest::parse(text.as_bytes().to_vec(), stated)
    }

    #[test]
    fn says_what_it_is_and_keeps_what_it_does_not_know() {
        let text = r#"{"schemaVersion":2,"config":{"mediaType":"c","digest":"sha256:x","size":1,"urls":["u"]},"layers":[],"new":1}"#;
        let manifest =
            parsed(text, Some("application/vnd.docker.distribution.manifest.v2+json; charset=utf-8"))
                .unwrap();
        assert_eq!(manifest.media_type, DOCKER_MANIFEST);
        assert_eq!(manifest.digest, HashAlgorithm::Sha256.digest(text.as_bytes()));
        let again = serde_json::to_value(&manifest.content).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(parsed(text, Some("text/plain")).unwrap().media_type, OCI_MANIFEST);
        assert!(parsed(r#"{"schemaVersion":2,"manifests":[]}"#, None).unwrap().is_index());
    }

    #[test]
    fn refuses_what_two_readers_would_read_in_two_ways() {
        let many = format!(
            r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
            vec![r#"{"mediaType":"m","digest":"d","size":0}"#; 1001].join(",")
        );
        for text in [
            "",
            "[]",
            r#"{"schemaVersion":1}"#,
            r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#,
            r#"{"schemaVersion":2,"layers":[],"layers":[]}"#,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","layers":[]}"#,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#,
            r#"{"schemaVersion":2,"layers":[{"mediaType":"m","digest":"d","size":-1}]}"#,
            &many,
        ] {
            assert_eq!(parsed(text, None).unwrap_err().kind(), ErrorKind::Integrity, "{text}");
        }
    }
}
