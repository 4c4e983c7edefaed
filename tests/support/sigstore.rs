//! Transparency logs and a timestamp authority, as `tests/rigs/sigstore/up` and `tests/rigs/rekor1/up` start them. One of each
//! serves all tests that run at the same time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use super::tokens::exports;
use super::{missing, run, stderr, stdout};

/// What `up` returns when a part is not installed.
const NOT_INSTALLED: i32 = 2;

/// A rig of `tests/rigs`, running.
struct Started {
    name: &'static str,
    directory: TempDir,
    variables: Vec<(String, String)>,
}

fn script(rig: &str, name: &str) -> Command {
    let rigs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rigs");
    let mut command = Command::new(rigs.join(rig).join(name));
    command.stdin(Stdio::null());
    command
}

impl Started {
    /// `None` where a part is missing, which was said aloud.
    fn new(name: &'static str) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let owner = std::process::id().to_string();
        let output = run(script(name, "up").arg(directory.path().join("rig")).arg(owner));
        if output.status.code() == Some(NOT_INSTALLED) {
            missing(&format!("the rig {name}\n{}", stderr(&output)));
            return None;
        }
        assert!(output.status.success(), "{name}/up: {}\n{}", output.status, stderr(&output));
        Some(Self { name, directory, variables: exports(&stdout(&output)) })
    }

    fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(have, _)| have == name);
        &found.unwrap_or_else(|| panic!("up prints no {name}")).1
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let output = run(script(self.name, "down").arg(self.directory.path().join("rig")));
        // A second panic would hide the first.
        if !output.status.success() {
            eprintln!("{}/down: {}\n{}", self.name, output.status, stderr(&output));
        }
    }
}

/// One for all tests that run at the same time.
fn shared<T>(all: &Mutex<Weak<T>>, start: impl FnOnce() -> Option<T>) -> Option<Arc<T>> {
    let mut shared = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(services) = shared.upgrade() {
        return Some(services);
    }
    let services = Arc::new(start()?);
    *shared = Arc::downgrade(&services);
    Some(services)
}

/// Both services on this machine.
pub(crate) struct Sigstore(Started);

impl Sigstore {
    /// The services of all tests; `None` where a part is missing, which was said aloud.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Sigstore>> = Mutex::new(Weak::new());
        shared(&SHARED, || Some(Self(Started::new("sigstore")?)))
    }

    /// The log's address.
    pub(crate) fn rekor(&self) -> &str {
        self.0.variable("RIG_REKOR_URL")
    }

    /// The authority's address, with its path.
    pub(crate) fn tsa(&self) -> &str {
        self.0.variable("RIG_TSA_URL")
    }

    /// The file that says whom to trust.
    pub(crate) fn trusted_root(&self) -> &str {
        self.0.variable("RIG_TRUSTED_ROOT")
    }

    /// The file that says whom to ask.
    pub(crate) fn signing_config(&self) -> &str {
        self.0.variable("RIG_SIGNING_CONFIG")
    }
}

/// A log of Rekor version 1 on Trillian. It starts slowly and what it runs is large: `tests/run --all` has it.
pub(crate) struct Rekor1(Started);

impl Rekor1 {
    /// The log of all tests; `None` unless slow tests are wanted, and where a part is missing.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Rekor1>> = Mutex::new(Weak::new());
        if !super::slow() {
            eprintln!("SKIPPED: the log of version 1 runs with tests/run --all");
            return None;
        }
        shared(&SHARED, || Some(Self(Started::new("rekor1")?)))
    }

    /// The log's address.
    pub(crate) fn url(&self) -> &str {
        self.0.variable("RIG_REKOR1_URL")
    }

    /// Its public key, a file.
    pub(crate) fn key(&self) -> &str {
        self.0.variable("RIG_REKOR1_KEY")
    }

    /// The file that says whom to trust.
    pub(crate) fn trusted_root(&self) -> &str {
        self.0.variable("RIG_REKOR1_TRUSTED_ROOT")
    }

    /// The file that says whom to ask.
    pub(crate) fn signing_config(&self) -> &str {
        self.0.variable("RIG_REKOR1_SIGNING_CONFIG")
    }
}
