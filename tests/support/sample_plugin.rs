//! The sample plugin in a directory of its own, its keys made by OpenSSL, and what it was asked.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{openssl, stdout, succeed, tool};

/// Names of keys, one a type.
pub(crate) const KEYS: [&str; 7] = ["p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519"];

/// What OpenSSL is asked for each.
const MAKE: [&[&str]; 7] = [
    &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    &["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    &["RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    &["RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
    &["ED25519"],
];

/// `sigstore-kms-sample` and its keys.
pub(crate) struct SamplePlugin {
    directory: TempDir,
}

impl SamplePlugin {
    /// Without Python or OpenSSL says so and is `None`. Keys by their names in [`KEYS`].
    pub(crate) fn with_keys(keys: &[&str]) -> Option<Self> {
        let mut python = tool("python3", &["--version"])?;
        openssl()?;
        let plugin = Self { directory: tempfile::tempdir().unwrap() };
        for name in ["bin", "keys"] {
            fs::create_dir(plugin.path(name)).unwrap();
        }
        // A link, since a program that was just written may still be open in a child of another test.
        symlink(Self::source(), plugin.path("bin/sigstore-kms-sample")).unwrap();
        // Python itself, not what chooses among several at each start.
        let real = stdout(&succeed(python.args(["-c", "import sys; print(sys.executable)"])));
        symlink(real.trim(), plugin.path("bin/python3")).unwrap();
        for key in keys {
            plugin.make(key);
        }
        Some(plugin)
    }

    /// The program as it is committed.
    pub(crate) fn source() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rigs/plugin/sigstore-kms-sample")
    }

    fn make(&self, key: &str) {
        let at = KEYS.iter().position(|name| *name == key).unwrap();
        let mut command = Command::new("openssl");
        command.args(["genpkey", "-algorithm"]).args(MAKE[at]).arg("-out").stdin(Stdio::null());
        succeed(command.arg(self.path(&format!("keys/{key}.pem"))));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The variables that lead to it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let outer = std::env::var("PATH").unwrap();
        let text = |name: &str| self.path(name).to_str().unwrap().to_owned();
        vec![
            ("PATH".to_owned(), format!("{}:{outer}", text("bin"))),
            ("SAMPLE_KEYS".to_owned(), text("keys")),
            ("SAMPLE_LOG".to_owned(), text("log")),
        ]
    }

    /// What it was asked since the last look, oldest first.
    pub(crate) fn asked(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        let _ = fs::remove_file(self.path("log"));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The methods that it was asked for since the last look.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.asked().iter().map(|one| one["methodName"].as_str().unwrap().to_owned()).collect()
    }
}
