//! The grammar: `github://OWNER/REPOSITORY` and `github://ORGANIZATION`, as Cosign's, and nothing after it.

use std::fmt;

use countersign_core::KeyUri;
use countersign_core::error::{Error, ErrorKind, Result};

/// The repository or organization that holds the three secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubUri {
    owner: String,
    /// Nothing for the secrets of an organization.
    repository: Option<String>,
}

impl GithubUri {
    /// Parses a URI of the scheme `github`.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] for names that GitHub gives to nobody: they have ASCII letters, digits, `-`, `_` and `.`, and none is
    /// `.` or `..`.
    pub fn parse(uri: &KeyUri) -> Result<Self> {
        let bad = |why: String| {
            Err(Error::new(ErrorKind::BadUri, format!("cannot read the key URI {uri}"))
                .why(why)
                .hint("write github://OWNER/REPOSITORY or github://ORGANIZATION"))
        };
        let mut names = uri.rest().split('/');
        let (Some(owner), repository, None) = (names.next(), names.next(), names.next()) else {
            return bad("it names more than an owner and a repository".to_owned());
        };
        for name in [Some(owner), repository].into_iter().flatten() {
            if matches!(name, "" | "." | "..") {
                return bad("a name is empty, \".\" or \"..\"".to_owned());
            }
            if let Some(other) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"_-.".contains(*c)) {
                return bad(format!("no name in GitHub has the character {other:?}"));
            }
        }
        Ok(Self { owner: owner.to_owned(), repository: repository.map(str::to_owned) })
    }

    pub(crate) fn is_organization(&self) -> bool {
        self.repository.is_none()
    }

    /// Where its secrets are in the interface (GitHub, "REST API endpoints for GitHub Actions Secrets").
    pub(crate) fn path(&self) -> String {
        match &self.repository {
            Some(repository) => format!("/repos/{}/{repository}/actions/secrets", self.owner),
            None => format!("/orgs/{}/actions/secrets", self.owner),
        }
    }
}

impl fmt::Display for GithubUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "github://{}", self.owner)?;
        self.repository.iter().try_for_each(|repository| write!(f, "/{repository}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<GithubUri> {
        GithubUri::parse(&KeyUri::parse(text).unwrap())
    }

    #[test]
    fn reads_repositories_and_organizations() {
        for (text, path) in [
            ("github://acme/tools", "/repos/acme/tools/actions/secrets"),
            ("github://acme/my_tools.2-x", "/repos/acme/my_tools.2-x/actions/secrets"),
            ("github://acme", "/orgs/acme/actions/secrets"),
        ] {
            let uri = parse(text).unwrap();
            assert_eq!((uri.path().as_str(), uri.to_string().as_str()), (path, text));
        }
    }

    #[test]
    fn refuses_what_names_nobody() {
        for text in [
            "github://",
            "github:///tools",
            "github://acme/",
            "github://acme/../secrets",
            "github://acme/..",
            "github://acme/tools/more",
            "github://acme/tools?x=1",
            "github://acme/to ols",
            "github://acme/to%2fols",
            "github://user@acme/tools",
        ] {
            assert!(KeyUri::parse(text).and_then(|uri| GithubUri::parse(&uri)).is_err(), "{text}");
        }
    }
}
