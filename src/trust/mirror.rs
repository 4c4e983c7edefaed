//! Where a repository's files are fetched: over HTTP, from a directory (`file://`), or from our own cache.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{Client, Endpoint, Method, Options, Request, encode_segment};
use countersign_core::{OpenContext, bounded};

use super::SIGSTORE;
use super::cache::Cache;

/// The largest file of a repository, in bytes: its list of targets.
const MAX_FILE_BYTES: usize = 5_000_000;

#[derive(Debug)]
pub(super) enum Mirror {
    Http(String, Endpoint),
    Directory(String, PathBuf),
    Cache(Cache),
}

/// A mirror that is being asked.
pub(super) enum Connection<'a> {
    Http(Box<Client<'a>>),
    Directory(PathBuf, Option<Instant>),
    Cache(Cache),
}

impl Mirror {
    pub(super) fn parse(address: &str) -> Result<Self> {
        let address = address.trim_end_matches('/').to_owned();
        match address.strip_prefix("file://") {
            Some(path) if path.starts_with('/') => Ok(Self::Directory(address.clone(), PathBuf::from(path))),
            Some(_) => Err(Error::new(ErrorKind::BadUri, format!("cannot use the TUF repository {address}"))
                .why("it names no absolute path")
                .hint("write file:///path/to/repository")),
            None => {
                let endpoint =
                    Endpoint::parse(&address, "the address of the TUF repository").map_err(|error| {
                        error.hint(format!("write https://HOST/PATH or file:///DIRECTORY, as in {SIGSTORE}"))
                    })?;
                Ok(Self::Http(address, endpoint))
            }
        }
    }

    pub(super) fn address(&self) -> &str {
        match self {
            Self::Http(address, _) | Self::Directory(address, _) => address,
            Self::Cache(cache) => cache.address(),
        }
    }

    pub(super) fn open<'a>(&self, context: &OpenContext<'a>) -> Result<Connection<'a>> {
        Ok(match self {
            Self::Http(_, endpoint) => {
                let options = Options { max_answer_bytes: MAX_FILE_BYTES, ..Options::default() };
                Connection::Http(Box::new(Client::new(endpoint.clone(), options, context)?))
            }
            Self::Directory(_, path) => Connection::Directory(path.clone(), context.deadline),
            Self::Cache(cache) => Connection::Cache(cache.clone()),
        })
    }
}

impl Connection<'_> {
    /// The file, or `None` where there is none.
    pub(super) fn fetch(&mut self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Http(client) => fetch(client, path),
            Self::Directory(directory, deadline) => {
                let segments = path.split('/').map(encode_segment).collect::<Result<Vec<_>>>()?;
                let file = segments.iter().fold(directory.clone(), |at, segment| at.join(segment));
                match bounded::read(&file, limit, *deadline) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(cause) => Err(Error::io("read", file.display(), cause)),
                }
            }
            Self::Cache(cache) => cache.fetch(path),
        }
    }
}

fn fetch(client: &Client<'_>, path: &str) -> Result<Option<Vec<u8>>> {
    let act = format!("fetch {path} of the TUF repository");
    let segments = path.split('/').map(encode_segment).collect::<Result<Vec<_>>>()?;
    let path = format!("/{}", segments.join("/"));
    let request = Request { method: Method::Get, path: &path, headers: &[], credentials: &[], body: None };
    let answer = client.send(&act, &request)?;
    match answer.status {
        200 => Ok(Some(answer.body.to_vec())),
        // Stores of files say 403 where a file is not there and may not be listed.
        403 | 404 => Ok(None),
        status => {
            let kind = if status >= 500 { ErrorKind::Unavailable } else { ErrorKind::Unsupported };
            Err(Error::new(kind, format!("cannot {act}"))
                .why(format!("{} answers with status {status}", client.endpoint()))
                .hint("check TUF_MIRROR; or verify without the network: --offline, or --trusted-root"))
        }
    }
}
