//! Walks `surface.txt`, the list of every command and flag name of Cosign, against the built binary.
//!
//! A row that works is understood; a row that is refused says that it is not built yet, by name. Nothing is accepted and
//! ignored. What a working flag does is tested where its command is tested; here it is only never turned away.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support;

const LIST: &str = include_str!("surface.txt");

/// What an alias of the list stands for.
const ALIASES: [(&str, &str); 5] = [
    ("--cert", "--certificate"),
    ("--cert-chain", "--certificate-chain"),
    ("--cert-identity", "--certificate-identity"),
    ("--cert-oidc-issuer", "--certificate-oidc-issuer"),
    ("--output-cert", "--output-certificate"),
];

/// Commands of ours that Cosign does not have.
const OUR_COMMANDS: [&str; 11] = [
    "keys csr",
    "keys import",
    "demo",
    "keys",
    "keys list",
    "keys doctor",
    "keys delete",
    "keys certificate",
    "keys import-certificate",
    "keys attest",
    "keys verify-attestation",
];

/// What `sign` takes beside Cosign's own.
const SIGNING: [&str; 8] = [
    "--format",
    "--dry-run",
    "--again",
    "--signing-algorithm",
    "--allow-final-pin-try",
    "--password-source",
    "--wait",
    "--report",
];

/// What the commands that verify images do.
const VERIFYING: [&str; 11] = [
    "--signed-repository",
    "--recursive",
    "--signing-algorithm",
    "--certificate-extension",
    "--certificate-identity-pattern",
    "--certificate-oidc-issuer-pattern",
    "--allow-final-pin-try",
    "--password-source",
    "--wait",
    "--policy-file",
    "--report",
];

/// What each command of `piv-tool` takes beside Cosign's own.
const CARD: [&str; 7] = [
    "--serial",
    "--reader",
    "--allow-final-pin-try",
    "--password-source",
    "--wait",
    "--no-input",
    "--report",
];

/// Flags of ours on commands that Cosign has. On commands of ours every flag is ours.
const OUR_FLAGS: [(&str, &[&str]); 44] = [
    ("sign", &SIGNING),
    (
        "attest",
        &[
            "--output-certificate",
            "--recursive",
            "--format",
            "--dry-run",
            "--again",
            "--signing-algorithm",
            "--allow-final-pin-try",
            "--password-source",
            "--wait",
            "--report",
        ],
    ),
    ("verify", &VERIFYING),
    ("verify-attestation", &VERIFYING),
    ("tree", &["--report"]),
    ("clean", &["--report"]),
    ("triangulate", &["--report"]),
    ("generate", &["--report"]),
    ("login", &["--report"]),
    ("download", &["--report"]),
    ("download signature", &["--report"]),
    ("download attestation", &["--report"]),
    ("download sbom", &["--report"]),
    ("attach", &["--report"]),
    ("attach signature", &["--report"]),
    ("attach attestation", &["--report"]),
    ("attach sbom", &["--report"]),
    ("piv-tool", &["--report"]),
    ("pkcs11-tool", &["--report"]),
    ("pkcs11-tool list-tokens", &["--report"]),
    ("pkcs11-tool list-keys-uris", &["--report"]),
    (
        "sign-blob",
        &[
            "--files-from",
            "--bundle-dir",
            "--max-rate",
            "--allow-final-pin-try",
            "--password-source",
            "--wait",
            "--report",
        ],
    ),
    (
        "attest-blob",
        &["--signing-algorithm", "--allow-final-pin-try", "--password-source", "--wait", "--report"],
    ),
    (
        "verify-blob",
        &[
            "--signing-algorithm",
            "--certificate-extension",
            "--certificate-identity-pattern",
            "--certificate-oidc-issuer-pattern",
            "--allow-final-pin-try",
            "--password-source",
            "--wait",
            "--policy-file",
            "--report",
        ],
    ),
    (
        "verify-blob-attestation",
        &[
            "--signing-algorithm",
            "--certificate-extension",
            "--certificate-identity-pattern",
            "--certificate-oidc-issuer-pattern",
            "--allow-final-pin-try",
            "--password-source",
            "--wait",
            "--policy",
            "--policy-file",
            "--report",
        ],
    ),
    (
        "generate-key-pair",
        &["--signing-algorithm", "--yes", "--allow-final-pin-try", "--password-source", "--wait", "--report"],
    ),
    (
        "import-key-pair",
        &["--allow-final-pin-try", "--password-source", "--wait", "--import-password-source", "--report"],
    ),
    ("public-key", &["--allow-final-pin-try", "--password-source", "--wait", "--report"]),
    ("bundle create", &["--allow-final-pin-try", "--password-source", "--wait", "--report"]),
    ("bundle upgrade", &["--report"]),
    ("initialize", &["--report"]),
    ("trusted-root", &["--report"]),
    ("trusted-root create", &["--report"]),
    ("signing-config", &["--report"]),
    ("signing-config create", &["--report"]),
    ("bundle inspect", &["--report"]),
    ("bundle", &["--report"]),
    ("completion", &["--report"]),
    ("help", &["--man", "--man-dir", "--report"]),
    ("env", &["--report"]),
    ("version", &["--report"]),
    ("piv-tool attestation", &["--root"]),
    ("piv-tool generate-key", &["--signing-algorithm"]),
    ("piv-tool set-management-key", &["--protect"]),
];

