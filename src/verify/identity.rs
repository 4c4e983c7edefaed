//! Who a policy names: names, issuers and extensions, compared exactly or by pattern.

use regex::bytes::{Regex, RegexBuilder};

use super::certificate::Holder;
use super::refusal::{Check, Refusal};

/// The longest pattern, and the largest program that one may become, in bytes.
const MAX_PATTERN: usize = 4096;
const MAX_PROGRAM: usize = 1024 * 1024;

/// What a text must be.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// This, character by character.
    Exact(String),
    /// Something that the pattern matches; see [`Matcher::pattern`] and [`Matcher::search`].
    Pattern(String, Box<Regex>),
}

impl Matcher {
    /// A pattern for the whole text (syntax of RE2; classes such as `\w` are ASCII).
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn pattern(pattern: &str) -> Result<Self, String> {
        // \z and not $: nothing may follow, not even a line ending.
        Self::compile(pattern, format!(r"\A(?:{pattern})\z"))
    }

    /// A pattern that may match anywhere, as Cosign's `--certificate-identity-regexp` does.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn search(pattern: &str) -> Result<Self, String> {
        Self::compile(pattern, pattern.to_owned())
    }

    fn compile(shown: &str, pattern: String) -> Result<Self, String> {
        if shown.is_empty() {
            return Err("an empty pattern matches everybody".to_owned());
        }
        if shown.len() > MAX_PATTERN {
            return Err(format!("it is longer than {MAX_PATTERN} bytes"));
        }
        // By itself first: in a group, an unbalanced one such as `a)|(b` would pass and escape its anchors.
        build(shown)?;
        Ok(Self::Pattern(shown.to_owned(), Box::new(build(&pattern)?)))
    }

    /// Whether the text is what it must be.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(expected) => expected == text,
            Self::Pattern(_, regex) => regex.is_match(text.as_bytes()),
        }
    }

    /// In words, for refusals.
    pub fn words(&self) -> String {
        match self {
            Self::Exact(expected) => format!("\"{expected}\""),
            Self::Pattern(pattern, _) => format!("something like /{pattern}/"),
        }
    }
}

fn build(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).unicode(false).size_limit(MAX_PROGRAM).build();
    built.map_err(|cause| cause.to_string().lines().last().unwrap_or_default().to_owned())
}

/// One signer that a policy accepts.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The subject alternative name.
    pub name: Matcher,
    /// The issuer of the OIDC token; none where the certificate comes from an authority that names none.
    pub issuer: Option<Matcher>,
    /// Values that Fulcio's extensions must have.
    pub extensions: Vec<(&'static str, Matcher)>,
}

impl Identity {
    /// Holds a certificate's holder against it. Gives the name that matched.
    ///
    /// # Errors
    /// [`Check::Identity`], [`Check::Issuer`], [`Check::Extension`].
    pub fn check<'a>(&self, holder: &'a Holder) -> Result<&'a str, Refusal> {
        let mut kinds = holder.names.iter().map(|(kind, _)| kind);
        let kind = kinds.next();
        if kinds.any(|other| Some(other) != kind) {
            // A name of one kind may be chosen by somebody who could not have got the other.
            return Err(Check::Identity.refuse("names of one kind", listed(holder)));
        }
        let name = holder.names.iter().find(|(_, name)| self.name.matches(name));
        let Some((_, name)) = name else {
            return Err(Check::Identity.refuse(self.name.words(), listed(holder)));
        };
        if let Some(expected) = &self.issuer {
            let found = holder.issuer.as_deref();
            if !found.is_some_and(|issuer| expected.matches(issuer)) {
                return Err(Check::Issuer.refuse(expected.words(), shown(found)));
            }
        }
        for (extension, expected) in &self.extensions {
            let found = holder.extension(extension);
            if !found.is_some_and(|value| expected.matches(value)) {
                return Err(
                    Check::Extension.refuse(format!("{extension} {}", expected.words()), shown(found))
                );
            }
        }
        Ok(name)
    }
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("\"{value}\""))
}

fn listed(holder: &Holder) -> String {
    match holder.names.as_slice() {
        [] => "none".to_owned(),
        names => names.iter().map(|(_, name)| format!("\"{name}\"")).collect::<Vec<_>>().join(", "),
    }
}
