//! Puts virtual YubiKeys into a reader of pcscd (the vpcd driver), and lets tests act on them while they are in use.
//!
//! ```text
//! virtual-yubikey serve --control DIR [--port N] [--touch-timeout MS] CARD [CARD]
//! virtual-yubikey control COMMAND...
//! virtual-yubikey attestation-root
//! ```
//!
//! A CARD is `FIRMWARE:SERIAL` (`5.4.3:5000001`) or `plain`. The first connects to the port, the second to the one after.
//! `control` sends one line to the socket in `$COUNTERSIGN_VYK_CONTROL` and prints the answer. `attestation-root` prints a
//! certificate in DER. `tests/rigs/virtual-yubikey/up`
//! starts all that is needed; the README has the commands.

use std::io::Write as _;
use std::process::ExitCode;

mod arguments;
mod command;
mod control;
mod slot;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments::parse(&arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(std::io::stderr(), "error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: arguments::Task) -> Result<(), String> {
    match task {
        arguments::Task::Serve { control, slots } => control::serve(&control, slots),
        arguments::Task::Control { line } => print(control::send(&line)?.as_bytes()),
        arguments::Task::AttestationRoot => print(&virtual_yubikey::attestation_root()),
    }
}

fn print(answer: &[u8]) -> Result<(), String> {
    std::io::stdout().write_all(answer).map_err(|why| format!("cannot print the answer: {why}"))
}