/// No run takes long; a run that waits for an answer would wait for ever.
const DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);
const WORKERS: usize = 4;

#[derive(Clone, Copy)]
struct Row {
    command: &'static str,
    flag: &'static str,
    kind: &'static str,
    works: bool,
}

struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

#[test]
fn every_command_and_flag_of_cosign_works_or_says_that_it_is_not_built_yet() {
    let rows = rows();
    let next = AtomicUsize::new(0);
    let wrong: Vec<String> = thread::scope(|scope| {
        let worker = || {
            let mut wrong = Vec::new();
            while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                wrong.extend(check(&rows, *row));
            }
            wrong
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker panicked")).collect()
    });
    assert!(wrong.is_empty(), "{} of {} rows are wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn every_flag_in_our_help_is_one_of_cosigns_or_one_of_ours() {
    let rows = rows();
    let mut wrong = String::new();
    for command in rows.iter().filter(|row| row.flag == "-" && row.works).map(|row| row.command) {
        let shown = flags_in_help(command);
        let ours = OUR_FLAGS.iter().find(|(name, _)| *name == command).map_or(&[][..], |(_, flags)| *flags);
        let known = |flag: &str| {
            if command.starts_with("piv-tool ") && CARD.contains(&flag) {
                return true;
            }
            let listed = |row: &Row| row.flag == flag && [command, "(global)"].contains(&row.command);
            rows.iter().any(listed) || ours.contains(&flag)
        };
        for flag in shown.iter().filter(|flag| !known(flag)) {
            writeln!(wrong, "{command} shows {flag}, which is neither in surface.txt nor in OUR_FLAGS")
                .expect("a string grows");
        }
        // Both lists shrink with the tool: what no help shows has no place in them.
        for flag in ours.iter().filter(|flag| !shown.contains(**flag)) {
            writeln!(wrong, "{command} does not show {flag}, which OUR_FLAGS lists").expect("a string grows");
        }
    }
    for command in OUR_COMMANDS {
        assert!(!rows.iter().any(|row| row.command == command), "{command} is a command of Cosign");
        flags_in_help(command);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Runs the row and says what is wrong, if anything is.
fn check(rows: &[Row], row: Row) -> Vec<String> {
    match row.command {
        // These stand for all: one that reads nothing, one that reads a file, one below a group.
        "(global)" => ["version", "verify-blob", "bundle inspect"]
            .into_iter()
            .filter_map(|command| judge(rows, Row { command, ..row }, &[row.flag]))
            .collect(),
        "(alias)" => check_alias(rows, row),
        _ => judge(rows, row, &[row.flag]).into_iter().collect(),
    }
}

/// An alias is what its flag is, on each command that has the flag and works itself.
fn check_alias(rows: &[Row], alias: Row) -> Vec<String> {
    let target =
        ALIASES.iter().find(|(name, _)| *name == alias.flag).expect("ALIASES names each alias of the list").1;
    let targets: Vec<&Row> =
        rows.iter().filter(|row| row.flag == target && command_works(rows, row.command)).collect();
    if targets.is_empty() {
        return vec![format!("{}: no command that works has {target}", alias.flag)];
    }
    targets
        .iter()
        .filter_map(|row| judge(rows, Row { flag: alias.flag, ..**row }, &[alias.flag, target]))
        .collect()
}

fn command_works(rows: &[Row], command: &str) -> bool {
    rows.iter().any(|row| row.command == command && row.flag == "-" && row.works)
}

/// `names` are the spellings of the flag that a refusal may use.
fn judge(rows: &[Row], row: Row, names: &[&str]) -> Option<String> {
    let arguments = arguments(row);
    let answer = run(&arguments);
    let stderr = answer.stderr.as_str();
    let refused = stderr.contains("not built yet");
    let fault = if row.works {
        let turned_away =
            ["unknown flag", "unknown command", "unexpected argument", "unrecognized subcommand"];
        let turned_away = turned_away.iter().any(|words| stderr.contains(words));
        if refused || turned_away { Some("works, says the list") } else { None }
    } else if answer.code != Some(1) {
        Some("is to exit with 1")
    } else if !refused {
        Some("is to say `not built yet`")
    } else if !names_itself(rows, row, names, stderr) {
        Some("is to name the flag, or the command where that is not built at all")
    } else {
        None
    };
    fault.map(|fault| {
        format!("{}: {fault}; exit {:?}, stderr: {}", arguments.join(" "), answer.code, stderr.trim())
    })
}

/// A flag that a working command refuses is named; a command that is not built at all is, or its group is.
fn names_itself(rows: &[Row], row: Row, names: &[&str], stderr: &str) -> bool {
    if row.flag != "-" && command_works(rows, row.command) {
        return names.iter().any(|name| stderr.contains(name));
    }
    let group = row.command.split(' ').next().unwrap_or(row.command);
    stderr.contains(row.command) || (!command_works(rows, group) && stderr.contains(group))
}

fn arguments(row: Row) -> Vec<&'static str> {
    let mut arguments: Vec<&str> = row.command.split(' ').collect();
    match (row.flag, row.kind) {
        ("-", _) => {}
        (flag, "bool") => arguments.push(flag),
        (flag, "bool-negatable") => arguments.push(format!("{flag}=false").leak()),
        (flag, _) if flag.starts_with("--") => arguments.push(format!("{flag}={}", value(flag)).leak()),
        (flag, _) => arguments.extend([flag, value(flag)]),
    }
    match row.command {
        "attest-blob" if !["--predicate", "--statement"].contains(&row.flag) => {
            arguments.extend(["--predicate=absent-file", "absent-file"]);
        }
        "sign-blob" | "verify-blob" | "bundle inspect" | "attest-blob" => arguments.push("absent-file"),
        // A name that is none: no registry is asked.
        "sign"
        | "verify"
        | "verify-attestation"
        | "tree"
        | "clean"
        | "triangulate"
        | "generate"
        | "download signature"
        | "download attestation"
        | "download sbom" => arguments.push("ABSENT"),
        "attach signature" if row.flag != "--signature" => arguments.extend(["--signature=QUJD", "ABSENT"]),
        "attach attestation" if row.flag != "--attestation" => {
            arguments.extend(["--attestation=absent-file", "ABSENT"]);
        }
        "attach sbom" if row.flag != "--sbom" => arguments.extend(["--sbom=absent-file", "ABSENT"]),
        "attach signature" | "attach attestation" | "attach sbom" => arguments.push("ABSENT"),
        // A host that is none.
        "login" if !["--username", "-u"].contains(&row.flag) => arguments.extend(["--username=x", "UPPER_"]),
        "login" => arguments.push("UPPER_"),
        "attest" if !["--predicate", "--statement"].contains(&row.flag) => {
            arguments.extend(["--predicate=absent-file", "ABSENT"]);
        }
        "attest" => arguments.push("ABSENT"),
        "completion" => arguments.push("bash"),
        _ => {}
    }
    arguments
}

/// A value that the flag can take, so that no other complaint comes first.
fn value(flag: &str) -> &'static str {
    match flag {
        "--timeout" | "-t" => "1m",
        "--max-workers" => "2",
        "--signature-digest-algorithm" | "--digestAlg" => "sha256",
        "--signing-algorithm" => "ecdsa-sha2-256-nistp256",
        _ => "x",
    }
}

/// The long flags at the head of the lines that describe flags; descriptions may speak of others.
fn flags_in_help(command: &str) -> BTreeSet<String> {
    let mut arguments: Vec<&str> = command.split(' ').collect();
    arguments.push("--help");
    let answer = run(&arguments);
    assert_eq!(answer.code, Some(0), "{command} --help: {}", answer.stderr);
    let heads = answer.stdout.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words =
        heads.flat_map(|line| line.split("  ").next().unwrap_or(line).split([' ', ',', '=', '[', '<']));
    let flags: BTreeSet<String> = words.filter(|word| word.starts_with("--")).map(str::to_owned).collect();
    assert!(flags.contains("--help"), "{command} --help lists no flags:\n{}", answer.stdout);
    flags
}

/// Runs the binary in a directory of its own, without terminal, input and password. `setsid` takes the terminal away:
/// else a prompt would reach whoever runs the tests.
fn run(arguments: &[&str]) -> Answer {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (stdout, stderr) = (dir.path().join("stdout"), dir.path().join("stderr"));
    let work = dir.path().join("work");
    std::fs::create_dir(&work).expect("a directory inside it");
    let countersign = support::countersign();
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(countersign.get_program()).args(countersign.get_args()).args(arguments);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &work).current_dir(&work);
    support::stay_here(&mut command);
    support::hide_cards(&mut command);
    command.stdin(Stdio::null()).stdout(file(&stdout)).stderr(file(&stderr));
    let mut child = command.spawn().expect("setsid, of the package util-linux, starts");
    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => break status,
            None if start.elapsed() < DEADLINE => thread::sleep(PAUSE),
            None => {
                child.kill().expect("a running child can be killed");
                panic!("{} still runs after {DEADLINE:?}", arguments.join(" "));
            }
        }
    };
    Answer { code: status.code(), stdout: read(&stdout), stderr: read(&stderr) }
}

fn file(path: &Path) -> File {
    File::create(path).expect("a new file in a temporary directory")
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).expect("the file that the run wrote")).into_owned()
}

fn rows() -> Vec<Row> {
    let lines = LIST.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
            [
                command,
                flag,
                kind @ ("-" | "bool" | "bool-negatable" | "value"),
                status @ ("works" | "refused"),
            ] => Row { command, flag, kind, works: status == "works" },
            _ => panic!("surface.txt: not a row: {line}"),
        })
        .collect()
}
