//! Policies about what an attestation says (`--policy`): Rego is evaluated here, CUE by its own program.
//!
//! As in Cosign both are held against the whole statement, and every one given must agree.

mod cue;
mod rego;

use std::path::{Path, PathBuf};

use countersign_core::OpenContext;
use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind, Result};

use crate::verify::Refusal;

/// The largest policy read.
const MAX_POLICY_BYTES: u64 = 1024 * 1024;

/// Policies, read and found well formed.
#[derive(Debug, Default)]
pub struct Policies {
    rego: Vec<(String, String)>,
    cue: Vec<PathBuf>,
}

impl Policies {
    /// Reads the files; a name's ending says what each is.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for another ending and for Rego that is none; those of reading a file.
    pub fn read(paths: &[PathBuf], context: &OpenContext<'_>) -> Result<Self> {
        let mut policies = Self::default();
        for path in paths {
            let bytes = bounded::read(path, MAX_POLICY_BYTES, context.deadline)
                .map_err(|cause| Error::io("read the policy", path.display(), cause))?;
            let failed = |why: String| {
                Error::new(ErrorKind::Unsupported, format!("cannot use the policy {}", path.display()))
                    .why(why)
            };
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("rego") => {
                    let text = String::from_utf8(bytes);
                    let text = text.map_err(|_| failed("it is no UTF-8 text".to_owned()))?;
                    policies.rego.push((shown(path), text));
                }
                Some("cue") => policies.cue.push(path.clone()),
                _ => {
                    return Err(failed("its name ends in neither .rego nor .cue".to_owned())
                        .hint("name Rego FILE.rego and CUE FILE.cue"));
                }
            }
        }
        if !policies.rego.is_empty() {
            rego::engine(&policies.rego)?;
        }
        Ok(policies)
    }

    /// Holds a statement against every policy. Gives a sentence for each that agrees.
    ///
    /// # Errors
    /// Inside, the refusal of the first that does not; outside, why a policy could not be asked.
    pub fn check(
        &self,
        statement: &[u8],
        context: &OpenContext<'_>,
    ) -> Result<std::result::Result<Vec<String>, Refusal>> {
        let mut proven = Vec::new();
        if !self.rego.is_empty() {
            if let Err(refusal) = rego::check(&self.rego, statement, context)? {
                return Ok(Err(refusal));
            }
            proven.extend(self.rego.iter().map(|(path, _)| format!("the attestation satisfies {path}")));
        }
        if !self.cue.is_empty() {
            if let Err(refusal) = cue::check(&self.cue, statement, context)? {
                return Ok(Err(refusal));
            }
            proven.extend(self.cue.iter().map(|path| format!("the attestation satisfies {}", shown(path))));
        }
        Ok(Ok(proven))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
