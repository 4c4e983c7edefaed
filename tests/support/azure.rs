//! The stand-in for Azure, as `tests/rigs/azurekms/up` starts it. One server serves all tests that run at the same time; each
//! that changes something does so in a vault or key of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;
use tempfile::TempDir;

use super::exchange::exchange;
use super::fault_proxy::FaultProxy;
use super::tokens::exports;
use super::{missing, run, stderr, stdout};

/// What `up` returns when a part is not installed.
const NOT_INSTALLED: i32 = 2;

/// The vault that has keys from the start, and their names.
pub(crate) const VAULT: &str = "rig.vault.azure.net";
pub(crate) const KEYS: [&str; 6] = ["p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096"];

/// A server on this machine.
pub(crate) struct Azure {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

fn script(name: &str) -> Command {
    let rigs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rigs/azurekms");
    let mut command = Command::new(rigs.join(name));
    command.stdin(Stdio::null());
    command
}

impl Azure {
    /// The server of all tests; `None` where a part is missing, which was said aloud.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Azure>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::new()?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server for one test, which may end it or forget its tokens.
    pub(crate) fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let owner = std::process::id().to_string();
        let output = run(script("up").arg(directory.path().join("azure")).arg(owner));
        if output.status.code() == Some(NOT_INSTALLED) {
            missing(&format!("the stand-in for Azure\n{}", stderr(&output)));
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

    /// A file that `up` made.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("azure").join(name)
    }

    /// Where it listens without TLS, as `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.variable("AZUREKMS_RIG")
    }

    /// Where it listens with TLS, as `host:port`.
    pub(crate) fn tls_address(&self) -> &str {
        self.variable("HTTPS_PROXY").strip_prefix("http://").expect("a URL")
    }

    /// What `HTTPS_PROXY` is for all requests to pass a proxy of the test, in the clear.
    pub(crate) fn by_way_of(&self, proxy: &FaultProxy) -> String {
        let port = proxy.address().rsplit(':').next().expect("a port");
        format!("http://to:{port}@{}", self.tls_address())
    }

    /// Asks as the owner; a refusal fails the test.
    pub(crate) fn call(&self, path: &str, body: &Value) -> Value {
        let answer =
            exchange(self.address(), "POST", &format!("/rig/{path}"), "", body.to_string().as_bytes());
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.status() < 300, "{path}: {} {text}", answer.status());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Ends the server, as when its machine goes away.
    pub(crate) fn end(&self) {
        let output = run(script("down").arg(self.directory.path().join("azure")));
        assert!(output.status.success(), "down: {}\n{}", output.status, stderr(&output));
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        let place = self.directory.path().join("azure");
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
