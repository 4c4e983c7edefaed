//! Policy files (`--policy-file`): who may have signed, in which combination, and what must be attested. `docs/policy.md`
//! describes the language.
//!
//! [`PolicyFile`] is the file as written, [`rule`] its combinations of signers, [`decide`] holds signatures against both. Pure but
//! for reading the file: keys and trusted roots come in.

pub mod decide;
pub mod rule;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::Deserialize;

use crate::attest::predicate;
use crate::verify::{Evidence, Identity, Matcher, Window, extension_name, extension_names};
use rule::{Rule, Written};

/// The largest policy read.
pub const MAX_POLICY_BYTES: u64 = 1024 * 1024;
/// Signers in one policy: rules over more cannot be read by people either.
const MAX_SIGNERS: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    version: u32,
    trusted_root: Option<String>,
    signers: BTreeMap<String, WrittenSigner>,
    require: Option<Written>,
    #[serde(default)]
    attestations: Vec<WrittenAttestation>,
    #[serde(default)]
    evidence: WrittenEvidence,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WrittenSigner {
    key: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    identity: Option<String>,
    identity_pattern: Option<String>,
    issuer: Option<String>,
    issuer_pattern: Option<String>,
    #[serde(default)]
    extensions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WrittenAttestation {
    r#type: String,
    by: Written,
    #[serde(default)]
    policies: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WrittenEvidence {
    certificates: Option<Counts>,
    keys: Option<Counts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Counts {
    #[serde(default)]
    logs: usize,
    #[serde(default)]
    timestamps: usize,
    certificate_logs: Option<usize>,
}

/// A policy, found to be whole.
#[derive(Debug)]
pub struct PolicyFile {
    /// The trusted root that it names, relative to the file.
    pub trusted_root: Option<String>,
    /// Everybody it speaks of, by name.
    pub signers: Vec<(String, Who)>,
    /// Who must have signed.
    pub require: Option<Rule>,
    /// What must be attested.
    pub attestations: Vec<Attestation>,
    /// What must be proven of certificates' signatures: one of these.
    pub certificates: Vec<Evidence>,
    /// The same of keys' signatures.
    pub keys: Vec<Evidence>,
}

/// One signer.
#[derive(Debug)]
pub enum Who {
    /// The holder of the key at this path or URI.
    Key(String, Window),
    /// The holder of a certificate.
    Identity(Box<Identity>),
}

/// An attestation that must be there.
#[derive(Debug)]
pub struct Attestation {
    /// The URI of its predicate type.
    pub predicate_type: String,
    /// Who must have made it.
    pub by: Rule,
    /// Rego and CUE that it must satisfy, relative to the file.
    pub policies: Vec<String>,
}

/// Reads a policy file.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for what is no policy, with the place; those of reading the file.
pub fn load(path: &Path, deadline: Option<Instant>) -> Result<PolicyFile> {
    let bytes = bounded::read(path, MAX_POLICY_BYTES, deadline)
        .map_err(|cause| Error::io("read the policy", path.display(), cause))?;
    parse(&bytes).map_err(|why| {
        Error::new(ErrorKind::Unsupported, format!("cannot use the policy {}", path.display()))
            .why(why)
            .hint("docs/policy.md has the language with examples")
    })
}

/// Reads a policy: YAML, or JSON, which is YAML too.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(bytes: &[u8]) -> std::result::Result<PolicyFile, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
    let file: File = serde_saphyr::from_str(text).map_err(|cause| first_line(&cause.to_string()))?;
    if file.version != 1 {
        return Err(format!("it is of version {}, and 1 is known here", file.version));
    }
    if file.signers.is_empty() || file.signers.len() > MAX_SIGNERS {
        return Err(format!("it has {} signers, from 1 to {MAX_SIGNERS} can be", file.signers.len()));
    }
    let names: Vec<String> = file.signers.keys().cloned().collect();
    let signers = file.signers.into_iter().map(|(name, signer)| {
        let who = signer.read().map_err(|why| format!("the signer {name}: {why}"))?;
        Ok((name, who))
    });
    let signers = signers.collect::<std::result::Result<Vec<_>, String>>()?;
    let require =
        file.require.map(|rule| rule.read(&names)).transpose().map_err(|why| format!("require: {why}"))?;
    let attestations = file.attestations.into_iter().map(|one| one.read(&names));
    let attestations = attestations.collect::<std::result::Result<Vec<_>, String>>()?;
    if require.is_none() && attestations.is_empty() {
        return Err("it demands nothing: neither require nor attestations".to_owned());
    }
    let rules = require.iter().chain(attestations.iter().map(|one| &one.by));
    let used: Vec<usize> = rules.flat_map(Rule::signers).collect();
    if let Some((unused, _)) =
        names.iter().enumerate().map(|(at, name)| (name, at)).find(|(_, at)| !used.contains(at))
    {
        return Err(format!("the signer {unused} is in no rule"));
    }
    let (certificates, keys) = file.evidence.read();
    Ok(PolicyFile { trusted_root: file.trusted_root, signers, require, attestations, certificates, keys })
}

impl WrittenSigner {
    fn read(self) -> std::result::Result<Who, String> {
        let is_identity = self.identity.is_some()
            || self.identity_pattern.is_some()
            || self.issuer.is_some()
            || self.issuer_pattern.is_some()
            || !self.extensions.is_empty();
        let Some(key) = self.key else {
            if self.valid_from.is_some() || self.valid_until.is_some() {
                return Err("valid-from and valid-until go with a key: a certificate has its own".to_owned());
            }
            let name = matcher("identity", self.identity, self.identity_pattern)?;
            let issuer = matcher("issuer", self.issuer, self.issuer_pattern)?;
            let extensions = self.extensions.into_iter().map(|(name, value)| {
                let known = extension_name(&name).ok_or_else(|| {
                    format!(
                        "{name} is no extension; known are {}",
                        extension_names().collect::<Vec<_>>().join(", ")
                    )
                })?;
                Ok((known, Matcher::Exact(value)))
            });
            let extensions = extensions.collect::<std::result::Result<_, String>>()?;
            return Ok(Who::Identity(Box::new(Identity { name, issuer: Some(issuer), extensions })));
        };
        if is_identity {
            return Err("a key and an identity each say who it is: leave one".to_owned());
        }
        let time = |text: Option<String>| {
            text.map(|text| text.parse::<Timestamp>().map_err(|cause| format!("{text} is no time: {cause}")))
                .transpose()
        };
        let window = Window { start: time(self.valid_from)?, end: time(self.valid_until)? };
        match (window.start, window.end) {
            (Some(start), Some(end)) if start > end => Err("valid-from lies after valid-until".to_owned()),
            _ if key.is_empty() => Err("its key is empty".to_owned()),
            _ => Ok(Who::Key(key, window)),
        }
    }
}

impl WrittenAttestation {
    fn read(self, names: &[String]) -> std::result::Result<Attestation, String> {
        let failed = |why: String| format!("the attestation {}: {why}", self.r#type);
        let predicate_type =
            predicate::predicate_type(&self.r#type).map_err(|error| error.to_string())?.to_owned();
        let by = self.by.read(names).map_err(failed)?;
        Ok(Attestation { predicate_type, by, policies: self.policies })
    }
}

impl WrittenEvidence {
    /// By default a certificate's signature needs a log or a timestamp, since it proves nothing without a time, and its
    /// certificate must be logged; a key's needs neither.
    fn read(self) -> (Vec<Evidence>, Vec<Evidence>) {
        let of = |counts: Counts, certificate_logs| Evidence {
            logs: counts.logs,
            timestamps: counts.timestamps,
            certificate_logs: counts.certificate_logs.unwrap_or(certificate_logs),
        };
        let timed = Evidence { logs: 0, timestamps: 1, certificate_logs: 1 };
        let certificates =
            self.certificates.map_or(vec![Evidence::STANDARD, timed], |counts| vec![of(counts, 1)]);
        let keys = self.keys.map_or(vec![Evidence::NONE], |counts| vec![of(counts, 0)]);
        (certificates, keys)
    }
}

fn matcher(
    what: &str,
    exact: Option<String>,
    pattern: Option<String>,
) -> std::result::Result<Matcher, String> {
    match (exact, pattern) {
        (Some(exact), None) if exact.is_empty() => Err(format!("its {what} is empty")),
        (Some(exact), None) => Ok(Matcher::Exact(exact)),
        (None, Some(pattern)) => {
            Matcher::pattern(&pattern).map_err(|cause| format!("its {what}-pattern is none: {cause}"))
        }
        (None, None) => {
            Err(format!("it names neither a key nor both identity and issuer: {what} is missing"))
        }
        (Some(_), Some(_)) => Err(format!("{what} and {what}-pattern: leave one")),
    }
}

/// The parser draws the place below its first line.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
