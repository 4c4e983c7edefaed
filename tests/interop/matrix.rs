//! Runs every line of `matrix.tsv`: signs with one tool, verifies with the other, and compares with the table.

use std::collections::BTreeMap;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::{Algorithm, HashAlgorithm, KeyType, Scheme};
use serde_json::Value;

use super::openssl;
use super::rig::{self, ARTIFACT, CHANGED, Rig, SIGN, VERIFY};
use super::table::{Cell, Flags, Format, Outcome, Tool, cells};
use crate::support;
use crate::support::tokens::{PIN, Rig as _, SoftHsm, TOKEN};

/// What is signed once and verified by several cells.
type Source = (Tool, &'static str, Format);

#[test]
fn every_cell_of_the_matrix_is_as_the_table_says() {
    let Some(rig) = Rig::new() else { return };
    let mut sources: BTreeMap<Source, Vec<Cell>> = BTreeMap::new();
    let has_ed25519ph = openssl::has_ed25519ph(&rig);
    // Without SoftHSM, which was said aloud, the cells of files are run all the same.
    let has_token = SoftHsm::new().map(|token| rig.write_public_keys(&token)).is_some();
    for mut cell in cells() {
        if !has_token && (cell.signer.is_on_token() || cell.verifier.is_on_token()) {
            continue;
        }
        let with_openssl = [cell.signer, cell.verifier].contains(&Tool::OpenSsl);
        // A token's key is not made by OpenSSL, whatever OpenSSL can do.
        let with_openssl = with_openssl && !cell.signer.is_on_token();
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
    // SoftHSM serves one process at a time: each thread has a token of its own, with the same keys.
    let on_token = |cell: &Cell| cell.signer.is_on_token() || cell.verifier.is_on_token();
    let token = cells.iter().any(on_token).then(SoftHsm::new).flatten();
    let place = Place { rig, token };
    let signature = place.sign(first.signer, first.algorithm, first.format);
    cells.iter().filter_map(|cell| place.difference(cell, &signature)).collect()
}

/// Where a source is signed and its cells verified.
struct Place<'a> {
    rig: &'a Rig,
    token: Option<SoftHsm>,
}

impl Place<'_> {
    fn difference(&self, cell: &Cell, signature: &Result<String, String>) -> Option<String> {
        let found = match signature {
            Ok(signature) => self.verify(cell, signature, ARTIFACT),
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
                matches!(self.verify(cell, signature, CHANGED), Outcome::Verifies)
            }
            _ => false,
        };
        accepts_all.then(|| format!("{cell:?}\n    verifies a changed artifact too"))
    }

    /// The name of the file that holds the signature, or what the tool said.
    fn sign(&self, tool: Tool, algorithm: Algorithm, format: Format) -> Result<String, String> {
        let file = format!("{tool:?}-{algorithm}-{format:?}");
        let key = algorithm.key_type();
        let mut command = match tool {
            Tool::Ours => self.ours(&SIGN, &rig::plain(key)),
            Tool::OursToken => self.ours(&SIGN, &self.uri(key)),
            Tool::Cosign => self.cosign(&SIGN, &rig::sealed_by_ours(key)),
            Tool::CosignToken => self.cosign(&SIGN, &self.uri(key)),
            Tool::OpenSsl => openssl::sign(self.rig, algorithm, ARTIFACT, &file),
        };
        if tool != Tool::OpenSsl {
            if algorithm != tool.default_algorithm(key) {
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
            self.rig.write(&file, STANDARD.encode(self.rig.read(&file)).as_bytes());
        }
        Ok(file)
    }

    fn verify(&self, cell: &Cell, signature: &str, artifact: &str) -> Outcome {
        let key = match (cell.verifier.is_on_token(), cell.signer.is_on_token()) {
            (true, _) => self.uri(cell.algorithm.key_type()),
            (false, true) => rig::public_of_token(cell.algorithm.key_type()),
            (false, false) => rig::public(cell.algorithm.key_type()),
        };
        let (mut command, proof) = match cell.verifier {
            // Ours says which hash and algorithm matched: the right ones, not just any.
            Tool::Ours | Tool::OursToken => (
                self.ours(&VERIFY, &key),
                match cell.algorithm.hash() {
                    Some(hash) => format!("over the {hash} digest ({})", cell.algorithm),
                    None => format!("over the whole message ({})", cell.algorithm),
                },
            ),
            Tool::Cosign | Tool::CosignToken => (self.cosign(&VERIFY, &key), "Verified OK".to_owned()),
            Tool::OpenSsl => {
                let raw = format!("{signature}.bytes");
                self.rig.write(&raw, &signature_bytes(cell.format, &self.rig.read(signature)));
                (openssl::verify(self.rig, cell.algorithm, &key, artifact, &raw), String::new())
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

    fn ours(&self, arguments: &[&str], key: &str) -> Command {
        self.with_token(self.rig.ours(&[arguments, &["--key", key]].concat()))
    }

    fn cosign(&self, arguments: &[&str], key: &str) -> Command {
        self.with_token(self.rig.cosign(&[arguments, &["--key", key]].concat()))
    }

    fn with_token(&self, mut command: Command) -> Command {
        command.envs(self.token.iter().flat_map(SoftHsm::environment));
        command
    }

    /// The key on the token, in the words that both tools take.
    fn uri(&self, key: KeyType) -> String {
        let token = self.token.as_ref().expect("cells of a token have one");
        let (label, module) = (rig::label(key), token.module().display());
        format!("pkcs11:token={TOKEN};object={label}?module-path={module}&pin-value={PIN}")
    }
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
