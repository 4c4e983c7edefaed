//! Runs `transcripts/*.txt`: what a user types, what comes back, and which files are there afterwards.
//!
//! A line's first word says what it is:
//! `#` a remark; `<` a file before, as NAME: CONTENT; `=` a variable, as NAME=VALUE; `$` a command; `|` its standard
//! output; `!` its standard error; `?` its exit code; `>` what became of files at the end: `new NAME`, `changed NAME` or
//! `gone NAME`. In output `[..]` stands for any text within the line and a line `...` for the lines that follow.
//! The keys `key.pem` (plain, P-256) and `key.pub`, and another pair `other`, are always there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::world::{Ended, World};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/transcripts");

#[test]
fn transcripts_are_what_the_tool_prints() {
    let mut paths: Vec<_> =
        fs::read_dir(FOLDER).expect("the folder").map(|entry| entry.expect("its entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are no transcripts");
    let mut wrong = String::new();
    for path in paths {
        let Some(world) = World::new() else { return };
        if let Err(fault) = play(&world, &path) {
            writeln!(wrong, "{}:{fault}\n", path.display()).expect("a string grows");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// One command, with what is expected of it.
#[derive(Default)]
struct Step<'a> {
    line: usize,
    command: &'a str,
    stdout: Vec<&'a str>,
    stderr: Vec<&'a str>,
    code: i32,
}

fn play(world: &World, path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).expect("a transcript");
    let (mut steps, mut variables, mut fates) = (Vec::<Step>::new(), Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let bad = || format!("{}: not a line of a transcript: {line}", at + 1);
        match kind {
            "#" | "" => {}
            "<" => {
                let (name, content) = rest.split_once(": ").ok_or_else(bad)?;
                world.write(name, format!("{content}\n"));
            }
            "=" => variables.push(rest.split_once('=').ok_or_else(bad)?),
            "$" => steps.push(Step { line: at + 1, command: rest, ..Step::default() }),
            "|" => steps.last_mut().ok_or_else(bad)?.stdout.push(rest),
            "!" => steps.last_mut().ok_or_else(bad)?.stderr.push(rest),
            "?" => steps.last_mut().ok_or_else(bad)?.code = rest.parse().map_err(|_| bad())?,
            ">" => fates.push(rest.to_owned()),
            _ => return Err(bad()),
        }
    }
    let before = world.files();
    for step in &steps {
        let words: Vec<_> = step.command.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"countersign"), "{}", step.command);
        let ended = world.end(world.command(&words[1..]).envs(variables.iter().copied()));
        judge(step, &ended).map_err(|fault| format!("{}: {}\n{fault}", step.line, step.command))?;
    }
    fates.sort();
    let found = difference(&before, &world.files());
    if found == fates { Ok(()) } else { Err(format!(" files: expected {fates:?}, found {found:?}")) }
}

fn judge(step: &Step<'_>, ended: &Ended) -> Result<(), String> {
    for (name, expected, found) in
        [("stdout", &step.stdout, &ended.stdout), ("stderr", &step.stderr, &ended.stderr)]
    {
        if !lines_match(expected, &found.lines().collect::<Vec<_>>()) {
            return Err(format!("--- {name}, expected\n{}\n--- found\n{found}", expected.join("\n")));
        }
    }
    if ended.code == Some(step.code) { Ok(()) } else { Err(format!("exit code {:?}", ended.code)) }
}

fn lines_match(expected: &[&str], found: &[&str]) -> bool {
    match (expected, found) {
        (["...", rest @ ..], _) => (0..=found.len()).any(|skipped| lines_match(rest, &found[skipped..])),
        ([pattern, rest @ ..], [line, lines @ ..]) => line_matches(pattern, line) && lines_match(rest, lines),
        _ => expected.is_empty() && found.is_empty(),
    }
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let Some((start, rest)) = pattern.split_once("[..]") else { return pattern == line };
    let Some(line) = line.strip_prefix(start) else { return false };
    line.char_indices().map(|(at, _)| at).chain([line.len()]).any(|at| line_matches(rest, &line[at..]))
}

fn difference(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let fate = |name: &String| match (before.get(name), after.get(name)) {
        (None, _) => format!("new {name}"),
        (_, None) => format!("gone {name}"),
        _ => format!("changed {name}"),
    };
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let mut fates: Vec<_> = names.filter(|name| before.get(*name) != after.get(*name)).map(fate).collect();
    fates.sort();
    fates
}
