//! The house rules that a compiler does not hold: the layout, who imports whom, and who alone may do what.

use std::fs;
use std::path::{Path, PathBuf};

/// What may stand at the top.
const TOP: [&str; 9] =
    ["Cargo.toml", "src", "backends", "tests", "softhsm", "README.md", "benches", "fuzz", "docs"];
/// Usual root files beside dot files.
const ROOT_FILES: [&str; 8] = [
    "Cargo.lock",
    "LICENSE",
    "CHANGELOG.md",
    "SECURITY.md",
    "clippy.toml",
    "deny.toml",
    "rustfmt.toml",
    "NOTICE",
];
/// Files that every backend has.
const BACKEND_FILES: [&str; 6] =
    ["src/lib.rs", "src/uri.rs", "src/signer.rs", "src/client.rs", "src/errors.rs", "capabilities.txt"];
/// Lines a source file may have before it must be split by duty; tables are exempt by name.
const MAX_LINES: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && entry.file_name().is_some_and(|name| name != "target") {
            found.extend(sources(&entry));
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            found.push(entry);
        }
    }
    found
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// The part of a file before its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

fn backends() -> Vec<String> {
    let entries = fs::read_dir(root().join("backends")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "core")
        .collect()
}

#[test]
fn the_top_level_holds_what_was_agreed() {
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = name.starts_with('.')
            || name == "target"
            || TOP.contains(&name.as_str())
            || ROOT_FILES.contains(&name.as_str());
        assert!(known, "{name} does not belong at the top level");
    }
}

#[test]
fn every_backend_has_the_same_files() {
    for backend in backends() {
        for file in BACKEND_FILES.iter().chain(&["Cargo.toml", "README.md"]) {
            assert!(
                root().join("backends").join(&backend).join(file).is_file(),
                "backends/{backend}/{file} is missing"
            );
        }
        let manifest = fs::read_to_string(root().join("backends").join(&backend).join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains(&format!("name = \"countersign-{backend}\"")),
            "{backend}: the crate's name"
        );
    }
}

#[test]
fn imports_point_one_way() {
    let core = fs::read_to_string(root().join("backends/core/Cargo.toml")).unwrap();
    for backend in backends() {
        assert!(!core.contains(&format!("countersign-{backend}")), "core imports {backend}");
        let manifest = fs::read_to_string(root().join("backends").join(&backend).join("Cargo.toml")).unwrap();
        for other in backends().iter().filter(|other| **other != backend) {
            assert!(!manifest.contains(&format!("countersign-{other}")), "{backend} imports {other}");
        }
        let crate_name = format!("countersign_{}", backend.replace('-', "_"));
        for file in sources(&root().join("src")) {
            let names_it = fs::read_to_string(&file).unwrap().contains(&crate_name);
            assert!(!names_it || name(&file) == "src/backends.rs", "{} names {crate_name}", name(&file));
        }
    }
}

#[test]
fn each_duty_has_one_place() {
    let rules: [(&str, &[&str]); 7] = [
        ("println!", &[]),
        ("io::stdout()", &["src/output.rs"]),
        ("io::stderr()", &["src/output.rs", "src/prompt.rs"]),
        ("rpassword::", &["src/prompt.rs"]),
        ("std::env::var", &["src/env.rs"]),
        ("ExitCode", &["src/main.rs"]),
        ("EcdsaKeyPair", &["backends/core/src/local_key"]),
    ];
    let mut files = sources(&root().join("src"));
    files.extend(sources(&root().join("backends")));
    // Tests print what they skip and read the variables that name their rigs.
    files.retain(|file| !file.ends_with("tests.rs"));
    for file in files {
        let (code, name) = (code(&file), name(&file));
        for (text, places) in rules {
            let allowed = places.iter().any(|place| name.starts_with(place));
            assert!(allowed || !code.contains(text), "{name} uses {text}");
        }
    }
}

#[test]
fn verification_does_no_input_or_output() {
    let mut files = sources(&root().join("src/verify"));
    files.push(root().join("src/verify.rs"));
    for file in files {
        let code = code(&file);
        for text in ["std::fs", "std::net", "std::io", "std::time", "std::env", "std::process", "measure("] {
            assert!(!code.contains(text), "{} uses {text}", name(&file));
        }
    }
}

#[test]
fn files_stay_short_and_say_what_they_are() {
    let mut files = sources(&root().join("src"));
    files.extend(sources(&root().join("backends")));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines: split it by duty", name(&file));
        let begins = text.starts_with("//!") || text.starts_with("#![doc");
        assert!(begins, "{} does not begin by saying what it does", name(&file));
    }
}

#[test]
fn nothing_is_switched_off_or_left_for_later() {
    let mut files = sources(root());
    files.retain(|file| name(file) != "tests/architecture.rs");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for mark in ["#[ignore", "todo!(", "unimplemented!(", "FIXME", "dbg!("] {
            assert!(!text.contains(mark), "{} has {mark}", name(&file));
        }
    }
}
