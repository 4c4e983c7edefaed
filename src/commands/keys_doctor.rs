//! `keys doctor`: why a key does not sign.
//!
//! A backend that loads a maker's library is looked at in a process of its own, which tells each finding as it is made:
//! a library that crashes or hangs ends that process, and the last finding names it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use clap::Args;
use countersign_core::backend::{Finding, Severity};
use countersign_core::error::{Error, ErrorKind};
use countersign_core::limits::MAX_KEY_FILE_BYTES;
use countersign_core::{KeyUri, bounded};
use serde_json::{Value, json};

use super::Run;
use super::flags::key::PasswordFlags;
use crate::exit::Failure;
use crate::{backends, env};

/// Look at everything between a key URI and a signature, without changing or unlocking anything
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The key URI
    #[arg(value_name = "KEY")]
    key: String,

    /// Load the library into this process, print each finding as a line of JSON, and read the key from standard input if
    /// it is `-`, since other users see arguments
    #[arg(long, hide = true)]
    in_this_process: bool,
}

impl Doctor {
    pub(crate) fn execute(mut self, run: &mut Run<'_>) -> Result<(), Failure> {
        if self.in_this_process && self.key == "-" {
            self.key.clear();
            let read = std::io::stdin().take(MAX_KEY_FILE_BYTES).read_to_string(&mut self.key);
            read.map_err(|cause| Error::io("read", "the key", cause))?;
        }
        let uri = KeyUri::parse(&self.key)?;
        let backend = backends::find(&uri)?;
        let world = PasswordFlags::default().world(run, false);
        if self.in_this_process {
            let mut told = Ok(());
            backend.diagnose(&uri, &world.context(), &mut |finding| {
                told = std::mem::replace(&mut told, Ok(()))
                    .and_then(|()| run.output.line(to_json(&finding).to_string()));
            });
            return Ok(told?);
        }
        let mut findings = Vec::new();
        let mut found = |finding: Finding| findings.push(finding);
        if backend.loads_libraries() {
            look_from_outside(&self.key, run.global.deadline(), &mut found)?;
        } else {
            backend.diagnose(&uri, &world.context(), &mut found);
        }
        for finding in &findings {
            run.output.line(format!("{:<7} {}", mark(finding.severity), finding.text))?;
            if let Some(hint) = &finding.hint {
                run.output.line(format!("        hint: {hint}"))?;
            }
        }
        let problems = findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
        run.report.data(json!({ "findings": findings.iter().map(to_json).collect::<Vec<_>>() }));
        if problems == 0 {
            return Ok(());
        }
        let found = Error::new(ErrorKind::KeyState, format!("{uri} does not work"));
        Err(found.why(format!("{problems} of the findings above stand in the way")).into())
    }
}

/// Runs the same look in a process of its own until the deadline.
fn look_from_outside(
    key: &str,
    deadline: Option<Instant>,
    found: &mut dyn FnMut(Finding),
) -> Result<(), Failure> {
    let cannot = |cause| Error::io("start", "a process that looks at the key", cause);
    let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
    command.args(["keys", "doctor", "--in-this-process", "-"]);
    for secret in env::secrets() {
        command.env_remove(secret);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that ended already says more in its status than a broken pipe does.
        let _ = stdin.write_all(key.as_bytes());
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        // What a library prints besides is no finding; it only must not fill the pipe.
        stderr.map(|mut stderr| stderr.read_to_string(&mut text)).transpose().map(|_| text)
    });
    let mut lines =
        BufReader::new(stdout.ok_or_else(|| Error::internal("a child without an output"))?).lines();
    loop {
        // The reader goes to a thread and comes back, since the child may stay silent for ever.
        let Some((line, rest)) = bounded::before(deadline, move || (lines.next(), lines)) else {
            end(&mut child);
            found(problem("it did not answer within the time limit: the last line above is where it hangs"));
            return Ok(());
        };
        lines = rest;
        let Some(Ok(line)) = line else { break };
        match from_json(&line) {
            Some(finding) => found(finding),
            None => found(Finding {
                severity: Severity::Warning,
                text: format!("the library says: {line}"),
                hint: None,
            }),
        }
    }
    let ended = child.wait().map_err(cannot)?;
    if let Some(how) = how_it_broke(ended) {
        found(problem(&format!("the library {how}: the last line above is where it broke")));
    } else if !ended.success() {
        let text = said.join().ok().and_then(Result::ok).unwrap_or_default();
        found(problem(text.lines().next().unwrap_or("the process that looks at the key failed")));
    }
    Ok(())
}

fn end(child: &mut Child) {
    // It may have ended just now; then there is nothing to end.
    let _ = child.kill();
    let _ = child.wait();
}

fn how_it_broke(ended: std::process::ExitStatus) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        ended.signal().map(|signal| {
            let name = match signal {
                4 => "SIGILL",
                6 => "SIGABRT",
                7 => "SIGBUS",
                8 => "SIGFPE",
                9 => "SIGKILL",
                11 => "SIGSEGV",
                _ => return format!("was ended by signal {signal}"),
            };
            format!("crashed ({name})")
        })
    }
    #[cfg(not(unix))]
    {
        // Windows: an exception's code, which has the two top bits set.
        ended.code().filter(|code| *code < 0).map(|code| format!("crashed (0x{code:08x})"))
    }
}

fn problem(text: &str) -> Finding {
    Finding {
        severity: Severity::Problem,
        text: text.to_owned(),
        hint: Some("ask the maker of the library, or use another one".to_owned()),
    }
}

fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Good => "ok",
        Severity::Warning => "warning",
        Severity::Problem => "problem",
    }
}

fn to_json(finding: &Finding) -> Value {
    json!({ "severity": mark(finding.severity), "text": finding.text, "hint": finding.hint })
}

fn from_json(line: &str) -> Option<Finding> {
    let value: Value = serde_json::from_str(line).ok()?;
    let severity = [Severity::Good, Severity::Warning, Severity::Problem]
        .into_iter()
        .find(|severity| value["severity"] == mark(*severity))?;
    let hint = value["hint"].as_str().map(str::to_owned);
    Some(Finding { severity, text: value["text"].as_str()?.to_owned(), hint })
}
