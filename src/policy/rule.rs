//! Combinations of signers: one, any, all, at least k of n; each part by somebody else.

use std::collections::BTreeSet;

use serde::Deserialize;

/// How deep rules nest, and how many combinations of one are tried.
const MAX_DEPTH: usize = 8;
const MAX_WAYS: usize = 4096;

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Written {
    Signer(String),
    Combined(Combined),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Combined {
    any: Option<Vec<Written>>,
    all: Option<Vec<Written>>,
    at_least: Option<usize>,
    of: Option<Vec<Written>>,
}

/// Who must have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The signer at this place of the policy's list.
    Signer(usize),
    /// So many of these, each by somebody else.
    AtLeast(usize, Vec<Rule>),
}

impl Written {
    /// Looks the names up.
    pub(super) fn read(self, names: &[String]) -> Result<Rule, String> {
        self.read_at(names, 0)
    }

    fn read_at(self, names: &[String], depth: usize) -> Result<Rule, String> {
        if depth > MAX_DEPTH {
            return Err(format!("rules nest deeper than {MAX_DEPTH}"));
        }
        let combined = match self {
            Self::Signer(name) => {
                let at = names.iter().position(|known| *known == name);
                return at.map(Rule::Signer).ok_or_else(|| format!("there is no signer {name}"));
            }
            Self::Combined(combined) => combined,
        };
        let (count, parts) = match combined {
            Combined { any: Some(parts), all: None, at_least: None, of: None } => (1, parts),
            Combined { any: None, all: Some(parts), at_least: None, of: None } => (parts.len(), parts),
            Combined { any: None, all: None, at_least: Some(count), of: Some(parts) } => (count, parts),
            _ => return Err("expected one of any, all, or at-least with of".to_owned()),
        };
        if parts.is_empty() {
            return Err(
                "a list of signers is empty: it would be satisfied by nobody, or by everybody".to_owned()
            );
        }
        if count == 0 || count > parts.len() {
            return Err(format!("at least {count} of {} can never be meant", parts.len()));
        }
        let parts =
            parts.into_iter().map(|part| part.read_at(names, depth + 1)).collect::<Result<Vec<_>, _>>()?;
        if let Some(twice) = parts.iter().enumerate().find(|(at, part)| parts[..*at].contains(part)) {
            return Err(format!("part {} of a list stands there twice", twice.0 + 1));
        }
        Ok(Rule::AtLeast(count, parts))
    }
}

impl Rule {
    /// Every signer in it.
    pub(super) fn signers(&self) -> Vec<usize> {
        match self {
            Self::Signer(at) => vec![*at],
            Self::AtLeast(_, parts) => parts.iter().flat_map(Self::signers).collect(),
        }
    }

    /// In words.
    pub fn words(&self, name: &dyn Fn(usize) -> String) -> String {
        match self {
            Self::Signer(at) => name(*at),
            Self::AtLeast(count, parts) => {
                let listed: Vec<_> = parts.iter().map(|part| part.words(name)).collect();
                let (count, total) = (*count, parts.len());
                match count {
                    1 if total == 1 => listed.join(""),
                    1 => format!("any of ({})", listed.join(", ")),
                    _ if count == total => format!("all of ({})", listed.join(", ")),
                    _ => format!("{count} of ({})", listed.join(", ")),
                }
            }
        }
    }

    /// Whether the signatures satisfy it: pairs of a signer and of who that turned out to be. Nobody counts twice.
    ///
    /// # Errors
    /// When there are too many combinations to try.
    pub fn is_satisfied(&self, signed: &[(usize, usize)]) -> Result<bool, String> {
        Ok(!self.ways(signed)?.is_empty())
    }

    /// The sets of people by whom it can be satisfied.
    fn ways(&self, signed: &[(usize, usize)]) -> Result<BTreeSet<BTreeSet<usize>>, String> {
        let (count, parts) = match self {
            Self::Signer(at) => {
                let by = signed.iter().filter(|(signer, _)| signer == at);
                return Ok(by.map(|(_, person)| BTreeSet::from([*person])).collect());
            }
            Self::AtLeast(count, parts) => (*count, parts),
        };
        // For each number of parts satisfied so far, the sets of people who did.
        let mut so_far = vec![BTreeSet::new(); count + 1];
        so_far[0].insert(BTreeSet::new());
        for part in parts {
            let ways = part.ways(signed)?;
            for satisfied in (0..count).rev() {
                let more: Vec<BTreeSet<usize>> = so_far[satisfied]
                    .iter()
                    .flat_map(|people| {
                        let others = ways.iter().filter(|way| way.is_disjoint(people));
                        others.map(|way| people.union(way).copied().collect())
                    })
                    .take(MAX_WAYS + 1)
                    .collect();
                so_far[satisfied + 1].extend(more);
                if so_far[satisfied + 1].len() > MAX_WAYS {
                    return Err(format!("a rule has more than {MAX_WAYS} combinations of signers"));
                }
            }
        }
        Ok(so_far.pop().unwrap_or_default())
    }
}
