//! OpenBao, as `tests/rigs/hashivault/up` starts it. One server serves all tests that run at the same time; each that
//! changes something does so in an engine or key of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;
use tempfile::TempDir;

use super::exchange::exchange;
use super::tokens::exports;
use super::{missing, run, stderr, stdout};

/// What `up` returns when a part is not installed.
const NOT_INSTALLED: i32 = 2;

/// The keys of the engine at `transit`.
pub(crate) const KEYS: [&str; 7] = ["p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519"];

/// A server on this machine.
pub(crate) struct OpenBao {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

fn script(name: &str) -> Command {
    let rigs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rigs/hashivault");
    let mut command = Command::new(rigs.join(name));
    command.stdin(Stdio::null());
    command
}

impl OpenBao {
    /// The server of all tests; `None` where a part is missing, which was said aloud.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<OpenBao>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::new()?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server for one test, which may seal or end it.
    pub(crate) fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let owner = std::process::id().to_string();
        let output = run(script("up").arg(directory.path().join("bao")).arg(owner));
        if output.status.code() == Some(NOT_INSTALLED) {
            missing(&format!("OpenBao\n{}", stderr(&output)));
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

    /// `host:port`, plain.
    pub(crate) fn address(&self) -> &str {
        self.variable("VAULT_ADDR").strip_prefix("http://").expect("the plain address")
    }

    /// The root token.
    pub(crate) fn token(&self) -> &str {
        self.variable("VAULT_TOKEN")
    }

    /// Asks as root; a refusal fails the test.
    pub(crate) fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = exchange(self.address(), method, &format!("/v1/{path}"), self.token(), body.as_bytes());
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.status() < 300, "{method} {path}: {} {text}", answer.status());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Ends the server, as when its machine goes away.
    pub(crate) fn end(&self) {
        let output = run(script("down").arg(self.directory.path().join("bao")));
        assert!(output.status.success(), "down: {}\n{}", output.status, stderr(&output));
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        let place = self.directory.path().join("bao");
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
