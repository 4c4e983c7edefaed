//! In-toto statements (in-toto Attestation Framework 1.0, and its version 0.1): what an envelope says about which artifact.

use countersign_core::HashAlgorithm;
use countersign_core::hexadecimal::hex;
use serde_json::{Map, Value};

use super::refusal::{Check, Refusal};
use crate::artifact::Measured;
use crate::json;

/// The payload type of an envelope with a statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Subjects in a statement, and digests of one, as sigstore-go bounds them.
const MAX_SUBJECTS: usize = 1024;
const MAX_DIGESTS: usize = 32;
const TYPES: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it is about.
    pub subjects: Vec<Subject>,
    /// The type of what it says.
    pub predicate_type: String,
    /// What it says.
    pub predicate: Value,
}

/// One artifact in a statement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subject {
    /// Its name. Proves nothing.
    pub name: String,
    /// Its digests: algorithm and lower-case hex, as stated.
    pub digests: Vec<(String, String)>,
    /// What else is said of it.
    pub annotations: Map<String, Value>,
}

impl Statement {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`Check::Statement`], naming the field.
    pub fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        let bad = |found: String| Check::Statement.refuse("", found);
        let value = json::parse(payload).map_err(bad)?;
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        if !TYPES.contains(&text("_type")) {
            return Err(bad(format!(
                "its _type is \"{}\", expected one of {}",
                text("_type"),
                TYPES.join(", ")
            )));
        }
        if text("predicateType").is_empty() {
            return Err(bad("it has no predicateType".to_owned()));
        }
        let Some(subjects) = value.get("subject").and_then(Value::as_array).filter(|list| !list.is_empty())
        else {
            return Err(bad("it has no subject".to_owned()));
        };
        if subjects.len() > MAX_SUBJECTS {
            return Err(bad(format!("it has {} subjects, at most {MAX_SUBJECTS} are read", subjects.len())));
        }
        let subjects = subjects.iter().map(subject).collect::<Result<_, _>>().map_err(bad)?;
        // Any JSON: Cosign's SPDX documents in tag-value form are text.
        let predicate = value.get("predicate").cloned().unwrap_or(Value::Null);
        Ok(Self { subjects, predicate_type: text("predicateType").to_owned(), predicate })
    }

    /// The strong hashes among its digests: what to take of the artifact.
    pub fn hashes(&self) -> Vec<HashAlgorithm> {
        let stated = |hash: &HashAlgorithm| {
            self.subjects.iter().flat_map(|subject| &subject.digests).any(|(name, _)| name == hash.name())
        };
        HashAlgorithm::ALL.into_iter().filter(stated).collect()
    }

    /// Holds the artifact against the subjects. Gives the one that it is.
    ///
    /// # Errors
    /// [`Check::Subject`].
    pub fn check(&self, artifact: &Measured) -> Result<&Subject, Refusal> {
        let is_it = |subject: &&Subject| {
            let strong = subject.digests.iter().filter_map(|(name, stated)| {
                let hash = HashAlgorithm::ALL.into_iter().find(|hash| hash.name() == name)?;
                artifact.digest(hash).map(|found| hex(found.bytes()) == *stated)
            });
            let mut strong = strong.peekable();
            // Digests of one subject that contradict each other name nothing.
            strong.peek().is_some() && strong.all(|matches| matches)
        };
        let expected = || artifact.digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        self.subjects.iter().find(is_it).ok_or_else(|| {
            let first = self.subjects.first().map(describe).unwrap_or_default();
            let more = match self.subjects.len() {
                0 | 1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            Check::Subject.refuse(expected(), first + &more)
        })
    }
}

fn describe(subject: &Subject) -> String {
    let digests = subject.digests.iter().map(|(name, value)| format!("{name}:{value}"));
    let digests: Vec<_> = digests.take(3).collect();
    if digests.is_empty() { "a subject without digest".to_owned() } else { digests.join(" ") }
}

fn subject(value: &Value) -> Result<Subject, String> {
    let name = match value.get("name") {
        None => String::new(),
        Some(Value::String(name)) => name.clone(),
        Some(_) => return Err("the name of a subject is no text".to_owned()),
    };
    let Some(digests) = value.get("digest").and_then(Value::as_object) else {
        return Err("a subject has no digest".to_owned());
    };
    if digests.len() > MAX_DIGESTS {
        return Err(format!("a subject has {} digests, at most {MAX_DIGESTS} are read", digests.len()));
    }
    let digests = digests.iter().map(|(name, value)| match value {
        Value::String(value) => Ok((name.clone(), value.to_ascii_lowercase())),
        _ => Err(format!("the {name} digest of a subject is no text")),
    });
    let annotations = match value.get("annotations") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(annotations)) => annotations.clone(),
        Some(_) => return Err("the annotations of a subject are no object".to_owned()),
    };
    Ok(Subject { name, digests: digests.collect::<Result<_, _>>()?, annotations })
}
