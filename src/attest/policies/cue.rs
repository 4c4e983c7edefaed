//! CUE, by its own program: there is no other reading of the language.

use std::path::PathBuf;
use std::process::Command;

use countersign_core::OpenContext;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::program::{self, Ended};

use crate::env::NO_COMMANDS;
use crate::verify::{Check, Refusal};

const PROGRAM: &str = "cue";
const ACT: &str = "check the CUE policies";
/// It says nothing where all is well; what it complains of goes to standard error.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

pub(super) fn check(
    policies: &[PathBuf],
    statement: &[u8],
    context: &OpenContext<'_>,
) -> Result<std::result::Result<(), Refusal>> {
    let failed = |kind, why: String| Error::new(kind, format!("cannot {ACT}")).why(why);
    if context.environment.variable(NO_COMMANDS).is_some_and(|value| !value.is_empty()) {
        return Err(failed(ErrorKind::Denied, format!("{NO_COMMANDS} forbids commands"))
            .hint("write the policy in Rego, which needs no program"));
    }
    let located = program::look(PROGRAM, context);
    let passed: String = located.skipped.iter().map(|skipped| format!("; {skipped}")).collect();
    let program = located.program.ok_or_else(|| {
        failed(ErrorKind::NotFound, format!("PATH has no program cue{passed}"))
            .hint("install CUE from https://cuelang.org, or write the policy in Rego")
    })?;
    let mut command = Command::new(program);
    // The statement comes by standard input; -c demands that nothing is left open.
    command.args(["vet", "-c"]).args(policies).args(["json:", "-"]);
    for secret in context.environment.secrets() {
        command.env_remove(secret);
    }
    match program::ask(command, statement.to_vec(), MAX_ANSWER_BYTES, context, ACT)? {
        Ended::Answered(status, _) if status.success() => Ok(Ok(())),
        Ended::Answered(status, _) => {
            let found = format!("cue ended with {status}; what it says stands above");
            Ok(Err(Check::Predicate.refuse("cue vet to succeed", found)))
        }
        Ended::TooLong => {
            Err(failed(ErrorKind::Integrity, format!("cue writes more than {MAX_ANSWER_BYTES} bytes")))
        }
    }
}
