//! `docs/verification.md` lists every check, in the words of the code.

use std::fmt::Write as _;

use countersign::verify::Check;

const BEGIN: &str = "<!-- checks: written by tests/verify/documented.rs -->\n";
const END: &str = "<!-- end of checks -->";

#[test]
fn every_check_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verification.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut table = "| check | what must hold | refused with |\n|---|---|---|\n".to_owned();
    for check in Check::ALL {
        writeln!(table, "| `{}` | {} | {} |", check.name(), check.demands().trim(), check.title()).unwrap();
    }
    let (before, rest) = page.split_once(BEGIN).expect("the page has its first mark");
    let (written, after) = rest.split_once(END).expect("the page has its last mark");
    if std::env::var_os("COUNTERSIGN_WRITE_DOCS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(written, table, "run this test with COUNTERSIGN_WRITE_DOCS=1");
    }
}

#[test]
fn checks_have_names_of_their_own() {
    let mut names: Vec<_> = Check::ALL.iter().map(|check| check.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Check::ALL.len());
}
