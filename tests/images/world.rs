//! What these tests share: a directory with keys, and the binary in it.

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support;
use crate::support::registry::{Offers, Registry};

/// What signing and verifying need to say here: no services.
pub(super) const SIGN: [&str; 3] = ["sign", "-y", "--tlog-upload=false"];
pub(super) const VERIFY: [&str; 2] = ["verify", "--insecure-ignore-tlog"];

/// A directory with `key.pem`, `key.pub`, `other.pem` and `other.pub`, and a registry.
pub(super) struct World {
    directory: TempDir,
    pub(super) registry: Registry,
}

impl World {
    /// `None` where something is missing, which was said aloud.
    pub(super) fn new(offers: Offers) -> Option<Self> {
        let registry = Registry::start(offers)?;
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["key", "other"] {
            let (private, public) = (format!("{name}.pem"), format!("{name}.pub"));
            let mut make = support::openssl()?;
            make.args([
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                &private,
            ]);
            support::succeed(make.current_dir(&directory));
            let mut publish = support::openssl()?;
            publish.args(["pkey", "-in", &private, "-pubout", "-out", &public]);
            support::succeed(publish.current_dir(&directory));
        }
        Some(Self { directory, registry })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("our own file");
    }

    /// The binary in the directory.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::countersign();
        // Nobody's login takes part.
        command.args(arguments).current_dir(&self.directory).env("HOME", self.directory.path());
        for variable in ["DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "COSIGN_REPOSITORY"] {
            command.env_remove(variable);
        }
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        support::run(&mut self.command(arguments))
    }

    /// Runs what must succeed. Gives what it prints.
    pub(super) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        support::stdout(&output)
    }

    /// Runs what must fail with this code and these words.
    pub(super) fn refuse(&self, arguments: &[&str], code: i32, words: &str) -> String {
        let output = self.run(arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?} does not say \"{words}\": {said}");
        said
    }

    /// An image, signed with `key.pem`. Gives its name with the digest.
    pub(super) fn signed(&self, repository: &str, more: &[&str]) -> String {
        let image = self.image(repository);
        self.succeed(&[&SIGN[..], &["--key", "key.pem"], more, &[&image]].concat());
        image
    }

    /// An image. Gives its name with the digest.
    pub(super) fn image(&self, repository: &str) -> String {
        let digest = self.registry.image(repository, "v1", repository);
        format!("{}@{digest}", self.registry.name(repository))
    }
}

pub(super) fn said(output: &Output) -> String {
    format!("{}, {}", output.status, support::stderr(output).trim())
}

/// Runs with this on standard input.
pub(super) fn with_input(command: &mut Command, input: &str) -> Output {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}
