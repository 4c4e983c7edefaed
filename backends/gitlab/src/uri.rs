//! The grammar: `gitlab://ID` and `gitlab://GROUP[/SUBGROUP…][/PROJECT]`, as Cosign's, and nothing after it.

use std::fmt;

use countersign_core::KeyUri;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::encode_segment;

/// The project or group that holds the three variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitlabUri {
    /// A number, or a path without slashes at its ends.
    owner: String,
}

impl GitlabUri {
    /// Parses a URI of the scheme `gitlab`.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] for a path that GitLab gives to nobody: its names have letters, digits, `_`, `-` and `.`
    /// (GitLab, "Reserved project and group names").
    pub fn parse(uri: &KeyUri) -> Result<Self> {
        let bad = |why: String| {
            Err(Error::new(ErrorKind::BadUri, format!("cannot read the key URI {uri}"))
                .why(why)
                .hint("write gitlab://GROUP/PROJECT, gitlab://GROUP or gitlab://ID"))
        };
        let owner = uri.rest();
        if owner.is_empty() {
            return bad("it names no project".to_owned());
        }
        for name in owner.split('/') {
            if matches!(name, "" | "." | "..") {
                return bad("a part of the path is empty, \".\" or \"..\"".to_owned());
            }
            if let Some(other) = name.chars().find(|c| !c.is_alphanumeric() && !"_-.".contains(*c)) {
                return bad(format!("no path in GitLab has the character {other:?}"));
            }
        }
        Ok(Self { owner: owner.to_owned() })
    }

    /// How its interface names the owner: the path percent-encoded as one segment, or the number.
    pub(crate) fn segment(&self) -> Result<String> {
        encode_segment(&self.owner)
    }
}

impl fmt::Display for GitlabUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gitlab://{}", self.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<GitlabUri> {
        GitlabUri::parse(&KeyUri::parse(text).unwrap())
    }

    #[test]
    fn reads_numbers_and_paths() {
        for (text, segment) in [
            ("gitlab://43786055", "43786055"),
            ("gitlab://owner/project", "owner%2Fproject"),
            ("gitlab://group", "group"),
            ("gitlab://group/sub.group/my_project-1", "group%2Fsub.group%2Fmy_project-1"),
        ] {
            let uri = parse(text).unwrap();
            assert_eq!((uri.segment().unwrap().as_str(), uri.to_string().as_str()), (segment, text));
        }
    }

    #[test]
    fn refuses_what_is_no_path() {
        for text in [
            "gitlab://",
            "gitlab:///x",
            "gitlab://x/",
            "gitlab://a//b",
            "gitlab://a/../b",
            "gitlab://.",
            "gitlab://a%2Fb",
            "gitlab://a?b=c",
            "gitlab://a#b",
            "gitlab://a b",
            "gitlab://u:p@h/x",
        ] {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::BadUri, "{text}");
        }
    }
}
