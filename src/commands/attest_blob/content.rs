//! What an attestation says, from the flags and files that the user gave.

use std::time::Instant;

use countersign_core::error::{Error, ErrorKind};
use countersign_core::{Digest, HashAlgorithm, hexadecimal};

use super::AttestBlob;
use crate::artifact::{Artifact, Measured, Wanted, measure};
use crate::attest;
use crate::commands::flags::predicate::statement_of;
use crate::exit::Failure;

impl AttestBlob {
    /// The file's name, its digests, and the statement about it.
    pub(super) fn content(
        &self,
        deadline: Option<Instant>,
    ) -> Result<(String, Vec<Digest>, Vec<u8>), Failure> {
        if let Some(path) = &self.what.statement {
            let (statement, parsed) = statement_of(path, deadline)?;
            // What is named as well must be what the statement is about.
            let wanted = Wanted { hashes: parsed.hashes(), message: false };
            let Some((name, measured)) = self.measured(&wanted, deadline)? else {
                return Ok((path.clone(), Vec::new(), statement));
            };
            parsed.check(&measured).map_err(|refusal| {
                Error::new(ErrorKind::Unsupported, format!("cannot attest {name} with {path}"))
                    .why(refusal.to_string())
            })?;
            return Ok((name, measured.digests, statement));
        }
        let (kind, predicate) = self.what.read(deadline)?;
        let wanted = Wanted { hashes: vec![HashAlgorithm::Sha256], message: false };
        let Some((name, measured)) = self.measured(&wanted, deadline)? else {
            return Err(Failure::usage("name the file to attest, or its --hash"));
        };
        let statement = attest::statement(attest::Version::Old, &name, &measured.digests, kind, &predicate);
        Ok((name, measured.digests, statement))
    }

    /// The file by itself or by its hash; both must agree.
    fn measured(
        &self,
        wanted: &Wanted,
        deadline: Option<Instant>,
    ) -> Result<Option<(String, Measured)>, Failure> {
        let stated = self.hash.as_deref().map(parse_hash).transpose()?;
        let Some(file) = &self.file else {
            let measured = |digest: Digest| (digest.hex(), Measured { digests: vec![digest], message: None });
            return Ok(stated.map(measured));
        };
        let artifact = Artifact::parse(file);
        let mut wanted = wanted.clone();
        if stated.is_some() && !wanted.hashes.contains(&HashAlgorithm::Sha256) {
            wanted.hashes.push(HashAlgorithm::Sha256);
        }
        let measured = measure(&artifact, &wanted, deadline, &|_| {})?;
        if let Some(stated) = stated
            && measured.digest(HashAlgorithm::Sha256) != Some(&stated)
        {
            return Err(Failure::usage_with_hint(
                format!("--hash is not the SHA-256 of {file}"),
                "leave --hash out: it stands for a file that is elsewhere",
            ));
        }
        Ok(Some((subject_name(&artifact), measured)))
    }
}

/// Cosign names the subject by the path as it was given.
fn subject_name(artifact: &Artifact) -> String {
    match artifact {
        Artifact::Stdin => "-".to_owned(),
        other => other.name(),
    }
}

fn parse_hash(text: &str) -> Result<Digest, Failure> {
    let bytes = hexadecimal::from_hex(text.strip_prefix("sha256:").unwrap_or(text));
    let digest = bytes.and_then(|bytes| Digest::from_bytes(HashAlgorithm::Sha256, &bytes).ok());
    digest.ok_or_else(|| Failure::usage("--hash is no SHA-256: expected 64 hexadecimal digits"))
}
