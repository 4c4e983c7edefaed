//! Names of images: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, read as Docker and Cosign read them.

use std::fmt;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Digest, HashAlgorithm, hexadecimal};

/// The registry of names without a host, as Cosign spells it in what it signs.
const DOCKER_HUB: &str = "index.docker.io";
/// The longest path of a repository (distribution specification 1.1, "Pulling manifests", with the host's length apart).
const MAX_PATH: usize = 255;
/// The longest tag (the same place).
const MAX_TAG: usize = 128;

/// A repository: where, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    /// The registry's host, with a port where one is named.
    pub host: String,
    /// The name in the registry.
    pub path: String,
}

/// What a user calls an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Where it is.
    pub repository: Repository,
    /// The tag; `latest` where neither tag nor digest is named.
    pub tag: Option<String>,
    /// The digest; with one, the tag says nothing.
    pub digest: Option<Digest>,
}

impl Repository {
    /// Reads `[HOST[:PORT]/]PATH`.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] with what does not fit.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::new(ErrorKind::BadUri, format!("cannot use the repository \"{text}\""))
                .why(why)
                .hint("expected a name such as registry.example.com/team/app")
        };
        let (host, path) = match text.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, rest.to_owned())
            }
            _ => (DOCKER_HUB, text.to_owned()),
        };
        let host = if host == "docker.io" { DOCKER_HUB } else { host };
        // Docker Hub's own images have a folder that nobody writes.
        let path = if host == DOCKER_HUB && !path.contains('/') { format!("library/{path}") } else { path };
        let (name, port) =
            host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).unwrap_or((host, "1"));
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-[]:_".contains(c);
        if name.is_empty() || !name.chars().all(is_host) || port.parse::<u16>().is_err() {
            return Err(bad("its host is no host name with an optional port"));
        }
        let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_part = |part: &str| {
            part.starts_with(is_letter)
                && part.ends_with(is_letter)
                && part.chars().all(|c| is_letter(c) || "._-".contains(c))
                && !part.contains("..")
        };
        if path.len() > MAX_PATH || !path.split('/').all(is_part) {
            return Err(bad(
                "its path may have small letters and digits, with . _ - between them and / between parts",
            ));
        }
        Ok(Self { host: host.to_owned(), path })
    }

    /// The image in it with this digest.
    pub fn at(&self, digest: &Digest) -> Reference {
        Reference { repository: self.clone(), tag: None, digest: Some(*digest) }
    }

    /// The image in it with this tag.
    pub fn tagged(&self, tag: impl Into<String>) -> Reference {
        Reference { repository: self.clone(), tag: Some(tag.into()), digest: None }
    }
}

impl Reference {
    /// Reads `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] with what does not fit.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::new(ErrorKind::BadUri, format!("cannot use the image name \"{text}\"")).why(why).hint(
                "expected a name such as registry.example.com/app:v1 or registry.example.com/app@sha256:HEX",
            )
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (
                name,
                Some(parse_digest(digest).ok_or_else(|| bad("its digest is no sha256:HEX or sha512:HEX"))?),
            ),
            None => (text, None),
        };
        // A colon before the last slash is a port's.
        let (name, tag) = match name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((name, tag)) if is_tag(tag) => (name, Some(tag.to_owned())),
            Some(_) => return Err(bad("its tag may have letters, digits and _ . - and at most 128 of them")),
            None => (name, None),
        };
        let repository = Repository::parse(name).map_err(|error| bad(error.cause().unwrap_or_default()))?;
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self { repository, tag, digest })
    }

    /// What a registry is asked for: the digest, else the tag.
    pub fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_default(),
        }
    }
}

/// Whether it may be a tag.
pub fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= MAX_TAG && text.starts_with(is_word) && text.chars().all(|c| is_word(c) || ".-".contains(c))
}

/// Reads `ALGORITHM:HEX`, in small letters.
pub fn parse_digest(text: &str) -> Option<Digest> {
    let (algorithm, value) = text.split_once(':')?;
    let bytes = hexadecimal::from_hex(value)?;
    let digest = Digest::from_bytes(HashAlgorithm::parse(algorithm)?, &bytes).ok()?;
    (digest.hex() == value).then_some(digest)
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_as_docker_does() {
        let hex = "ab".repeat(32);
        for (text, host, path, tag, has_digest) in [
            ("ubuntu", "index.docker.io", "library/ubuntu", Some("latest"), false),
            ("docker.io/me/app:v1", "index.docker.io", "me/app", Some("v1"), false),
            ("me/app", "index.docker.io", "me/app", Some("latest"), false),
            ("localhost/app", "localhost", "app", Some("latest"), false),
            ("localhost:5000/a/b_c/d.e:V-1_x.2", "localhost:5000", "a/b_c/d.e", Some("V-1_x.2"), false),
            ("ghcr.io/a/b@sha256:HEX", "ghcr.io", "a/b", None, true),
            ("ghcr.io/a/b:t@sha256:HEX", "ghcr.io", "a/b", Some("t"), true),
            ("[::1]:5000/a", "[::1]:5000", "a", Some("latest"), false),
        ] {
            let read = Reference::parse(&text.replace("HEX", &hex)).unwrap();
            let found = (read.repository.host.as_str(), read.repository.path.as_str(), read.tag.as_deref());
            assert_eq!((found, read.digest.is_some()), ((host, path, tag), has_digest), "{text}");
            assert_eq!(Reference::parse(&read.to_string()).unwrap(), read, "{text} reads back");
        }
    }

    #[test]
    fn refuses_what_would_become_another_path() {
        let upper = format!("r.io/a@sha256:{}", "AB".repeat(32));
        for text in [
            "",
            "/",
            "r.io/",
            "r.io//a",
            "r.io/../a",
            "r.io/a/..",
            "r.io/A",
            "r.io/a b",
            "r.io/a:",
            "r.io/a:-x",
            "r.io/a@sha256:ab",
            "r.io/a@md5:ab",
            "r.io:x/a",
            "r.io:70000/a",
            "r.io/a?x=1",
            "r.io/a#b",
            "r.io/a%2f..",
            "https://r.io/a",
            "r.io/a@sha256:",
            &upper,
            "u:p@r.io/a",
        ] {
            let error = Reference::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadUri, "{text}");
        }
    }
}
