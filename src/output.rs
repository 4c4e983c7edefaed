//! The only place that writes to standard output and standard error.
//!
//! A reader that closes its end (`… | head`) ends nothing and is no error: what follows is dropped quietly.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use countersign_core::context::{Event, Events};
use countersign_core::error::{Error, Result};

use crate::exit::Failure;

/// Standard output (or `--output-file`) and standard error.
pub struct Output {
    stdout: Mutex<Box<dyn Write + Send>>,
    verbose: bool,
}

impl Output {
    /// Standard output, or the file named by `--output-file`, created anew.
    ///
    /// # Errors
    /// Those of creating the file.
    pub fn new(output_file: Option<&Path>, verbose: bool) -> Result<Self> {
        let stdout: Box<dyn Write + Send> = match output_file {
            Some(path) => {
                Box::new(File::create(path).map_err(|cause| Error::io("create", path.display(), cause))?)
            }
            None => Box::new(io::stdout()),
        };
        Ok(Self { stdout: Mutex::new(stdout), verbose })
    }

    /// A line on standard output.
    ///
    /// # Errors
    /// Those of writing, a full disk say; not a closed reader.
    pub fn line(&self, text: impl AsRef<str>) -> Result<()> {
        let mut bytes = text.as_ref().as_bytes().to_vec();
        bytes.push(b'\n');
        self.bytes(&bytes)
    }

    /// Bytes on standard output.
    ///
    /// # Errors
    /// Those of writing, a full disk say; not a closed reader.
    pub fn bytes(&self, bytes: &[u8]) -> Result<()> {
        let mut stdout = self.stdout.lock().unwrap_or_else(PoisonError::into_inner);
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::io("write to", "standard output", cause))
            }
            _ => Ok(()),
        }
    }

    /// A line for people on standard error.
    pub fn note(&self, text: impl AsRef<str>) {
        // Nothing can be done when standard error is gone, and the work itself is not harmed.
        let _ = writeln!(io::stderr(), "{}", harmless(text.as_ref()));
    }

    /// A warning on standard error.
    pub fn warning(&self, text: impl AsRef<str>) {
        self.note(format!("WARNING: {}", text.as_ref()));
    }

    /// A line on standard error under `--verbose` only.
    pub fn debug(&self, text: impl AsRef<str>) {
        if self.verbose {
            self.note(format!("debug: {}", text.as_ref()));
        }
    }

    /// A failure in the middle of a batch, which goes on.
    pub fn failure_of_one(&self, failure: &Failure) {
        self.note(format!("Error: {}", failure.message()));
        if let Some(hint) = failure.hint() {
            self.note(format!("  hint: {hint}"));
        }
    }

    /// The failure that ends the command: our lines, then the line that Cosign ends with and scripts look for.
    pub fn failure(&self, failure: &Failure) {
        self.failure_of_one(failure);
        self.note(format!("error during command execution: {}", failure.message()));
    }
}

impl Events for Output {
    fn event(&self, event: Event) {
        match event {
            Event::TouchNeeded => self.note("touch the device now"),
            Event::WaitingForDevice(device) => self.note(format!("waiting for {device}")),
            Event::Retrying(after) => self.debug(format!("trying again in {} ms", after.as_millis())),
            Event::Warning(text) => self.warning(text),
        }
    }
}

/// The text with control characters spelled out: names of files and fields are strangers' words, and an escape sequence
/// in them would rewrite the screen. Line breaks are ours and stay.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        // The bidirectional controls reorder what is on the screen (Unicode TR 36 2.10).
        let reorders = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (character.is_control() && character != '\n') || reorders {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether people watch standard error.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_out_what_would_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\u{202e}c\nd é"), "a\\u{1b}[2Jb\\u{d}\\u{202e}c\nd é");
    }
}
