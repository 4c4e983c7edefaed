//! TUF repositories of our own, good and bad: metadata signed by OpenSSL, served from this machine. Cosign initialises from the
//! good one, which shows that it is one.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use countersign_core::HashAlgorithm;
use countersign_core::hexadecimal::hex;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::exchange::Message;
use super::{openssl, succeed};

/// What nobody waits for.
const FAR: &str = "2099-01-01T00:00:00Z";
/// How many keys there are.
const KEYS: usize = 4;

/// One role: who signs, and what the root says of that.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) version: u64,
    pub(crate) expires: &'static str,
    /// Keys by number, as the root lists them.
    pub(crate) keys: Vec<usize>,
    pub(crate) threshold: usize,
    /// Who signs; the same number twice signs twice.
    pub(crate) signers: Vec<usize>,
}

impl Role {
    fn of(keys: &[usize], threshold: usize) -> Self {
        Self { version: 1, expires: FAR, keys: keys.to_vec(), threshold, signers: keys.to_vec() }
    }
}

/// A repository: change it, then [`Repository::publish`] what it became.
pub(crate) struct Repository {
    directory: TempDir,
    pub(crate) root: Role,
    pub(crate) timestamp: Role,
    pub(crate) snapshot: Role,
    pub(crate) targets: Role,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Names under which keys stand in the root, beside their own: the same key twice.
    pub(crate) doubles: Vec<(&'static str, usize)>,
}

impl Repository {
    /// One with these files, published; `None` without OpenSSL.
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for number in 0..KEYS {
            let key = directory.path().join(format!("{number}.key"));
            let arguments = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"];
            succeed(openssl()?.args(arguments).arg(&key));
            let public = directory.path().join(format!("{number}.pub"));
            succeed(openssl()?.args(["pkey", "-pubout", "-in"]).arg(&key).arg("-out").arg(&public));
        }
        fs::create_dir_all(directory.path().join("repository/targets")).expect("a new directory");
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        let repository = Self {
            directory,
            root: Role::of(&[0, 1], 2),
            timestamp: Role::of(&[2], 1),
            snapshot: Role::of(&[2], 1),
            targets: Role::of(&[3], 1),
            files,
            doubles: Vec::new(),
        };
        repository.publish();
        Some(repository)
    }

    /// Where its files lie.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    /// Its first root.
    pub(crate) fn first_root(&self) -> PathBuf {
        self.path().join("1.root.json")
    }

    /// Writes all metadata anew. Older roots stay.
    pub(crate) fn publish(&self) {
        let at = |name: &str| self.path().join(name);
        let root = self.signed(&self.root, self.root_body());
        fs::write(at(&format!("{}.root.json", self.root.version)), root).expect("a file");
        let mut listed = serde_json::Map::new();
        for (name, bytes) in &self.files {
            let digest = sha256(bytes);
            fs::write(at(&format!("targets/{digest}.{}", name.replace('/', "%2F"))), bytes).expect("a file");
            listed.insert(name.clone(), json!({ "length": bytes.len(), "hashes": { "sha256": digest } }));
        }
        let targets = self.signed(&self.targets, json!({ "_type": "targets", "targets": listed }));
        let version = self.targets.version;
        fs::write(at(&format!("{version}.targets.json")), targets).expect("a file");
        let meta = json!({ "targets.json": { "version": version } });
        let snapshot = self.signed(&self.snapshot, json!({ "_type": "snapshot", "meta": meta }));
        let version = self.snapshot.version;
        let meta = json!({ "snapshot.json": {
            "version": version, "length": snapshot.len(), "hashes": { "sha256": sha256(&snapshot) },
        } });
        fs::write(at(&format!("{version}.snapshot.json")), snapshot).expect("a file");
        let timestamp = self.signed(&self.timestamp, json!({ "_type": "timestamp", "meta": meta }));
        fs::write(at("timestamp.json"), timestamp).expect("a file");
    }

