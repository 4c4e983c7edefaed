//! The calls to GitLab: a variable of a project or group, read, written and taken away (GitLab, "Project-level CI/CD
//! variables API", "Group-level Variables API").

use std::sync::OnceLock;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{Answer, Client, Endpoint, Method, Options, Request, SecretBody};
use countersign_core::limits::MAX_KEY_FILE_BYTES;
use countersign_core::{OpenContext, Secret, Variable};
use serde::{Deserialize, Serialize};

use crate::errors::{refused, unreadable};
use crate::uri::GitlabUri;

const HOST: &str = "GITLAB_HOST";
const TOKEN: &str = "GITLAB_TOKEN";

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new(
        HOST,
        "is the GitLab server with keys in its variables",
        "a URL; without it https://gitlab.com",
    ),
    Variable::secret(
        TOKEN,
        "is the token that reads those variables",
        "a token with the scope api or read_api",
    ),
];

/// The names that Cosign gives the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Password,
    PrivateKey,
    PublicKey,
}

impl Name {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Password => "COSIGN_PASSWORD",
            Self::PrivateKey => "COSIGN_PRIVATE_KEY",
            Self::PublicKey => "COSIGN_PUBLIC_KEY",
        }
    }
}

/// What owns the variables: their paths differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Project,
    Group,
}

/// What of the owner a call is about.
#[derive(Debug, Clone, Copy)]
enum Part {
    Itself,
    Variables,
    Variable(Name),
}

/// Where and who we are.
pub(crate) struct Gitlab<'a> {
    http: Client<'a>,
    token: Secret,
    uri: GitlabUri,
    owner: OnceLock<Owner>,
}

/// A variable as GitLab sends it.
#[derive(Deserialize)]
struct Shown {
    key: String,
    /// Nothing for a hidden variable.
    value: Option<String>,
}

/// A variable as it is written: Cosign's settings, but for the mask.
#[derive(Serialize)]
struct Written<'a> {
    key: &'static str,
    value: &'a str,
    variable_type: &'static str,
    protected: bool,
    masked: bool,
    environment_scope: &'static str,
}

impl<'a> Gitlab<'a> {
    /// Reads where the server is and the token. Makes no call yet.
    pub(crate) fn new(uri: GitlabUri, context: &OpenContext<'a>) -> Result<Self> {
        let text = |name| {
            let value = context.environment.variable(name)?.into_string().ok()?;
            Some(value).filter(|value| !value.is_empty())
        };
        let Some(token) = text(TOKEN) else {
            return Err(Error::new(ErrorKind::Unauthenticated, format!("cannot open {uri}"))
                .why(format!("{TOKEN} is not set"))
                .hint(format!("set {TOKEN} to a token with the scope read_api to sign, api to make a key")));
        };
        let options = Options {
            // A key as JSON, each of its characters escaped at worst.
            max_answer_bytes: usize::try_from(MAX_KEY_FILE_BYTES * 6).unwrap_or(usize::MAX),
            ..Options::default()
        };
        let http = Client::new(endpoint(text(HOST))?, options, context)?;
        let token = Secret::new(token.into_bytes()).without_line_ending();
        Ok(Self { http, token, uri, owner: OnceLock::new() })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.http.endpoint()
    }

