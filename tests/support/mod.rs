//! What tests share: the binary, the other tools, and how a missing one is told.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) mod azure;
pub(crate) mod cards;
pub(crate) mod child;
pub(crate) mod cloudkms;
pub(crate) mod exchange;
pub(crate) mod fault_proxy;
pub(crate) mod front;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod kubernetes;
pub(crate) mod ministack;
pub(crate) mod openbao;
pub(crate) mod registry;
pub(crate) mod sample_plugin;
pub(crate) mod sigstore;
pub(crate) mod stand_in;
pub(crate) mod tokens;
pub(crate) mod tuf;

/// The built binary, in a clean environment, without input and without any card of this machine.
pub(crate) fn countersign() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.env_clear().env("TUF_MIRROR", "https://127.0.0.1:9").stdin(Stdio::null());
    if !cards::is_inside() {
        hide_cards(&mut command);
    }
    command
}

/// Leads what goes to other machines to a proxy that is not there: no test asks Sigstore's public instance.
pub(crate) fn stay_here(command: &mut Command) {
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1,localhost,::1");
}

/// Leads the PC/SC library nowhere: a test must not spend the PIN tries of a developer's own card.
pub(crate) fn hide_cards(command: &mut Command) {
    command.env("PCSCLITE_CSOCK_NAME", "/nonexistent");
}

/// The real Cosign, or `None` after saying so; with `REQUIRE_RIGS=1` its absence fails the test.
pub(crate) fn cosign() -> Option<Command> {
    tool("cosign", &["version"])
}

/// OpenSSL's program, under the same rule.
pub(crate) fn openssl() -> Option<Command> {
    tool("openssl", &["version"])
}

/// OpenSC's program for any module, under the same rule.
pub(crate) fn pkcs11_tool() -> Option<Command> {
    // It fails whatever it is asked without a module; that it starts is enough.
    if Command::new("pkcs11-tool").arg("--help").stdin(Stdio::null()).output().is_err() {
        missing("pkcs11-tool");
        return None;
    }
    let mut command = Command::new("pkcs11-tool");
    command.stdin(Stdio::null());
    Some(command)
}

/// Third parties' vectors. The variable set means they must be there; unset, the test says so and is skipped.
pub(crate) fn vectors() -> Option<PathBuf> {
    let Some(path) = std::env::var_os("COUNTERSIGN_VECTORS").map(PathBuf::from) else {
        eprintln!("SKIPPED: COUNTERSIGN_VECTORS is not set");
        return None;
    };
    assert!(path.is_dir(), "COUNTERSIGN_VECTORS names no directory: {}", path.display());
    Some(path)
}

/// Whether slow tests run too (`tests/run --all`).
pub(crate) fn slow() -> bool {
    std::env::var_os("COUNTERSIGN_SLOW").is_some()
}

/// A program that answers the probe, or `None` after [`missing`].
pub(crate) fn tool(name: &str, probe: &[&str]) -> Option<Command> {
    let path = find(name);
    let found = path.is_some_and(|path| {
        Command::new(&path)
            .args(probe)
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    });
    if !found {
        missing(name);
        return None;
    }
    let mut command = Command::new(find(name)?);
    command.stdin(Stdio::null());
    for variable in ["COSIGN_PASSWORD", "COSIGN_KEY"] {
        command.env_remove(variable);
    }
    Some(command)
}

/// Says aloud that a test is skipped for want of `what`; with `REQUIRE_RIGS=1` fails it.
pub(crate) fn missing(what: &str) {
    let required = std::env::var_os("REQUIRE_RIGS").is_some_and(|value| value == "1");
    assert!(!required, "REQUIRE_RIGS=1 and {what} is missing: tests/run installs it");
    eprintln!("SKIPPED: {what} is missing; tests/run installs it");
}

/// By `COUNTERSIGN_TEST_<NAME>`, else in PATH, else where `go install` puts programs.
fn find(name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(format!("COUNTERSIGN_TEST_{}", name.to_uppercase())) {
        return Some(path.into());
    }
    let in_path = std::env::var_os("PATH")?;
    let go = std::env::var_os("GOPATH")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join("go")))
        .map(|go| go.join("bin"));
    std::env::split_paths(&in_path)
        .chain(go)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// Runs a command and returns what it printed; its failure is the caller's to judge.
pub(crate) fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|cause| panic!("{command:?}: {cause}"))
}

/// Runs a command that must succeed.
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, stderr(&output));
    output
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
