//! Registries on this machine, one for a test: Debian's docker-registry, which keeps no lists of referrers, and
//! go-containerregistry's (`tests/rigs/registry`), which does.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_core::HashAlgorithm;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::exchange::{Message, send_to};
use super::missing;

/// Against hanging only.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a registry offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offers {
    /// Lists of what refers to an image.
    Referrers,
    /// No such lists.
    TagsAlone,
}

pub(crate) const BOTH: [Offers; 2] = [Offers::Referrers, Offers::TagsAlone];

/// A registry that runs as long as this lives.
pub(crate) struct Registry {
    address: String,
    /// The arguments by which curl is let in, where it speaks TLS.
    tls: Option<Vec<String>>,
    server: Child,
    _directory: TempDir,
}

impl Registry {
    /// `None` where it is not installed, which was said aloud.
    pub(crate) fn start(offers: Offers) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        match offers {
            Offers::Referrers => Self::with_referrers(directory),
            Offers::TagsAlone => Self::with_tags(directory, ""),
        }
    }

    /// Debian's with TLS: a certificate and its key, in files; and the authority of clients, where they must show one. `curl` lets
    /// the tests themselves in.
    pub(crate) fn with_tls(
        certificate: &Path,
        key: &Path,
        clients: Option<&Path>,
        curl: &[&str],
    ) -> Option<Self> {
        let clients = clients.map_or_else(String::new, |file| format!(", clientcas: ['{}']", file.display()));
        let tls =
            format!(", tls: {{certificate: '{}', key: '{}'{clients}}}", certificate.display(), key.display());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut registry = Self::with_tags(directory, &tls)?;
        registry.tls = Some(curl.iter().map(|word| (*word).to_owned()).collect());
        Some(registry)
    }

    fn with_referrers(directory: TempDir) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rigs/registry/serve");
        if !program.is_file() {
            missing("the registry of tests/rigs/registry");
            return None;
        }
        // It ends when its input does: with this process, however that ends.
        let mut command = Command::new(program);
        let mut server =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the registry starts");
        let mut address = String::new();
        let stdout = server.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut address).expect("its address");
        Some(Self { address: address.trim().to_owned(), tls: None, server, _directory: directory })
    }

    fn with_tags(directory: TempDir, tls: &str) -> Option<Self> {
        if Command::new("docker-registry").arg("--version").stdin(Stdio::null()).output().is_err() {
            missing("docker-registry");
            return None;
        }
        // It cannot choose a port itself; another process may take this one first, and then another is tried.
        for _ in 0..10 {
            let port = std::net::TcpListener::bind("127.0.0.1:0")
                .expect("a port")
                .local_addr()
                .expect("its number")
                .port();
            let address = format!("127.0.0.1:{port}");
            let configuration = format!(
                "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{inmemory: {{}}, delete: {{enabled: true}}}}\nhttp: {{addr: '{address}'{tls}}}\n"
            );
            let file = directory.path().join("registry.yml");
            std::fs::write(&file, configuration).expect("our own file");
            let mut command = Command::new("docker-registry");
            command.arg("serve").arg(&file).env("OTEL_TRACES_EXPORTER", "none");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut server = command.spawn().expect("docker-registry starts");
            let began = Instant::now();
            while server.try_wait().expect("our own child").is_none() && began.elapsed() < LIMIT {
                if std::net::TcpStream::connect(&address).is_ok() {
                    return Some(Self { address, tls: None, server, _directory: directory });
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        panic!("docker-registry does not listen");
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The name of a repository in it.
    pub(crate) fn name(&self, repository: &str) -> String {
        format!("{}/{repository}", self.address)
    }

    /// Asks it something.
    pub(crate) fn ask(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Message {
        let headers = vec![
            ("host".to_owned(), self.address.clone()),
            ("content-type".to_owned(), media_type.to_owned()),
            ("accept".to_owned(), format!("{MANIFEST}, {INDEX}")),
        ];
        if let Some(curl) = &self.tls {
            return self.ask_with_curl(curl, method, path, media_type, body);
        }
        send_to(
            &self.address,
            &Message { start: format!("{method} {path} HTTP/1.0"), headers, body: body.to_vec() },
        )
    }

    fn ask_with_curl(
        &self,
        curl: &[String],
        method: &str,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Message {
        use std::io::Write;
        let url = if path.starts_with("https:") {
            path.to_owned()
        } else {
            format!("https://{}{path}", self.address)
        };
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--insecure", "--include", "--request", method]).args(curl);
        command.args([
            "--header",
            &format!("content-type: {media_type}"),
            "--header",
            &format!("accept: {MANIFEST}, {INDEX}"),
        ]);
        command.args(["--header", "expect:", "--data-binary", "@-", &url]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl starts: tests/run installs it");
        child.stdin.take().expect("its input").write_all(body).expect("it reads");
        let output = child.wait_with_output().expect("it ends").stdout;
        let end = output.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the headers");
        let head = String::from_utf8_lossy(&output[..end]).into_owned();
        let mut lines = head.lines();
        let start = lines.next().unwrap_or_default().to_owned();
        let pairs = lines.filter_map(|line| line.split_once(':'));
        let headers =
            pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Message { start, headers, body: output[end + 4..].to_vec() }
    }

    /// Puts a blob there. Gives its digest.
    pub(crate) fn blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = HashAlgorithm::Sha256.digest(bytes).to_string();
        let begun =
            self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), "application/octet-stream", b"");
        let location = begun.header("location").expect("where to").to_owned();
        let path = location.strip_prefix(&format!("http://{}", self.address)).unwrap_or(&location);
        let join = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{join}digest={digest}");
        assert_eq!(self.ask("PUT", &path, "application/octet-stream", bytes).status(), 201, "{path}");
        digest
    }

    /// Puts a manifest there. Gives its digest.
    pub(crate) fn manifest(&self, repository: &str, name: &str, media_type: &str, content: &Value) -> String {
        let bytes = content.to_string().into_bytes();
        let answer = self.ask("PUT", &format!("/v2/{repository}/manifests/{name}"), media_type, &bytes);
        assert_eq!(answer.status(), 201, "{name}: {}", String::from_utf8_lossy(&answer.body));
        HashAlgorithm::Sha256.digest(&bytes).to_string()
    }

    /// Puts an image there that differs from others by `content`. Gives its digest.
    pub(crate) fn image(&self, repository: &str, tag: &str, content: &str) -> String {
        self.manifest(repository, tag, MANIFEST, &self.image_of(repository, content))
    }

    fn image_of(&self, repository: &str, content: &str) -> Value {
        let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {"Labels": {"of": content}}});
        let config = config.to_string();
        json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.blob(repository, config.as_bytes()), "size": config.len()},
        })
    }

    /// Puts an index of so many images there. Gives its digest, then theirs.
    pub(crate) fn index(&self, repository: &str, tag: &str, images: usize) -> Vec<String> {
        let parts: Vec<_> = (0..images)
            .map(|number| {
                let image = self.image_of(repository, &format!("part {number}"));
                let size = image.to_string().len();
                let digest = HashAlgorithm::Sha256.digest(image.to_string().as_bytes()).to_string();
                self.manifest(repository, &digest, MANIFEST, &image);
                json!({"mediaType": MANIFEST, "digest": digest, "size": size, "platform": {"os": "linux", "architecture": format!("a{number}")}})
            })
            .collect();
        let digests = parts.iter().map(|part| part["digest"].as_str().unwrap().to_owned());
        let digests: Vec<_> = digests.collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts});
        let whole = self.manifest(repository, tag, INDEX, &index);
        [vec![whole], digests].concat()
    }

    /// The manifest of a tag or digest; `None` where there is none.
    pub(crate) fn read(&self, repository: &str, name: &str) -> Option<Value> {
        let answer = self.ask("GET", &format!("/v2/{repository}/manifests/{name}"), "", b"");
        (answer.status() == 200).then(|| serde_json::from_slice(&answer.body).expect("JSON"))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
