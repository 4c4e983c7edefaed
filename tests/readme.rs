//! The terminal session in the README is real: it is run here, line by line.

use std::path::Path;
use std::process::Command;

use crate::support::{run, stderr, stdout};

/// The lines of the first `console` block.
fn session() -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block = readme.split("```console\n").nth(1).and_then(|rest| rest.split("```").next());
    block.expect("the README has a session").lines().map(str::to_owned).collect()
}

/// Whether `line` is `pattern`, in which `[..]` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || pattern.ends_with("[..]")
}

#[test]
fn the_session_in_the_readme_happens_as_printed() {
    let directory = tempfile::tempdir().unwrap();
    let tool = Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap();
    let path = format!("{}:{}", tool.display(), std::env::var("PATH").unwrap());
    let mut expected: Vec<String> = session();
    expected.reverse();
    let mut commands = 0;
    while let Some(line) = expected.pop() {
        let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("left over: {line}"));
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(directory.path())
            .env("PATH", &path)
            .env("COSIGN_PASSWORD", "readme");
        let output = run(&mut shell);
        for line in format!("{}{}", stdout(&output), stderr(&output)).lines() {
            let pattern = expected.pop().unwrap_or_else(|| panic!("{command} prints more: {line}"));
            assert!(matches(&pattern, line), "{command}\nexpected: {pattern}\nprinted:  {line}");
        }
        commands += 1;
    }
    assert!(commands > 4, "{commands} commands");
}
