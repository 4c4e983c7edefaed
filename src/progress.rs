//! A bar on standard error for large or many files, when somebody watches; nothing in a pipe.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::is_watched;

/// From this many files or bytes on, a bar is shown.
const MANY_FILES: usize = 50;
const MANY_BYTES: u64 = 256 * 1024 * 1024;

/// Progress over bytes, shown or not.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for so many files. `total_bytes` is asked only when somebody watches: it looks at every file.
    pub fn new(files: usize, total_bytes: impl FnOnce() -> u64) -> Self {
        let bytes = if is_watched() { total_bytes() } else { 0 };
        let bar = if is_watched() && (files >= MANY_FILES || bytes >= MANY_BYTES) {
            ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(10))
        } else {
            ProgressBar::hidden()
        };
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}");
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// Names the file under way.
    pub fn file(&self, name: &str) {
        if !self.0.is_hidden() {
            self.0.set_message(name.to_owned());
        }
    }

    /// Counts bytes that were read.
    pub fn add(&self, bytes: usize) {
        if !self.0.is_hidden() {
            self.0.inc(bytes as u64);
        }
    }

    /// Runs `print` with the bar out of the way.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