    /// A repository where everything is newer by one version.
    pub(crate) fn publish_next(&mut self) {
        for role in [&mut self.timestamp, &mut self.snapshot, &mut self.targets] {
            role.version += 1;
        }
        self.publish();
    }

    fn root_body(&self) -> Value {
        let mut keys = serde_json::Map::new();
        for number in 0..KEYS {
            keys.insert(self.key_id(number), self.key(number));
        }
        for (name, number) in &self.doubles {
            keys.insert((*name).to_owned(), self.key(*number));
        }
        let role = |role: &Role, doubles: &[(&str, usize)]| {
            let mut ids: Vec<_> = role.keys.iter().map(|number| self.key_id(*number)).collect();
            ids.extend(doubles.iter().map(|(name, _)| (*name).to_owned()));
            json!({ "keyids": ids, "threshold": role.threshold })
        };
        json!({
            "_type": "root",
            "consistent_snapshot": true,
            "keys": keys,
            "roles": {
                "root": role(&self.root, &[]),
                "timestamp": role(&self.timestamp, &self.doubles),
                "snapshot": role(&self.snapshot, &[]),
                "targets": role(&self.targets, &[]),
            },
        })
    }

    fn key(&self, number: usize) -> Value {
        let public =
            fs::read_to_string(self.directory.path().join(format!("{number}.pub"))).expect("its PEM");
        json!({ "keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": { "public": public } })
    }

    fn key_id(&self, number: usize) -> String {
        sha256(canonical(&self.key(number)).as_bytes())
    }

    /// The metadata with its version, expiry and signatures, as it lies in the repository.
    fn signed(&self, role: &Role, mut body: Value) -> Vec<u8> {
        body["version"] = json!(role.version);
        body["expires"] = json!(role.expires);
        body["spec_version"] = json!("1.0.31");
        let message = self.directory.path().join("message");
        fs::write(&message, canonical(&body)).expect("a file");
        let mut signatures = Vec::new();
        for number in &role.signers {
            let mut command = openssl().expect("it made the keys");
            command
                .args(["dgst", "-sha256", "-sign"])
                .arg(self.directory.path().join(format!("{number}.key")));
            let signature = succeed(command.arg(&message)).stdout;
            signatures.push(json!({ "keyid": self.key_id(*number), "sig": hex(&signature) }));
        }
        json!({ "signed": body, "signatures": signatures }).to_string().into_bytes()
    }
}

/// OLPC's canonical JSON, as TUF signs it: keys in order, nothing escaped but quotes and backslashes.
fn canonical(value: &Value) -> String {
    let text = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            let fields: Vec<_> =
                sorted.iter().map(|(name, value)| format!("{}:{}", text(name), canonical(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::String(content) => text(content),
        other => other.to_string(),
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(HashAlgorithm::Sha256.digest(bytes).bytes())
}

/// Serves a directory on 127.0.0.1 and remembers what was asked.
pub(crate) struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn new(directory: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("its number"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (directory, shared) = (directory.to_owned(), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (directory, shared) = (directory.clone(), Arc::clone(&shared));
                thread::spawn(move || serve(stream, &directory, &shared));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The paths asked for so far; begins anew.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked())
    }

    fn asked(&self) -> MutexGuard<'_, Vec<String>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(mut stream: TcpStream, directory: &Path, asked: &Mutex<Vec<String>>) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    while let Some(request) = Message::read(&mut reader, false) {
        let path = request.path().trim_start_matches('/').to_owned();
        let (start, body) = match fs::read(directory.join(&path)) {
            Ok(body) => ("HTTP/1.1 200 OK", body),
            Err(_) => ("HTTP/1.1 404 Not Found", b"none".to_vec()),
        };
        asked.lock().unwrap_or_else(PoisonError::into_inner).push(path);
        let answer = Message { start: start.to_owned(), headers: Vec::new(), body };
        if answer.write(&mut stream).is_err() {
            return;
        }
    }
}
