//! Runs `matrix.tsv`: who verifies whose signatures with keys in services, each verifier with the URI and with the saved public key.

use std::collections::BTreeSet;

use super::world::World;
use crate::support::{self, stderr};

const TABLE: &str = include_str!("matrix.tsv");
const HEADER: &str = "scheme\tkey\tsigner\tverifier\twith\texpected\tsays\twhy";
const TOOLS: [&str; 2] = ["ours", "cosign"];

/// A service with the keys of the table.
pub(super) struct Service {
    pub(super) scheme: &'static str,
    pub(super) world: World,
    pub(super) keys: &'static [&'static str],
    /// The URI of a key by its name in the table.
    pub(super) uri: fn(&str) -> String,
    /// What Cosign needs in its environment beyond the world's, to find the service.
    pub(super) cosign: Vec<(String, String)>,
}

struct Cell<'t> {
    key: &'t str,
    signer: &'t str,
    verifier: &'t str,
    with: &'t str,
    expected: &'t str,
    says: &'t str,
}

/// Every cell of one scheme; the table must decide each once, and nothing else.
pub(super) fn run(mut service: Service) {
    if support::cosign().is_none() {
        return;
    }
    service.world.set("HOME", service.world.path("").to_str().unwrap());
    let mut undecided: BTreeSet<_> = service
        .keys
        .iter()
        .flat_map(|key| TOOLS.map(|signer| (*key, signer)))
        .flat_map(|(key, signer)| TOOLS.map(|verifier| (key, signer, verifier)))
        .flat_map(|(key, signer, verifier)| ["uri", "pem"].map(|with| (key, signer, verifier, with)))
        .collect();
    let mut wrong = Vec::new();
    for cell in cells(service.scheme) {
        let place = (cell.key, cell.signer, cell.verifier, cell.with);
        assert!(undecided.remove(&place), "{}: {place:?} stands twice, or is no cell", service.scheme);
        if let Err(found) = service.settle(&cell) {
            wrong.push(format!("{place:?} is {}, but: {found}", cell.expected));
        }
    }
    assert!(undecided.is_empty(), "{}: no row for {undecided:?}", service.scheme);
    assert!(wrong.is_empty(), "{}:\n{}", service.scheme, wrong.join("\n"));
}

fn cells(scheme: &str) -> Vec<Cell<'static>> {
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some(HEADER));
    let cells = lines.map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        let [of, key, signer, verifier, with, expected, says, _why] = fields[..] else {
            panic!("a line has other columns: {line}");
        };
        assert_eq!(expected == "verifies", says == "-", "{line}");
        (of, Cell { key, signer, verifier, with, expected, says })
    });
    cells.filter(|(of, _)| *of == scheme).map(|(_, cell)| cell).collect()
}

impl Service {
    fn settle(&self, cell: &Cell<'_>) -> Result<(), String> {
        let uri = (self.uri)(cell.key);
        let public = format!("{}.pub", cell.key);
        if !self.world.path(&public).exists() {
            self.world.ok(&["public-key", "--key", &uri, "--outfile", &public]);
        }
        let bundle = format!("{}-{}.json", cell.signer, cell.key);
        if !self.world.path(&bundle).exists() {
            let flags = ["sign-blob", "--yes", "--tlog-upload=false", "--use-signing-config=false"];
            let said =
                self.call(cell.signer, &[&flags[..], &["--key", &uri, "--bundle", &bundle, "blob"]].concat());
            if let Err(said) = said {
                return decided(cell, "not-made", &said);
            }
        }
        let key = if cell.with == "uri" { &uri } else { &public };
        let verify = |artifact| {
            let flags =
                ["verify-blob", "--insecure-ignore-tlog", "--key", key, "--bundle", &bundle, artifact];
            self.call(cell.verifier, &flags)
        };
        match verify("blob") {
            Err(said) => decided(cell, "refused", &said),
            Ok(()) if verify("changed").is_ok() => Err("another artifact verifies too".to_owned()),
            Ok(()) => decided(cell, "verifies", "-"),
        }
    }

    fn call(&self, tool: &str, arguments: &[&str]) -> Result<(), String> {
        let program = if tool == "ours" { support::countersign() } else { support::cosign().unwrap() };
        let mut command = self.world.prepare(program, arguments);
        if tool == "cosign" {
            command.envs(self.cosign.iter().cloned());
        }
        let output = support::run(&mut command);
        if output.status.success() { Ok(()) } else { Err(stderr(&output)) }
    }
}

fn decided(cell: &Cell<'_>, found: &str, said: &str) -> Result<(), String> {
    let good = match (cell.expected, found) {
        ("either", "verifies") => true,
        ("either", "refused") => said.contains(cell.says),
        (expected, found) => expected == found && said.contains(cell.says),
    };
    if good { Ok(()) } else { Err(format!("{found}: {said}")) }
}
