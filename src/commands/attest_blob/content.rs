//! What an attestation says, from the flags and files that the user gave.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use countersign_core::error::{Error, ErrorKind};
use countersign_core::{Digest, HashAlgorithm, bounded, hexadecimal};

use super::AttestBlob;
use crate::artifact::{Artifact, Measured, Wanted, measure};
use crate::attest::{self, predicate};
use crate::exit::Failure;
use crate::verify::Statement;

/// The largest predicate or statement read: SBOMs reach some tens of megabytes.
const MAX_PREDICATE_BYTES: u64 = 48 * 1024 * 1024;

impl AttestBlob {
    /// The file's name, its digests, and the statement about it.
    pub(super) fn content(
        &self,
        deadline: Option<Instant>,
    ) -> Result<(String, Vec<Digest>, Vec<u8>), Failure> {
        if let Some(path) = &self.statement {
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
        let kind = predicate::predicate_type(&self.predicate_type)?;
        let content = read(self.predicate.as_deref().unwrap_or_default(), "predicate", deadline)?;
        let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap_or_default();
        let predicate = predicate::predicate(&self.predicate_type, &content, &now.to_string())?;
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

/// A statement in a file, and what it says.
///
/// # Errors
/// Those of the file, and of what is no statement.
pub(in crate::commands) fn statement_of(
    path: &str,
    deadline: Option<Instant>,
) -> Result<(Vec<u8>, Statement), Error> {
    let bytes = read(path, "statement", deadline)?;
    let parsed = Statement::parse(&bytes).map_err(|refusal| {
        Error::new(ErrorKind::Unsupported, format!("cannot attest with {path}")).why(refusal.to_string())
    })?;
    Ok((bytes, parsed))
}

/// A predicate or statement; `-` is standard input.
///
/// # Errors
/// Those of the file; [`ErrorKind::Unsupported`] beyond what is read.
pub(in crate::commands) fn read(path: &str, what: &str, deadline: Option<Instant>) -> Result<Vec<u8>, Error> {
    let failed = |cause| Error::io(&format!("read the {what}"), path, cause);
    if path != "-" {
        return bounded::read(Path::new(path), MAX_PREDICATE_BYTES, deadline).map_err(failed);
    }
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_PREDICATE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_PREDICATE_BYTES {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("cannot read the {what} from standard input"),
        )
        .why(format!("it is larger than {MAX_PREDICATE_BYTES} bytes")));
    }
    Ok(bytes)
}
