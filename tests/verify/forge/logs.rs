//! Logs of the forge. One of version 1 promises (SET) and signs its checkpoints with the same key; one of version 2 proves by
//! checkpoints alone and says no time. Whatever they are given they log: a forged log does not ask whether it is true.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::keys::Key;
use super::{TIME, YEAR, date, sha256, tree};

/// Where an entry stands in the tree of a log, among how many.
const INDEX: usize = 4;
const SIZE: usize = 7;
/// The entries of a log's earlier trees (shards), which its global index counts too.
const BEFORE: usize = 100;

/// A log.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) host: &'static str,
    pub(crate) key: Arc<Key>,
    /// Its identifier: of the key alone, in version 2 of name and key (C2SP signed-note).
    pub(crate) id: Vec<u8>,
    /// Whether it is one of version 2.
    pub(crate) tiles: bool,
}

impl Log {
    pub(crate) fn version_1(host: &'static str) -> Self {
        let key = Key::p256();
        Self { host, id: key.id(), key: Arc::new(key), tiles: false }
    }

    pub(crate) fn version_2(host: &'static str) -> Self {
        let key = Key::ed25519();
        Self { host, id: note_id(host, 1, &key), key: Arc::new(key), tiles: true }
    }

    /// How a trusted root names it.
    pub(crate) fn trusted(&self) -> Value {
        json!({
            "baseUrl": format!("https://{}", self.host),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(self.key.spki()),
                "keyDetails": self.key.details(),
                "validFor": {"start": date(TIME - YEAR)},
            },
            "logId": {"keyId": STANDARD.encode(&self.id)},
        })
    }

    /// An entry with this body, logged at the time of everything here.
    pub(crate) fn entry(&self, body: &Value) -> Value {
        self.entry_at(body, TIME)
    }

    /// The same at another time, which a log of version 2 does not say.
    pub(crate) fn entry_at(&self, body: &Value, time: i64) -> Value {
        let bytes = serde_json::to_vec(body).unwrap();
        let mut leaves: Vec<_> =
            (0..SIZE).map(|at| tree::leaf(format!("another entry {at}").as_bytes())).collect();
        leaves[INDEX] = tree::leaf(&bytes);
        let (root, hashes) = (tree::root(&leaves), tree::path(&leaves, INDEX));
        let hashes: Vec<_> = hashes.iter().map(|hash| STANDARD.encode(hash)).collect();
        let mut entry = json!({
            "logIndex": if self.tiles { INDEX } else { BEFORE + INDEX }.to_string(),
            "logId": {"keyId": STANDARD.encode(&self.id)},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "inclusionProof": {
                "logIndex": INDEX.to_string(),
                "rootHash": STANDARD.encode(root),
                "treeSize": SIZE.to_string(),
                "hashes": hashes,
                "checkpoint": {"envelope": self.checkpoint(&root)},
            },
            "canonicalizedBody": STANDARD.encode(&bytes),
        });
        if !self.tiles {
            self.promise(&mut entry, time);
        }
        entry
    }

    /// Promises the entry anew, as it stands (RFC 8785 sorts the names).
    pub(crate) fn promise(&self, entry: &mut Value, time: i64) {
        let id: String = self.id.iter().map(|byte| format!("{byte:02x}")).collect();
        let (body, index) =
            (entry["canonicalizedBody"].as_str().unwrap(), entry["logIndex"].as_str().unwrap());
        let promised =
            format!(r#"{{"body":"{body}","integratedTime":{time},"logID":"{id}","logIndex":{index}}}"#);
        let promise = STANDARD.encode(self.key.sign(promised.as_bytes()));
        entry["integratedTime"] = time.to_string().into();
        entry["inclusionPromise"] = json!({"signedEntryTimestamp": promise});
    }

    fn checkpoint(&self, root: &[u8]) -> String {
        let text = self.head(root);
        let hint = &self.id[..4];
        format!("{text}\n{}", line(self.host, hint, &self.key.sign(text.as_bytes())))
    }

    /// A checkpoint of the same tree that a witness signed, beside the log or alone; the log's name stands there either way.
    pub(crate) fn witness(&self, entry: &mut Value, witness: &Key, beside_the_log: bool) {
        let root = STANDARD.decode(entry["inclusionProof"]["rootHash"].as_str().unwrap()).unwrap();
        let text = self.head(&root);
        let cosigned = witness.sign(text.as_bytes());
        let own = if beside_the_log { self.key.sign(text.as_bytes()) } else { cosigned.clone() };
        let lines = [
            line("witness.forge.example", &note_id("witness.forge.example", 4, witness)[..4], &cosigned),
            line(self.host, &self.id[..4], &own),
        ];
        entry["inclusionProof"]["checkpoint"]["envelope"] = format!("{text}\n{}", lines.concat()).into();
    }

    fn head(&self, root: &[u8]) -> String {
        let origin = if self.tiles { self.host.to_owned() } else { format!("{} - 1", self.host) };
        format!("{origin}\n{SIZE}\n{}\n", STANDARD.encode(root))
    }
}

/// A signature line of a note.
fn line(name: &str, hint: &[u8], signature: &[u8]) -> String {
    format!("\u{2014} {name} {}\n", STANDARD.encode([hint, signature].concat()))
}

/// The identifier of a key of a note, whole.
fn note_id(name: &str, kind: u8, key: &Key) -> Vec<u8> {
    sha256(&[name.as_bytes(), &[b'\n', kind], &key.raw()].concat()).to_vec()
}
