//! A directory with a file to sign, an environment that leads to a service, and the binary run in both.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::{self, stderr, stdout};

/// What is signed.
pub(super) const BLOB: &str = "to be signed";

pub(super) struct World {
    directory: TempDir,
    environment: Vec<(String, String)>,
    /// What no output may show.
    secrets: Vec<String>,
}

impl World {
    pub(super) fn new(environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("blob"), BLOB).unwrap();
        fs::write(directory.path().join("changed"), "to be refused").unwrap();
        let mut world = Self { directory, environment: Vec::new(), secrets: Vec::new() };
        for (name, value) in environment {
            world.set(name, value);
        }
        world
    }

    /// Sets a variable; tokens and secrets by their names may show nowhere from then on.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(have, _)| have != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        if !value.is_empty()
            && ["_TOKEN", "_SECRET", "_SECRET_ID", "_JWT"].iter().any(|end| name.ends_with(end))
        {
            self.secrets.push(value.to_owned());
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn prepare(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).current_dir(&self.directory).stdin(Stdio::null());
        command.env_remove("COSIGN_PASSWORD").envs(self.environment.iter().cloned());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let output = support::run(&mut self.prepare(support::countersign(), arguments));
        for secret in &self.secrets {
            let shown = stdout(&output).contains(secret) || stderr(&output).contains(secret);
            assert!(!shown, "{arguments:?} shows a secret:\n{}", stderr(&output));
        }
        output
    }

    pub(super) fn ok(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        output
    }

    /// Runs what must be refused with these words.
    pub(super) fn refuse(&self, arguments: &[&str], words: &[&str]) -> String {
        let output = self.run(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?} does not say \"{word}\":\n{said}");
        }
        said
    }

    /// A signature that must not be made: nothing is written.
    pub(super) fn refuse_sign(&self, key: &str, words: &[&str]) -> String {
        self.refuse_sign_with(key, &[], words)
    }

    pub(super) fn refuse_sign_with(&self, key: &str, flags: &[&str], words: &[&str]) -> String {
        let arguments =
            [&["sign-blob", "--tlog-upload=false", "--key", key, "--bundle", "refused.json", "blob"], flags]
                .concat();
        let said = self.refuse(&arguments, words);
        assert!(!self.path("refused.json").exists(), "{arguments:?} leaves a bundle");
        said
    }

    pub(super) fn sign(&self, key: &str, bundle: &str) -> Output {
        self.ok(&["sign-blob", "--tlog-upload=false", "--key", key, "--bundle", bundle, "blob"])
    }

    pub(super) fn verify(&self, key: &str, bundle: &str) -> Output {
        self.ok(&["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", bundle, "blob"])
    }

    pub(super) fn refuse_verify(&self, key: &str, bundle: &str, words: &[&str]) -> String {
        self.refuse(
            &["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", bundle, "blob"],
            words,
        )
    }
}
