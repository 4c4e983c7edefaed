//! Starts the tool and ends the process.

use std::process::ExitCode;

use countersign::exit::PANIC;

fn main() -> ExitCode {
    countersign::commands::install_panic_hook();
    // A panic unwinds, so that secrets are wiped; the hook has said what there is to say.
    let ended = std::panic::catch_unwind(|| countersign::commands::run(std::env::args_os().collect()));
    ExitCode::from(ended.unwrap_or(PANIC))
}
