//! Runs every line of `matrix.tsv`: signs with one tool, verifies with the other, and compares with the table.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::{Algorithm, HashAlgorithm, Scheme};
use serde_json::Value;

use super::openssl;
use super::rig::{self, ARTIFACT, CHANGED, Rig, SIGN, VERIFY};
use super::table::{Cell, Flags, Format, Outcome, Tool, cells};
use crate::support;

/// What is signed once and verified by several cells.
type Source = (Tool, &'static str, Format);

#[test]
fn every_cell_of_the_matrix_is_as_the_table_says() {
    let Some(rig) = Rig::new() else { return };
    let mut sources: BTreeMap<Source, Vec<Cell>> = BTreeMap::new();
    let has_ed25519ph = openssl::has_ed25519ph(&rig);
    for mut cell in cells() {
        let with_openssl = [cell.signer, cell.verifier].contains(&Tool::OpenSsl);
        if has_ed25519ph && with_openssl && cell.algorithm.scheme() == Scheme::Ed25519ph {
            cell.expected = Outcome::Verifies;
        }
        sources.entry((cell.signer, cell.algorithm.name(), cell.format)).or_default().push(cell);
    }
    let sources: Vec<_> = sources.into_values().collect();
    let total: usize = sources.iter().map(Vec::len).sum();
    let wrong: Vec<String> = rig::in_parallel(&sources, |cells| run(&rig, cells)).concat();
    assert!(
        wrong.is_empty(),
        "{} of {total} cells differ from the table:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Signs once, verifies for each cell, and returns what differs.
fn run(rig: &Rig, cells: &[Cell]) -> Vec<String> {
    let Some(first) = cells.first() else { return Vec::new() };
    let signature = sign(rig, first.signer, first.algorithm, first.format);
    cells.iter().filter_map(|cell| difference(rig, cell, &signature)).collect()
}

fn difference(rig: &Rig, cell: &Cell, signature: &Result<String, String>) -> Option<String> {
    let found = match signature {
        Ok(signature) => verify(rig, cell, signature, ARTIFACT),
        Err(said) => Outcome::NotMade(said.clone()),
    };
    let agrees = match (&cell.expected, &found) {
        (Outcome::Verifies, Outcome::Verifies) => true,
        (Outcome::Refused(words), Outcome::Refused(said))
        | (Outcome::NotMade(words), Outcome::NotMade(said)) => said.contains(words),
        (Outcome::Verifies | Outcome::Refused(_) | Outcome::NotMade(_), _) => false,
    };
    if !agrees {
        return Some(format!("{cell:?}\n    found {found:?}"));
    }
    // A verifier that accepts anything would fill the table as well.
    let accepts_all = match (&found, signature) {
        (Outcome::Verifies, Ok(signature)) => {
            matches!(verify(rig, cell, signature, CHANGED), Outcome::Verifies)
        }
        _ => false,
    };
    accepts_all.then(|| format!("{cell:?}\n    verifies a changed artifact too"))
}

/// The name of the file that holds the signature, or what the tool said.
fn sign(rig: &Rig, tool: Tool, algorithm: Algorithm, format: Format) -> Result<String, String> {
    let file = format!("{tool:?}-{algorithm}-{format:?}");
    let key = algorithm.key_type();
    let mut command = match tool {
        Tool::Ours => rig.ours(&[&SIGN[..], &["--key", &rig::plain(key)]].concat()),
        Tool::Cosign => rig.cosign(&[&SIGN[..], &["--key", &rig::sealed_by_ours(key)]].concat()),
        Tool::OpenSsl => openssl::sign(rig, algorithm, ARTIFACT, &file),
    };
    if tool != Tool::OpenSsl {
        if algorithm != key.default_algorithm() {
            command.args(["--signing-algorithm", algorithm.name()]);
        }
        command.args(match format {
            Format::Bundle => vec!["--bundle", &file],
            Format::LegacyBundle => vec!["--new-bundle-format=false", "--bundle", &file],
            Format::LegacySignature => vec!["--new-bundle-format=false", "--output-signature", &file],
            Format::RawSignature => {
                vec!["--new-bundle-format=false", "--b64=false", "--output-signature", &file]
            }
        });
        command.arg(ARTIFACT);
    }
    let output = support::run(&mut command);
    if !output.status.success() {
        return Err(rig::said(&output));
    }
    if tool == Tool::OpenSsl && format == Format::LegacySignature {
        rig.write(&file, STANDARD.encode(rig.read(&file)).as_bytes());
    }
    Ok(file)
}

fn verify(rig: &Rig, cell: &Cell, signature: &str, artifact: &str) -> Outcome {
    let key = rig::public(cell.algorithm.key_type());
    let arguments = [&VERIFY[..], &["--key", &key]].concat();
    let (mut command, proof) = match cell.verifier {
        // Ours says which hash and algorithm matched: the right ones, not just any.
        Tool::Ours => (
            rig.ours(&arguments),
            match cell.algorithm.hash() {
                Some(hash) => format!("over the {hash} digest ({})", cell.algorithm),
                None => format!("over the whole message ({})", cell.algorithm),
            },
        ),
        Tool::Cosign => (rig.cosign(&arguments), "Verified OK".to_owned()),
        Tool::OpenSsl => {
            let raw = format!("{signature}.bytes");
            rig.write(&raw, &signature_bytes(cell.format, &rig.read(signature)));
            (openssl::verify(rig, cell.algorithm, artifact, &raw), String::new())
        }
    };
    if cell.verifier != Tool::OpenSsl {
        command.args(match cell.format {
            Format::Bundle => vec!["--bundle", signature],
            Format::LegacyBundle => vec!["--new-bundle-format=false", "--bundle", signature],
            Format::LegacySignature | Format::RawSignature => {
                vec!["--new-bundle-format=false", "--signature", signature]
            }
        });
        match cell.flags {
            Flags::None => {}
            Flags::Digest => {
                let hash = cell.algorithm.hash().map_or("none", HashAlgorithm::name);
                command.args(["--signature-digest-algorithm", hash]);
            }
            Flags::Algorithm => {
                command.args(["--signing-algorithm", cell.algorithm.name()]);
            }
        }
        command.arg(artifact);
    }
    let output = support::run(&mut command);
    let said = rig::said(&output);
    if !output.status.success() {
        return Outcome::Refused(said);
    }
    assert!(said.contains(&proof), "{command:?} succeeds without saying \"{proof}\": {said}");
    Outcome::Verifies
}

fn signature_bytes(format: Format, content: &[u8]) -> Vec<u8> {
    let field = |pointer: &str| {
        let json: Value = serde_json::from_slice(content).expect("a bundle is JSON");
        let text = json.pointer(pointer).and_then(Value::as_str).expect("a bundle holds a signature");
        text.to_owned()
    };
    let base64 = match format {
        Format::Bundle => field("/messageSignature/signature"),
        Format::LegacyBundle => field("/base64Signature"),
        Format::LegacySignature => String::from_utf8_lossy(content).trim().to_owned(),
        Format::RawSignature => return content.to_vec(),
    };
    STANDARD.decode(base64).expect("signatures are in base64")
}
