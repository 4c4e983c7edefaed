//! Flags that say what is attested.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind};
use serde_json::Value;

use crate::attest::predicate;
use crate::exit::Failure;
use crate::verify::Statement;

/// The largest predicate or statement read: SBOMs reach some tens of megabytes.
const MAX_PREDICATE_BYTES: u64 = 48 * 1024 * 1024;

/// A predicate, or a whole statement.
#[derive(Debug, Args)]
pub(crate) struct PredicateFlags {
    /// What to say of it: a file, - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "statement")]
    pub(crate) predicate: Option<String>,

    /// A whole in-toto statement instead of a predicate
    #[arg(long, value_name = "FILE", conflicts_with = "predicate")]
    pub(crate) statement: Option<String>,

    /// The predicate's type: a short name such as slsaprovenance1, spdxjson or cyclonedx, or a URI
    #[arg(long = "type", value_name = "TYPE", default_value = "custom")]
    pub(crate) predicate_type: String,

    /// What the envelope becomes in a log of version 1
    #[arg(long, value_name = "KIND", default_value = "dsse", value_parser = ["dsse", "intoto"])]
    pub(crate) rekor_entry_type: String,
}

impl PredicateFlags {
    /// The predicate's type as a URI, and what the file says, in the form of that type.
    ///
    /// # Errors
    /// Those of the file; a usage failure for an unknown type or a file that is not of it.
    pub(crate) fn read(&self, deadline: Option<Instant>) -> Result<(&str, Value), Failure> {
        let kind = predicate::predicate_type(&self.predicate_type)?;
        let content = read(self.predicate.as_deref().unwrap_or_default(), "predicate", deadline)?;
        Ok((kind, predicate::predicate(&self.predicate_type, &content, &now())?))
    }
}

/// The time to write down, whole seconds.
pub(crate) fn now() -> String {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap_or_default().to_string()
}

/// A statement in a file, and what it says.
///
/// # Errors
/// Those of the file, and of what is no statement.
pub(crate) fn statement_of(path: &str, deadline: Option<Instant>) -> Result<(Vec<u8>, Statement), Error> {
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
pub(crate) fn read(path: &str, what: &str, deadline: Option<Instant>) -> Result<Vec<u8>, Error> {
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
