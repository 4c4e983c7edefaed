//! `docs/faults.md`: what the user sees of each fault, as the tool says it, a part for each service. The file is compared with
//! what happens; with `COUNTERSIGN_WRITE_DOCS=1` it is written anew.

use std::fmt::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::world::World;
use crate::support::fault_proxy::Fault;

const HEAD: &str = "# Faults of services, and what is said of them

Made by `tests/kms/*/fault_table.rs` from what the tool says when each happens; it fails when this page differs. Each is one `sign-blob` that
leaves nothing behind, with exit code 1. The kind is what `--report` calls it; \"tries\" counts the requests that the fault met.

";

const COLUMNS: &str = "| fault | kind | tries | what is said | hint |\n|---|---|--:|---|---|\n";

/// What is done to the request for a signature, or to that for the key.
pub(super) struct Row {
    pub(super) fault: &'static str,
    pub(super) word: &'static str,
    pub(super) faults: Vec<Fault>,
    pub(super) flags: &'static [&'static str],
}

pub(super) fn row(fault: &'static str, word: &'static str, faults: Vec<Fault>) -> Row {
    Row { fault, word, faults, flags: &[] }
}

pub(super) fn many(make: impl Fn() -> Fault) -> Vec<Fault> {
    (0..9).map(|_| make()).collect()
}

/// Runs one signature that must fail, and writes its row.
pub(super) fn write(
    page: &mut String,
    world: &World,
    fault: &str,
    key: &str,
    flags: &[&str],
    tries: &dyn Fn() -> usize,
) {
    let arguments = [
        &[
            "sign-blob",
            "--tlog-upload=false",
            "--key",
            key,
            "--bundle",
            "refused.json",
            "--report=report.json",
            "blob",
        ],
        flags,
    ]
    .concat();
    let said = world.refuse(&arguments, &[]);
    assert!(!world.path("refused.json").exists(), "{fault}");
    let report = std::fs::read_to_string(world.path("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let kind = report["failure"]["kind"].as_str().unwrap_or_else(|| panic!("{fault}: {report}"));
    let line = |start: &str| {
        said.lines().find_map(|line| line.trim().strip_prefix(start)).unwrap_or_default().to_owned()
    };
    // Ports differ in each run.
    let tidy = |text: String| {
        let mut parts = text.split("127.0.0.1:");
        let first = parts.next().unwrap_or_default().to_owned();
        parts
            .fold(first, |whole, part| whole + "HOST" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
    };
    let (said, hint) = (tidy(line("Error: ")), tidy(line("hint: ")));
    writeln!(page, "| {fault} | `{kind}` | {} | {said} | {hint} |", tries()).unwrap();
}

/// Compares a service's part, its rows, with the page.
pub(super) fn check(title: &str, rows: &str) {
    static PAGE: Mutex<()> = Mutex::new(());
    let _alone = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    let part = format!("## {title}\n\n{COLUMNS}{rows}");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let mut parts: Vec<&str> =
        written.split("\n## ").skip(1).map(|text| text.trim_end_matches('\n')).collect();
    let ours = part.trim_start_matches("## ").trim_end_matches('\n');
    if std::env::var_os("COUNTERSIGN_WRITE_DOCS").is_some() {
        parts.retain(|text| text.lines().next() != Some(title));
        parts.push(ours);
        parts.sort_unstable();
        let page =
            parts.iter().fold(HEAD.trim_end().to_owned() + "\n", |page, part| page + "\n## " + part + "\n");
        std::fs::write(&path, page).unwrap();
        return;
    }
    let found = parts.iter().find(|text| text.lines().next() == Some(title)).copied().unwrap_or_default();
    assert_eq!(found, ours, "docs/faults.md says otherwise: write it anew with COUNTERSIGN_WRITE_DOCS=1");
    assert!(written.starts_with(HEAD.trim_end()), "the head of docs/faults.md");
}
