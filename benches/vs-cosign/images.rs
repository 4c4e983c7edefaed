//! A registry in memory with images in it, for rows about images, and the floor under verifying many of them: fetching the same
//! objects and nothing more.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};

use crate::Result;

/// The hidden first argument that makes this program the floor: then the registry, and the images.
pub(crate) const FLOOR: &str = "--floor-of-images";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry with lists of referrers, as long as this lives.
pub(crate) struct Registry {
    pub(crate) address: String,
    server: Child,
    _input: ChildStdin,
}

impl Registry {
    /// Starts the one that `tests/run` builds.
    pub(crate) fn start() -> Result<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rigs/registry/serve");
        let mut server =
            Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|cause| {
                format!("the rows of images need {}, which tests/run builds: {cause}", program.display())
            })?;
        let mut address = String::new();
        BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut address)?;
        let input = server.stdin.take().ok_or("no input")?;
        Ok(Self { address: address.trim().to_owned(), server, _input: input })
    }

    /// Puts images there. Gives their names with their digests.
    pub(crate) fn images(&self, count: u32) -> Result<Vec<String>> {
        (0..count).map(|number| self.image(&format!("app-{number}"))).collect()
    }

    /// Puts an index of so many images there. Gives its name with its digest.
    pub(crate) fn index(&self, repository: &str, platforms: u32) -> Result<String> {
        let parts: Vec<String> = (0..platforms)
            .map(|number| {
                let manifest = self.manifest(repository, &format!("{repository} {number}"))?;
                let digest = sha256(manifest.as_bytes());
                self.put(repository, &digest, MANIFEST, &manifest)?;
                Ok(format!(
                    r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{},"platform":{{"os":"linux","architecture":"a{number}"}}}}"#,
                    manifest.len()
                ))
            })
            .collect::<Result<_>>()?;
        let index =
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, parts.join(","));
        self.put(repository, "v1", INDEX, &index)
    }

    fn image(&self, repository: &str) -> Result<String> {
        let manifest = self.manifest(repository, repository)?;
        self.put(repository, "v1", MANIFEST, &manifest)
    }

    /// An image, its configuration written: `of` makes it another one than others.
    fn manifest(&self, repository: &str, of: &str) -> Result<String> {
        let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let uploads = format!("/v2/{repository}/blobs/uploads/?digest={}", sha256(config));
        let (status, _) = ask(&self.address, "POST", &uploads, "application/octet-stream", config)?;
        if status != 201 {
            return Err(format!("the registry answers {status} to a blob").into());
        }
        Ok(format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[],"annotations":{{"of":"{of}"}}}}"#,
            sha256(config),
            config.len()
        ))
    }

    /// Writes a manifest. Gives its name with its digest.
    fn put(&self, repository: &str, tag: &str, media_type: &str, manifest: &str) -> Result<String> {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let (status, _) = ask(&self.address, "PUT", &path, media_type, manifest.as_bytes())?;
        if status != 201 {
            return Err(format!("the registry answers {status} to a manifest").into());
        }
        Ok(format!("{}/{repository}@{}", self.address, sha256(manifest.as_bytes())))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Fetches what a verification of each image fetches: list, manifest, bundle; over one connection.
pub(crate) fn floor(images: &[String]) -> Result<()> {
    let mut connection: Option<BufReader<TcpStream>> = None;
    for image in images {
        let (name, digest) = image.split_once('@').ok_or("an image without digest")?;
        let (address, repository) = name.split_once('/').ok_or("an image without registry")?;
        if connection.is_none() {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            connection = Some(BufReader::new(stream));
        }
        let stream = connection.as_mut().ok_or("no connection")?;
        let mut get = |path: String| -> Result<serde_json::Value> {
            // In one piece: small pieces would wait for each other's acknowledgement.
            let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: {MANIFEST}\r\n\r\n");
            stream.get_mut().write_all(request.as_bytes())?;
            let (status, body) = read(stream)?;
            if status == 200 {
                Ok(serde_json::from_slice(&body)?)
            } else {
                Err(format!("{path}: {status}").into())
            }
        };
        let list = get(format!("/v2/{repository}/referrers/{digest}"))?;
        let first = list["manifests"][0]["digest"].as_str().ok_or("no signature")?.to_owned();
        let manifest = get(format!("/v2/{repository}/manifests/{first}"))?;
        let blob = manifest["layers"][0]["digest"].as_str().ok_or("no bundle")?.to_owned();
        get(format!("/v2/{repository}/blobs/{blob}"))?;
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    let hex: String = digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn ask(address: &str, method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
    read(&mut stream)
}

fn read(stream: &mut BufReader<TcpStream>) -> Result<(u16, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or("no status")?;
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, body))
}
