//! A directory with files in it, and the tools that sign and verify them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::cards::control;
use crate::support::{self, stderr, stdout};

pub(super) struct World(TempDir);

impl World {
    /// With `blob` and `changed` in it.
    pub(super) fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::write(world.path("blob"), "to be signed").unwrap();
        fs::write(world.path("changed"), "to be refused").unwrap();
        world
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the binary; no PIN, PUK or management key shows whatever it does.
    pub(super) fn run(&self, arguments: &[&str], pin: Option<&str>) -> Output {
        let mut command = support::countersign();
        command.args(arguments).current_dir(&self.0).envs(pin.map(|pin| ("COUNTERSIGN_PIV_PIN", pin)));
        let output = support::run(&mut command);
        for secret in ["123456", "12345678", "918273", "010203040506070801020304050607080102030405060708"] {
            let shown = stdout(&output).contains(secret) || stderr(&output).contains(secret);
            assert!(!shown, "{arguments:?} shows a secret:\n{}{}", stdout(&output), stderr(&output));
        }
        output
    }

    pub(super) fn ok(&self, arguments: &[&str], pin: Option<&str>) -> Output {
        let output = self.run(arguments, pin);
        assert!(output.status.success(), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        output
    }

    /// Runs what must be refused with these words.
    pub(super) fn refuse(&self, arguments: &[&str], pin: Option<&str>, words: &[&str]) -> String {
        let output = self.run(arguments, pin);
        let said = stderr(&output);
        assert!(!output.status.success(), "{arguments:?} succeeds");
        for word in words {
            assert!(said.contains(word), "{arguments:?} does not say \"{word}\":\n{said}");
        }
        said
    }

    /// Runs the real Cosign, which must succeed or fail.
    pub(super) fn cosign(&self, arguments: &[&str], succeeds: bool) {
        let Some(mut cosign) = support::cosign() else { return };
        let output = support::run(cosign.args(arguments).current_dir(&self.0));
        assert_eq!(output.status.success(), succeeds, "cosign {arguments:?}: {}", stderr(&output));
    }

    pub(super) fn openssl(&self, arguments: &[&str]) -> Output {
        support::succeed(support::openssl().unwrap().args(arguments).current_dir(&self.0))
    }

    pub(super) fn tool(&self, mut tool: Command, arguments: &[&str]) -> Output {
        support::succeed(tool.args(arguments).current_dir(&self.0))
    }

    /// How many PINs the card has been sent.
    pub(super) fn pins_sent(&self) -> usize {
        let answer = control("pins");
        answer.lines().find_map(|line| line.trim().parse().ok()).unwrap_or_else(|| panic!("{answer}"))
    }
}
