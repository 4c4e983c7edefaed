//! Tokens for PKCS#11 tests: each value is a token of its own in a temporary directory, gone when it is dropped. What is
//! not installed skips the test aloud, or fails it under `REQUIRE_RIGS=1`.
//!
//! | rig | keys | for |
//! |---|---|---|
//! | [`SoftHsm`] | all | everything; one process at a time |
//! | [`Kryoptic`] | all but Ed25519 | a second module; processes side by side; a PIN that locks after ten wrong tries |
//! | [`Chaos`] | those of the rig below | errors, delays and lost sessions on order |
//! | [`Swtpm`] | P-256, P-384, RSA-2048 | a device that is slow and can do little |

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::missing;

mod chaos;
mod kryoptic;
mod softhsm;
mod swtpm;

pub(crate) use chaos::{Chaos, Control};
pub(crate) use kryoptic::Kryoptic;
pub(crate) use softhsm::SoftHsm;
pub(crate) use swtpm::Swtpm;

/// The label of the token in every rig.
pub(crate) const TOKEN: &str = "countersign";
/// The user's PIN in every rig.
pub(crate) const PIN: &str = "123456";
/// Of the security officer.
pub(crate) const SO_PIN: &str = "87654321";

/// A module with a token.
pub(crate) trait Rig {
    /// What leads a process to it, `COSIGN_PKCS11_MODULE_PATH` included.
    fn environment(&self) -> Vec<(String, String)>;
    /// The shared library.
    fn module(&self) -> &Path;
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path as text: temporary directories have such names.
fn text(path: &Path) -> String {
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// Reads `export NAME='value'` lines, as the rigs' scripts print them.
pub(crate) fn exports(printed: &str) -> Vec<(String, String)> {
    let pairs = printed.lines().map(|line| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
        Some((name.to_owned(), value.replace(r"'\''", "'")))
    });
    pairs.map(|pair| pair.unwrap_or_else(|| panic!("no export lines:\n{printed}"))).collect()
}

/// Builds a module of `tests/rigs/pkcs11` and returns the library; where `tests/run` has built it, that takes no time.
/// Of programs that build at once, cargo lets one do so.
fn build(module: &str) -> Option<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--locked", "--message-format=json-render-diagnostics"]);
    cargo.args(["--target-dir", "target/rigs", "--manifest-path"]);
    cargo.arg(format!("tests/rigs/pkcs11/{module}/Cargo.toml"));
    // `cargo test` tells this program about its own package; a build script that looks would run again.
    for (name, _) in std::env::vars_os() {
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if ours {
            cargo.env_remove(name);
        }
    }
    let output = super::run(cargo.current_dir(root()).stdin(Stdio::null()));
    if !output.status.success() {
        missing(&format!("what builds the module {module}\n{}", super::stderr(&output)));
        return None;
    }
    let library = super::stdout(&output).lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_library = message["target"]["crate_types"][0] == "cdylib";
        is_library.then(|| message["filenames"][0].as_str().map(PathBuf::from)).flatten()
    });
    Some(library.expect("cargo names the library that it built"))
}
