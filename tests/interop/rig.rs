//! What these tests share: one OpenSSL key of each type, sealed by both tools, and a directory with all of them.
//!
//! Sealing and opening a key costs a tenth of a second by design. So each key is sealed once for all tests, and our side
//! signs with the plain form where the form is not the point.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use countersign_core::KeyType;
use tempfile::TempDir;

use crate::support;
use crate::support::tokens::SoftHsm;

/// Seals every key that the tests make.
pub(super) const PASSWORD: &str = "seven-keys-on-one-ring";
/// The file that is signed.
pub(super) const ARTIFACT: &str = "artifact";
/// The same with one byte changed.
pub(super) const CHANGED: &str = "changed";
const CONTENT: &[u8] = b"what both tools sign\n";
const WORKERS: usize = 4;

/// What `sign-blob` of both tools needs to work without services. Ours knows the last flag too.
pub(super) const SIGN: [&str; 4] = ["sign-blob", "--tlog-upload=false", "-y", "--use-signing-config=false"];
/// The same for `verify-blob`.
pub(super) const VERIFY: [&str; 2] = ["verify-blob", "--insecure-ignore-tlog"];

/// A directory with the artifact, its changed twin and, for each key type, under the names below, the keys.
pub(super) struct Rig {
    directory: TempDir,
}

/// The private key as OpenSSL wrote it.
pub(super) fn plain(key: KeyType) -> String {
    format!("{}.pem", stem(key))
}

/// Its public half as OpenSSL wrote it.
pub(super) fn public(key: KeyType) -> String {
    format!("{}.pub", stem(key))
}

/// The public half of the key of that type on the token.
pub(super) fn public_of_token(key: KeyType) -> String {
    format!("token-{}.pub", stem(key))
}

/// The label of the key of that type on the token.
pub(super) fn label(key: KeyType) -> String {
    stem(key).replace('-', "")
}

/// The key as our `import-key-pair` sealed it.
pub(super) fn sealed_by_ours(key: KeyType) -> String {
    format!("ours-{}.key", stem(key))
}

/// The key as Cosign's `import-key-pair` sealed it.
pub(super) fn sealed_by_cosign(key: KeyType) -> String {
    format!("cosign-{}.key", stem(key))
}

fn stem(key: KeyType) -> String {
    key.name().to_lowercase()
}

struct Tools {
    cosign: OsString,
    openssl: OsString,
}

/// Each tool is looked for once: asking Cosign for its version costs as much as a verification.
fn tools() -> Option<&'static Tools> {
    static TOOLS: OnceLock<Option<Tools>> = OnceLock::new();
    TOOLS
        .get_or_init(|| {
            let program = |command: Command| command.get_program().to_owned();
            Some(Tools { cosign: program(support::cosign()?), openssl: program(support::openssl()?) })
        })
        .as_ref()
}

/// Kept in memory, so that nothing stays on disk when the program ends.
fn key_files() -> &'static BTreeMap<String, Vec<u8>> {
    static FILES: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let rig = Rig::empty();
        in_parallel(&KeyType::ALL, |key| rig.make(*key));
        rig.files()
    })
}

impl Rig {
    /// `None`, after saying so, when a tool is missing.
    pub(super) fn new() -> Option<Self> {
        tools()?;
        let rig = Self::empty();
        for (name, content) in key_files() {
            rig.write(name, content);
        }
        rig.write(ARTIFACT, CONTENT);
        let mut changed = CONTENT.to_vec();
        changed[0] ^= 1;
        rig.write(CHANGED, &changed);
        Some(rig)
    }

    fn empty() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    /// Makes a key with OpenSSL and has both tools import it.
    fn make(&self, key: KeyType) {
        let bits = key.rsa_bits().map(|bits| format!("rsa_keygen_bits:{bits}"));
        let mut arguments: Vec<&str> = match key {
            KeyType::P256 => vec!["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            KeyType::P384 => vec!["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            // This command writes SEC1, not PKCS#8.
            KeyType::P521 => vec!["ecparam", "-name", "secp521r1", "-genkey", "-noout"],
            KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => vec!["genpkey", "-algorithm", "RSA"],
            KeyType::Ed25519 => vec!["genpkey", "-algorithm", "ed25519"],
        };
        if let Some(bits) = &bits {
            arguments.extend(["-pkeyopt", bits]);
        }
        let (plain, public) = (plain(key), public(key));
        support::succeed(&mut self.openssl(&[&arguments[..], &["-out", &plain]].concat()));
        support::succeed(&mut self.openssl(&["pkey", "-in", &plain, "-pubout", "-out", &public]));
        let sealed = sealed_by_ours(key);
        support::succeed(&mut self.ours(&["import-key-pair", "-k", &plain, "-o", prefix(&sealed)]));
        let sealed = sealed_by_cosign(key);
        support::succeed(&mut self.cosign(&["import-key-pair", "-k", &plain, "-o", prefix(&sealed)]));
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"))
    }

    /// Nobody else may read it: half of the files here are private keys.
    pub(super) fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).expect("a file in a temporary directory");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("our own file");
    }

    /// Takes over the public keys of a token; those of its copies are the same.
    pub(super) fn write_public_keys(&self, token: &SoftHsm) {
        for key in KeyType::ALL {
            let public = fs::read(token.public_key(&label(key))).expect("a key of each type");
            self.write(&public_of_token(key), &public);
        }
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.directory.path()).expect("our own directory");
        entries
            .map(|entry| {
                entry.expect("its entry").file_name().into_string().expect("names of ours are ASCII")
            })
            .map(|name| (name.clone(), self.read(&name)))
            .collect()
    }

    /// Our binary in the directory, with the password of the sealed keys.
    pub(super) fn ours(&self, arguments: &[&str]) -> Command {
        let mut command = support::countersign();
        command.args(arguments).current_dir(&self.directory).env("COSIGN_PASSWORD", PASSWORD);
        command
    }

    /// Cosign in the same place. Its home is the directory, so that nothing of the user's takes part.
    pub(super) fn cosign(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&tools().expect("asked before").cosign);
        command.env_clear().env("HOME", self.directory.path()).stdin(Stdio::null());
        command.args(arguments).current_dir(&self.directory).env("COSIGN_PASSWORD", PASSWORD);
        command
    }

    /// OpenSSL in the same place.
    pub(super) fn openssl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&tools().expect("asked before").openssl);
        command.args(arguments).current_dir(&self.directory).stdin(Stdio::null());
        command
    }
}

/// The name without the ending that both tools add to a prefix.
pub(super) fn prefix(sealed: &str) -> &str {
    sealed.strip_suffix(".key").expect("key files end in .key")
}

/// The last lines a tool said: enough to see why.
pub(super) fn said(output: &Output) -> String {
    format!("{}, {}", output.status, support::stderr(output).trim())
}

/// Does the work of each item in some threads and returns the results in the order of the items.
pub(super) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..WORKERS.min(items.len()) {
            scope.spawn(|| {
                while let Some((item, result)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    items.get(at).zip(results.get(at))
                } {
                    *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(work(item));
                }
            });
        }
    });
    let taken = results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
    taken.map(|result| result.expect("the scope ends when all are done")).collect()
}
