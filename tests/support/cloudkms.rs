//! The stand-in for Google Cloud KMS, as `tests/rigs/gcpkms/up` starts it. One server serves all tests that run at the same time;
//! each that changes something does so with a key of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::exchange::exchange;
use super::tokens::exports;
use super::{missing, run, stderr, stdout};

/// What `up` returns when a part is not installed.
const NOT_INSTALLED: i32 = 2;

/// The ring in which all keys are.
pub(crate) const RING: &str = "projects/rig/locations/global/keyRings/ring";

/// The keys that sign, each with its algorithm.
pub(crate) const KEYS: [(&str, &str); 10] = [
    ("p256", "ecdsa-sha2-256-nistp256"),
    ("p384", "ecdsa-sha2-384-nistp384"),
    ("rsa2048", "rsa-sign-pkcs1-2048-sha256"),
    ("rsa3072", "rsa-sign-pkcs1-3072-sha256"),
    ("rsa4096", "rsa-sign-pkcs1-4096-sha256"),
    ("rsa4096-sha512", "rsa-sign-pkcs1-4096-sha512"),
    ("pss2048", "rsa-sign-pss-2048-sha256"),
    ("pss3072", "rsa-sign-pss-3072-sha256"),
    ("pss4096", "rsa-sign-pss-4096-sha256"),
    ("ed25519", "ed25519"),
];

/// A server on this machine.
pub(crate) struct CloudKms {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

fn script(name: &str) -> Command {
    let rigs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rigs/gcpkms");
    let mut command = Command::new(rigs.join(name));
    command.stdin(Stdio::null());
    command
}

impl CloudKms {
    /// The server of all tests; `None` where a part is missing, which was said aloud.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<CloudKms>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::new()?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server for one test.
    pub(crate) fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let owner = std::process::id().to_string();
        let output = run(script("up").arg(directory.path().join("kms")).arg(owner));
        if output.status.code() == Some(NOT_INSTALLED) {
            missing(&format!("the stand-in for Cloud KMS\n{}", stderr(&output)));
            return None;
        }
        assert!(output.status.success(), "up: {}\n{}", output.status, stderr(&output));
        Some(Self { directory, variables: exports(&stdout(&output)) })
    }

    /// A variable that `up` printed.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(have, _)| have == name);
        &found.unwrap_or_else(|| panic!("up prints no {name}")).1
    }

    /// All of them.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// `host:port` of the REST side.
    pub(crate) fn address(&self) -> &str {
        self.variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS").split_once("://").expect("a URL").1
    }

    /// Changes something from outside.
    pub(crate) fn change(&self, body: &Value) {
        let answer = exchange(self.address(), "POST", "/rig", "", body.to_string().as_bytes());
        assert_eq!(answer.status(), 200, "{body}: {}", String::from_utf8_lossy(&answer.body));
    }

    /// Makes a key for one test and returns its URI.
    pub(crate) fn make_key(&self, name: &str) -> String {
        self.change(&json!({ "key": format!("{RING}/cryptoKeys/{name}") }));
        uri(name)
    }

    /// Puts a version into another state.
    pub(crate) fn set_state(&self, key: &str, version: u64, state: &str) {
        let version = format!("{RING}/cryptoKeys/{key}/cryptoKeyVersions/{version}");
        self.change(&json!({ "version": version, "state": state }));
    }

    /// Ends the server, as when its machine goes away.
    pub(crate) fn end(&self) {
        let output = run(script("down").arg(self.directory.path().join("kms")));
        assert!(output.status.success(), "down: {}\n{}", output.status, stderr(&output));
    }
}

/// Names a key of the ring.
pub(crate) fn uri(key: &str) -> String {
    format!("gcpkms://{RING}/cryptoKeys/{key}")
}

impl Drop for CloudKms {
    fn drop(&mut self) {
        let place = self.directory.path().join("kms");
        if !place.exists() {
            return;
        }
        let output = run(script("down").arg(place));
        // A second panic would hide the first.
        if !output.status.success() {
            eprintln!("down: {}\n{}", output.status, stderr(&output));
        }
    }
}
