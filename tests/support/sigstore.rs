//! A transparency log and a timestamp authority, as `tests/rigs/sigstore/up` starts them. One pair serves all tests that run at
//! the same time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use super::tokens::exports;
use super::{missing, run, stderr, stdout};

/// What `up` returns when a part is not installed.
const NOT_INSTALLED: i32 = 2;

/// Both services on this machine.
pub(crate) struct Sigstore {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

fn script(name: &str) -> Command {
    let mut command =
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rigs/sigstore").join(name));
    command.stdin(Stdio::null());
    command
}

impl Sigstore {
    /// The services of all tests; `None` where a part is missing, which was said aloud.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Sigstore>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(services) = shared.upgrade() {
            return Some(services);
        }
        let services = Arc::new(Self::new()?);
        *shared = Arc::downgrade(&services);
        Some(services)
    }

    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let owner = std::process::id().to_string();
        let output = run(script("up").arg(directory.path().join("rig")).arg(owner));
        if output.status.code() == Some(NOT_INSTALLED) {
            missing(&format!("the log and the timestamp authority\n{}", stderr(&output)));
            return None;
        }
        assert!(output.status.success(), "up: {}\n{}", output.status, stderr(&output));
        Some(Self { directory, variables: exports(&stdout(&output)) })
    }

    fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(have, _)| have == name);
        &found.unwrap_or_else(|| panic!("up prints no {name}")).1
    }

    /// The log's address.
    pub(crate) fn rekor(&self) -> &str {
        self.variable("RIG_REKOR_URL")
    }

    /// The authority's address, with its path.
    pub(crate) fn tsa(&self) -> &str {
        self.variable("RIG_TSA_URL")
    }

    /// The file that says whom to trust.
    pub(crate) fn trusted_root(&self) -> &str {
        self.variable("RIG_TRUSTED_ROOT")
    }

    /// The file that says whom to ask.
    pub(crate) fn signing_config(&self) -> &str {
        self.variable("RIG_SIGNING_CONFIG")
    }
}

impl Drop for Sigstore {
    fn drop(&mut self) {
        let output = run(script("down").arg(self.directory.path().join("rig")));
        // A second panic would hide the first.
        if !output.status.success() {
            eprintln!("down: {}\n{}", output.status, stderr(&output));
        }
    }
}
