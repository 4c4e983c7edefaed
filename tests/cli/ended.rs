//! How a run of the binary ended, and what must hold of it.

/// How a run ended.
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) command: String,
}

impl Ended {
    /// It must have succeeded.
    pub(super) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}{}", self.command, self.stdout, self.stderr);
        self
    }

    /// It must have failed with code 1, saying each of `words`.
    pub(super) fn failed(self, words: &[&str]) -> Self {
        self.failed_with(1, words)
    }

    pub(super) fn failed_with(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}{}", self.command, self.stdout, self.stderr);
        self.says(words);
        let line = |start: &str| {
            self.stderr.lines().rev().find_map(|line| line.strip_prefix(start)).map(str::to_owned)
        };
        let ours =
            line("Error: ").unwrap_or_else(|| panic!("{}: no Error line\n{}", self.command, self.stderr));
        let cosigns = line("error during command execution: ");
        assert_eq!(cosigns.as_ref(), Some(&ours), "the two error lines differ:\n{}", self.stderr);
        self
    }

    /// Each of `words` must stand on standard error.
    pub(super) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "{} does not say \"{word}\":\n{}", self.command, self.stderr);
        }
    }

    /// None of `words` may.
    pub(super) fn says_nothing_of(&self, words: &[&str]) {
        for word in words {
            assert!(!self.stderr.contains(word), "{} says \"{word}\":\n{}", self.command, self.stderr);
        }
    }
}
