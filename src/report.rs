//! What a command did, proved, did not prove and refused, as JSON: `--report[=FILE]`. The schema is
//! `docs/report.schema.json`; a field is added, never renamed.

use std::path::PathBuf;

use countersign_core::Error;
use countersign_core::error::Result;
use countersign_core::whole_file::{self, WriteOptions};
use countersign_core::{KeyInfo, PublicKey};
use serde::Serialize;
use serde_json::Value;

use crate::exit::{self, Failure};
use crate::output::Output;
use crate::verify::Refusal;

/// Where the report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, after everything else.
    Stdout,
    /// A file, whole or not at all.
    File(PathBuf),
}

/// The report of one run.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    schema_version: u32,
    command: String,
    tool_version: &'static str,
    outcome: &'static str,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Key>,
    items: Vec<Item>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

/// The key of the run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    uri: String,
    key_type: &'static str,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'static str>,
}

/// One artifact.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its name.
    pub artifact: String,
    /// `signed`, `attested`, `verified`, `refused`, `failed`, `skipped`, `unchanged`.
    pub outcome: &'static str,
    /// Digests, as `sha256:…`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
    /// The registry name of the algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<&'static str>,
    /// The files written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// What was proven.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proven: Vec<String>,
    /// What was not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_proven: Vec<String>,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Problem>,
    /// Of an image: what was found beside it, each with what became of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
}

/// A signature or attestation beside an image.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// Where it stands.
    pub place: String,
    /// `verified`, `refused`, `unreadable`.
    pub outcome: &'static str,
    /// The registry name of the algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<&'static str>,
    /// What was proven.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proven: Vec<String>,
    /// What was not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_proven: Vec<String>,
    /// Why it was refused or cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Problem>,
}

/// A failure or refusal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    kind: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        Self { kind: refusal.check(), message: refusal.to_string(), hint: refusal.hint(), key: None }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind().name(),
            message: error.to_string(),
            hint: error.next_step().map(str::to_owned),
            key: error.key().map(str::to_owned),
        }
    }
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        let kind = match failure {
            Failure::Error(error) => return error.into(),
            Failure::Refused { refusal, .. } => refusal.check(),
            Failure::Usage { .. } => "usage",
            Failure::Image { code: exit::NO_SIGNATURE, .. } => "no-signature",
            Failure::Image { code: exit::NO_IMAGE, .. } => "no-image",
            Failure::Image { .. } => "no-matching-signature",
            Failure::Batch { .. } => "batch",
            Failure::Interrupted { .. } => "interrupted",
        };
        Self { kind, message: failure.message(), hint: failure.hint(), key: None }
    }
}

impl Report {
    /// The report of `command`, as in `bundle inspect`.
    pub fn new(command: String) -> Self {
        Self { schema_version: 1, command, tool_version: env!("CARGO_PKG_VERSION"), ..Self::default() }
    }

    /// Names the key that signs.
    pub fn signing_key(&mut self, info: &KeyInfo) {
        self.key = Some(Key {
            uri: info.uri.clone(),
            key_type: info.public_key.key_type().name(),
            fingerprint: info.public_key.fingerprint().to_string(),
            version: info.version.clone(),
            location: Some(info.location.name()),
        });
    }

    /// Names the key that verifies; `uri` is redacted.
    pub fn verifying_key(&mut self, uri: String, key: &PublicKey) {
        let (key_type, fingerprint) = (key.key_type().name(), key.fingerprint().to_string());
        self.key = Some(Key { uri, key_type, fingerprint, version: None, location: None });
    }

    /// Adds an artifact.
    pub fn item(&mut self, item: Item) {
        self.items.push(item);
    }

    /// Adds a warning that was shown.
    pub fn warning(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// Sets the command's own data.
    pub fn data(&mut self, data: Value) {
        self.data = Some(data);
    }

    /// Finishes the report and puts it where it belongs.
    ///
    /// # Errors
    /// Those of writing it.
    pub fn write(mut self, ended: &Result<(), Failure>, to: &Destination, output: &Output) -> Result<()> {
        match ended {
            Ok(()) => self.outcome = "ok",
            Err(failure) => {
                self.outcome = match failure {
                    Failure::Refused { .. } | Failure::Image { .. } => "refused",
                    Failure::Interrupted { .. } => "interrupted",
                    Failure::Error(_) | Failure::Usage { .. } | Failure::Batch { .. } => "failed",
                };
                self.exit_code = failure.code();
                self.failure = Some(failure.into());
            }
        }
        let text = serde_json::to_string_pretty(&self)
            .map_err(|cause| Error::internal("cannot encode the report").source(cause))?;
        match to {
            Destination::Stdout => output.line(text),
            Destination::File(path) => {
                let options = WriteOptions::product(true);
                whole_file::write(path, format!("{text}\n").as_bytes(), options)
            }
        }
    }
}
