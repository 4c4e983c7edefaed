//! Ctrl-C in a batch: the file under way is finished, the summary printed. A second Ctrl-C ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::INTERRUPTED;

/// Raised by SIGINT from the moment it is watched. Not watched while a password is asked, so that Ctrl-C works there.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Begins to watch. Where the system refuses, Ctrl-C ends the process as usual.
    pub fn watch() -> Self {
        let interrupt = Self::default();
        let flag = &interrupt.0;
        let signal = signal_hook::consts::SIGINT;
        // The order matters: the shutdown looks at the flag before this signal raises it.
        let _ = signal_hook::flag::register_conditional_shutdown(
            signal,
            i32::from(INTERRUPTED),
            Arc::clone(flag),
        );
        let _ = signal_hook::flag::register(signal, Arc::clone(flag));
        interrupt
    }

    /// Whether Ctrl-C was pressed.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