    /// "project" or "group", once a call has told.
    pub(crate) fn owner(&self) -> &'static str {
        match self.owner.get() {
            Some(Owner::Group) => "group",
            Some(Owner::Project) | None => "project",
        }
    }

    /// The variable's value; `None` where the owner has no such variable.
    pub(crate) fn read(&self, name: Name) -> Result<Option<Secret>> {
        let what = || format!("cannot read the variable {} of {}", name.text(), self.uri);
        let answer = match self.owner.get() {
            Some(owner) => self.send(Method::Get, *owner, Part::Variable(name), None)?,
            None => {
                let answer = self.send(Method::Get, Owner::Project, Part::Variable(name), None)?;
                if answer.is_success() {
                    // One call, and it is known.
                    let _ = self.owner.set(Owner::Project);
                    answer
                } else if answer.status == 404 {
                    match self.find_owner()? {
                        Owner::Project => answer,
                        Owner::Group => self.send(Method::Get, Owner::Group, Part::Variable(name), None)?,
                    }
                } else {
                    answer
                }
            }
        };
        if answer.status == 404 {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(refused(what(), &answer, false));
        }
        let shown: Shown = serde_json::from_slice(&answer.body).map_err(|_| unreadable(what()))?;
        if shown.key != name.text() {
            return Err(Error::new(ErrorKind::Integrity, what())
                .why(format!("GitLab answers for another variable: {}", shown.key.escape_debug())));
        }
        let Some(value) = shown.value else {
            return Err(Error::new(ErrorKind::Denied, what())
                .why("the variable is hidden: nobody can read it back")
                .hint("write it again with the visibility \"Visible\" or \"Masked\""));
        };
        Ok(Some(Secret::new(value.into_bytes())))
    }

    /// Writes the variable, new or in place of the one that is there.
    pub(crate) fn write(&self, name: Name, value: &Secret, replace: bool) -> Result<()> {
        let what = || format!("cannot write the variable {} of {}", name.text(), self.uri);
        let value = std::str::from_utf8(value.expose())
            .map_err(|_| Error::new(ErrorKind::Unsupported, what()).why("its value is not text"))?;
        let written = Written {
            key: name.text(),
            value,
            variable_type: "env_var",
            protected: false,
            masked: name == Name::Password && can_be_masked(value),
            environment_scope: "*",
        };
        let mut body = SecretBody::new(Vec::with_capacity(6 * value.len() + 256));
        serde_json::to_writer(&mut *body, &written)
            .map_err(|_| Error::internal("a variable that is no JSON"))?;
        let owner = self.known_owner()?;
        let (method, part) =
            if replace { (Method::Put, Part::Variable(name)) } else { (Method::Post, Part::Variables) };
        let answer = self.send(method, owner, part, Some(&body))?;
        if answer.is_success() { Ok(()) } else { Err(refused(what(), &answer, true)) }
    }

    /// Takes the variable away.
    pub(crate) fn remove(&self, name: Name) -> Result<()> {
        let what = format!("cannot remove the variable {} of {}", name.text(), self.uri);
        let answer = self.send(Method::Delete, self.known_owner()?, Part::Variable(name), None)?;
        if answer.is_success() { Ok(()) } else { Err(refused(what, &answer, true)) }
    }

    fn known_owner(&self) -> Result<Owner> {
        self.owner.get().copied().map_or_else(|| self.find_owner(), Ok)
    }

    /// A number may name a project and a group; as with Cosign the project goes first.
    fn find_owner(&self) -> Result<Owner> {
        for owner in [Owner::Project, Owner::Group] {
            let answer = self.send(Method::Get, owner, Part::Itself, None)?;
            if answer.is_success() {
                return Ok(*self.owner.get_or_init(|| owner));
            }
            if answer.status != 404 {
                return Err(refused(format!("cannot find {}", self.uri), &answer, false));
            }
        }
        Err(Error::new(ErrorKind::NotFound, format!("cannot find {}", self.uri))
            .why(format!("{} shows the token neither a project nor a group of that name", self.endpoint()))
            .hint(format!("look at the path, at {HOST}, and at what the token may see")))
    }

    fn send(&self, method: Method, owner: Owner, part: Part, body: Option<&SecretBody>) -> Result<Answer> {
        let owner = match owner {
            Owner::Project => "projects",
            Owner::Group => "groups",
        };
        let segment = self.uri.segment()?;
        let path = match part {
            Part::Itself => format!("/{owner}/{segment}"),
            Part::Variables => format!("/{owner}/{segment}/variables"),
            Part::Variable(name) => format!("/{owner}/{segment}/variables/{}", name.text()),
        };
        let credentials = [("private-token", &self.token)];
        let request = Request { method, path: &path, headers: &[], credentials: &credentials, body };
        self.http.send(&format!("reach {}", self.uri), &request)
    }
}

/// The address of the interface, from what the user calls the server: with or without `https://` and `/api/v4`.
fn endpoint(host: Option<String>) -> Result<Endpoint> {
    let host = host.unwrap_or_else(|| "https://gitlab.com".to_owned());
    let host = host.trim_end_matches('/').trim_end_matches("/api/v4");
    let scheme = if host.contains("://") { "" } else { "https://" };
    Endpoint::parse(&format!("{scheme}{host}/api/v4"), HOST)
}

/// What GitLab agrees to hide in logs: one line, eight characters or more, no blanks (GitLab, "Mask a CI/CD variable").
fn can_be_masked(value: &str) -> bool {
    value.chars().count() >= 8 && value.chars().all(|c| c.is_ascii_alphanumeric() || "+/=@:.~_-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_named_in_several_ways() {
        for (host, expected) in [
            (None, "https://gitlab.com/api/v4"),
            (Some("https://git.example.com/"), "https://git.example.com/api/v4"),
            (Some("git.example.com"), "https://git.example.com/api/v4"),
            (Some("https://git.example.com/api/v4/"), "https://git.example.com/api/v4"),
            (Some("http://127.0.0.1:1/base"), "http://127.0.0.1:1/base/api/v4"),
        ] {
            assert_eq!(endpoint(host.map(str::to_owned)).unwrap().to_string(), expected);
        }
        assert!(endpoint(Some("https://u:p@h".to_owned())).is_err());
    }

    #[test]
    fn what_gitlab_would_not_mask_is_not_asked_to_be() {
        assert!(can_be_masked("correct-horse"));
        for value in ["", "short", "two words", "line\nbreak here", "with$dollar"] {
            assert!(!can_be_masked(value), "{value}");
        }
    }
}
