//! The call log: one line a call, appended with one write, so that threads and processes do not mix lines.

use std::fs::OpenOptions;
use std::io::Write;

/// Appends a line to the file that `CHAOS_LOG` names. A log that cannot be written is not worth a fault.
pub(crate) fn write(line: &str) {
    let Some(path) = std::env::var_os("CHAOS_LOG") else { return };
    if let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path) {
        let _ = file.write_all(format!("{}\n", line.trim_end()).as_bytes());
    }
}
