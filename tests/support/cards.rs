//! Virtual YubiKeys: a test runs itself once more inside the rig (`tests/rigs/virtual-yubikey/up`), where nothing but its own
//! pcscd and its own cards is seen.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the rig says that its control socket is; set inside it only.
const CONTROL: &str = "COUNTERSIGN_VYK_CONTROL";

/// Whether this runs in the rig, which hides the machine's own cards.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(CONTROL).is_some()
}

/// True inside the rig. Outside, runs `test` there with these options, and fails if it fails.
pub(crate) fn in_rig(test: &str, options: &[&str]) -> bool {
    if is_inside() {
        return true;
    }
    let up = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rigs/virtual-yubikey/up");
    let mut command = Command::new(up);
    command.args(options).arg("--").arg(std::env::current_exe().expect("the path of the test program"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    for variable in ["COUNTERSIGN_PIV_PIN", "COSIGN_PASSWORD", "COSIGN_KEY", "COSIGN_SK"] {
        command.env_remove(variable);
    }
    let ran = super::run(&mut command);
    let said = super::stderr(&ran);
    // The rig's own word for: a program is not installed.
    if ran.status.code() == Some(126) {
        super::missing(&format!("the virtual YubiKey: {said}"));
        return false;
    }
    assert!(ran.status.success(), "{}\n{said}", super::stdout(&ran));
    false
}

/// Sends a line to the cards; the grammar is in the rig's README.
pub(crate) fn control(line: &str) -> String {
    let program = std::env::var_os("COUNTERSIGN_VYK").expect("the rig names its program");
    super::stdout(&super::succeed(Command::new(program).arg("control").args(line.split(' '))))
}

/// The root that the cards' attestations end in, DER.
pub(crate) fn attestation_root() -> Vec<u8> {
    let program = std::env::var_os("COUNTERSIGN_VYK").expect("the rig names its program");
    super::succeed(Command::new(program).arg("attestation-root")).stdout
}

/// Yubico's own tool, which knows nothing of us: `YKMAN`, what `tests/run` installs, or PATH.
pub(crate) fn ykman() -> Option<Command> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rigs/ykman/bin/ykman");
    let named = std::env::var_os("YKMAN").map(PathBuf::from);
    let found = [named, Some(installed)].into_iter().flatten().find(|path| path.is_file());
    match found {
        Some(path) => Some(Command::new(path)),
        None => super::tool("ykman", &["--version"]),
    }
}
