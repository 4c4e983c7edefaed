//! A module before the module: `tests/rigs/pkcs11/chaos` passes each call on to the module of another rig, writes it
//! down, and fails or delays what its rules name.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::{Rig, build, text};

const MODULE: &str = "CHAOS_MODULE";
const RULES: &str = "CHAOS_FILE";
const LOG: &str = "CHAOS_LOG";

/// The module over the rig `R`, which it keeps.
pub(crate) struct Chaos<R> {
    rig: R,
    _directory: TempDir,
    library: &'static Path,
    control: Control,
}

/// The rules and the log: what a test holds of the module, in the child too.
pub(crate) struct Control {
    rules: PathBuf,
    log: PathBuf,
}

impl<R: Rig> Chaos<R> {
    /// Without rules. `None` where it cannot be built, which was said aloud.
    pub(crate) fn over(rig: R) -> Option<Self> {
        static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
        let library = LIBRARY.get_or_init(|| build("chaos")).as_deref()?;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let control = Control { rules: directory.path().join("rules"), log: directory.path().join("log") };
        control.rules("");
        Some(Self { rig, _directory: directory, library, control })
    }

    /// The rig behind it.
    pub(crate) fn rig(&self) -> &R {
        &self.rig
    }
}

impl<R: Rig> Rig for Chaos<R> {
    fn environment(&self) -> Vec<(String, String)> {
        let mut variables = self.rig.environment();
        variables.retain(|(name, _)| name != "COSIGN_PKCS11_MODULE_PATH");
        variables.extend([
            ("COSIGN_PKCS11_MODULE_PATH".to_owned(), text(self.library)),
            (MODULE.to_owned(), text(self.rig.module())),
            (RULES.to_owned(), text(&self.control.rules)),
            (LOG.to_owned(), text(&self.control.log)),
        ]);
        variables
    }

    fn module(&self) -> &Path {
        self.library
    }
}

impl<R> Deref for Chaos<R> {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Control {
    /// Of the module that this process's environment names: for a child.
    pub(crate) fn of_this_process() -> Self {
        let path = |name| std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")).into();
        Self { rules: path(RULES), log: path(LOG) }
    }

    /// Sets the rules, whole: the module never sees a part of them.
    pub(crate) fn rules(&self, rules: &str) {
        let new = self.rules.with_extension("new");
        fs::write(&new, rules).expect("a file in our own directory");
        fs::rename(new, &self.rules).expect("a file in our own directory");
    }

    /// The calls up to now, a line each.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often a function was called.
    pub(crate) fn count(&self, function: &str) -> usize {
        self.log().iter().filter(|line| line.split_whitespace().any(|word| word == function)).count()
    }
}
