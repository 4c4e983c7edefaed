//! A software TPM behind tpm2-pkcs11, as `tests/rigs/pkcs11/swtpm-up` starts it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::super::{missing, run, stderr, stdout, tool};
use super::{Rig, exports, root};

/// What `swtpm-up` returns when a part is not installed.
const NOT_INSTALLED: i32 = 2;

/// A TPM with the keys `p256`, `p384` and `rsa2048`. A wrong PIN counts in the TPM: a test that gives some wants its own.
pub(crate) struct Swtpm {
    directory: TempDir,
    variables: Vec<(String, String)>,
    module: PathBuf,
}

impl Swtpm {
    /// `None` where a part is missing, which was said aloud.
    pub(crate) fn new() -> Option<Self> {
        tool("swtpm", &["--version"])?;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut up = Command::new(root().join("tests/rigs/pkcs11/swtpm-up"));
        let output = run(up.arg(directory.path().join("tpm")).stdin(Stdio::null()));
        if output.status.code() == Some(NOT_INSTALLED) {
            missing(&format!("a part of the TPM\n{}", stderr(&output)));
            return None;
        }
        assert!(output.status.success(), "swtpm-up: {}\n{}", output.status, stderr(&output));
        let variables = exports(&stdout(&output));
        let module = variables.iter().find(|(name, _)| name == "COSIGN_PKCS11_MODULE_PATH");
        let module = PathBuf::from(&module.expect("swtpm-up tells it").1);
        Some(Self { directory, variables, module })
    }
}

impl Rig for Swtpm {
    fn environment(&self) -> Vec<(String, String)> {
        self.variables.clone()
    }

    fn module(&self) -> &Path {
        &self.module
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        let mut down = Command::new(root().join("tests/rigs/pkcs11/swtpm-down"));
        let output = run(down.arg(self.directory.path().join("tpm")).stdin(Stdio::null()));
        // A second panic would hide the first.
        if !output.status.success() {
            eprintln!("swtpm-down: {}\n{}", output.status, stderr(&output));
        }
    }
}
