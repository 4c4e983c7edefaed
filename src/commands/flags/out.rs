//! Where a command that makes one text puts it.

use std::path::PathBuf;

use clap::Args;
use countersign_core::whole_file::{self, WriteOptions};

use crate::commands::Run;
use crate::exit::Failure;

/// The file to write.
#[derive(Debug, Args)]
pub struct OutFlag {
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl OutFlag {
    /// Writes the text, called `what`. A name that the user gave is overwritten, as in Cosign.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn write(&self, run: &Run<'_>, what: &str, text: &str) -> Result<(), Failure> {
        let Some(path) = &self.out else { return Ok(run.output.line(text)?) };
        let options = WriteOptions::product(true);
        whole_file::write(path, text.as_bytes(), options)?;
        run.output.note(format!("Wrote {what} to file {}", path.display()));
        Ok(())
    }
}
