//! The calls to GitHub: secrets of Actions, whose names can be read and whose values can only be written, sealed for GitHub
//! (GitHub, "REST API endpoints for GitHub Actions Secrets", version 2022-11-28; "Encrypting secrets for the REST API").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{Answer, Client, Endpoint, Method, Options, Request, SecretBody};
use countersign_core::{OpenContext, Secret, Variable};
use serde::{Deserialize, Serialize};

use crate::errors::{refused, unreadable};
use crate::sealed::seal;
use crate::uri::GithubUri;

const HOST: &str = "GITHUB_HOST";
const TOKEN: &str = "GITHUB_TOKEN";

/// The largest answer taken, in bytes: a key and its name.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new(
        HOST,
        "is the GitHub server with keys in its secrets",
        "a URL; without it https://api.github.com",
    ),
    Variable::secret(TOKEN, "is the token that writes those secrets", "a token that may write secrets"),
];

/// The names that Cosign gives the secrets.
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

/// Where and who we are.
pub(crate) struct Github<'a> {
    http: Client<'a>,
    /// With its scheme, as the header has it.
    authorization: Secret,
    uri: GithubUri,
}

/// Whom secrets are sealed for: an X25519 key of the repository or organization.
#[derive(Deserialize)]
struct Shown {
    key_id: String,
    key: String,
}

pub(crate) struct Sealer {
    key_id: String,
    key: crypto_box::PublicKey,
}

/// A secret as it is written.
#[derive(Serialize)]
struct Written<'a> {
    encrypted_value: String,
    key_id: &'a str,
    /// Organizations demand it; Cosign v3.1.3 leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility: Option<&'static str>,
}

impl<'a> Github<'a> {
    /// Reads where the server is and the token. Makes no call yet.
    pub(crate) fn new(uri: GithubUri, context: &OpenContext<'a>) -> Result<Self> {
        let text = |name| {
            let value = context.environment.variable(name)?.into_string().ok()?;
            Some(value).filter(|value| !value.is_empty())
        };
        let Some(token) = text(TOKEN) else {
            return Err(Error::new(ErrorKind::Unauthenticated, format!("cannot open {uri}"))
                .why(format!("{TOKEN} is not set"))
                .hint(format!("set {TOKEN} to a token that may write the secrets of Actions there")));
        };
        let options = Options { max_answer_bytes: MAX_ANSWER_BYTES, ..Options::default() };
        let http = Client::new(endpoint(text(HOST))?, options, context)?;
        let authorization = Secret::new(format!("Bearer {}", token.trim_end()).into_bytes());
        Ok(Self { http, authorization, uri })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.http.endpoint()
    }

    pub(crate) fn uri(&self) -> &GithubUri {
        &self.uri
    }

    /// Whether there is such a secret. 404 means none, and also that the token sees no secrets: [`Self::sealer`] tells these apart.
    pub(crate) fn has(&self, name: Name) -> Result<bool> {
        let answer = self.send(Method::Get, name.text(), None)?;
        match answer.status {
            404 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(refused(format!("cannot look for the secret {} of {}", name.text(), self.uri), &answer)),
        }
    }

    /// Asks for the key that secrets are sealed for.
    pub(crate) fn sealer(&self) -> Result<Sealer> {
        let what = || format!("cannot read the key that secrets of {} are encrypted with", self.uri);
        let answer = self.send(Method::Get, "public-key", None)?;
        if !answer.is_success() {
            return Err(refused(what(), &answer));
        }
        let shown: Shown = serde_json::from_slice(&answer.body).map_err(|_| unreadable(what()))?;
        let key = STANDARD.decode(&shown.key).ok().and_then(|key| <[u8; 32]>::try_from(key).ok());
        let key = key.ok_or_else(|| unreadable(what()))?;
        Ok(Sealer { key_id: shown.key_id, key: key.into() })
    }

    /// Writes the secret, new or in place of the one that is there. Only the sealed value leaves this machine.
    pub(crate) fn write(&self, sealer: &Sealer, name: Name, value: &Secret) -> Result<()> {
        let what = || format!("cannot write the secret {} of {}", name.text(), self.uri);
        let sealed = seal(&sealer.key, value.expose())?;
        let written = Written {
            encrypted_value: STANDARD.encode(sealed),
            key_id: &sealer.key_id,
            // As GitHub's own tool: public repositories are left out until someone says otherwise.
            visibility: self.uri.is_organization().then_some("private"),
        };
        let body = serde_json::to_vec(&written).map_err(|_| Error::internal("a secret that is no JSON"))?;
        let answer = self.send(Method::Put, name.text(), Some(&SecretBody::new(body)))?;
        if answer.is_success() { Ok(()) } else { Err(refused(what(), &answer)) }
    }

    /// Takes the secret away.
    pub(crate) fn remove(&self, name: Name) -> Result<()> {
        let answer = self.send(Method::Delete, name.text(), None)?;
        let what = || format!("cannot remove the secret {} of {}", name.text(), self.uri);
        if answer.is_success() || answer.status == 404 { Ok(()) } else { Err(refused(what(), &answer)) }
    }

    fn send(&self, method: Method, part: &str, body: Option<&SecretBody>) -> Result<Answer> {
        let path = format!("{}/{part}", self.uri.path());
        let headers = [("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];
        let credentials = [("authorization", &self.authorization)];
        let request = Request { method, path: &path, headers: &headers, credentials: &credentials, body };
        self.http.send(&format!("reach {}", self.uri), &request)
    }
}

/// The address of the interface, from what the user calls the server: with or without `https://` and `/api/v3`.
fn endpoint(host: Option<String>) -> Result<Endpoint> {
    const PUBLIC: &str = "https://api.github.com";
    let host = host.unwrap_or_else(|| PUBLIC.to_owned());
    let host = host.trim_end_matches('/').trim_end_matches("/api/v3");
    let scheme = if host.contains("://") { "" } else { "https://" };
    match format!("{scheme}{host}").as_str() {
        PUBLIC | "https://github.com" => Endpoint::parse(PUBLIC, HOST),
        server => Endpoint::parse(&format!("{server}/api/v3"), HOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_named_in_several_ways() {
        for (host, expected) in [
            (None, "https://api.github.com"),
            (Some("https://api.github.com/"), "https://api.github.com"),
            (Some("github.com"), "https://api.github.com"),
            (Some("git.example.com"), "https://git.example.com/api/v3"),
            (Some("https://git.example.com/api/v3/"), "https://git.example.com/api/v3"),
            (Some("http://127.0.0.1:1/base"), "http://127.0.0.1:1/base/api/v3"),
        ] {
            assert_eq!(endpoint(host.map(str::to_owned)).unwrap().to_string(), expected);
        }
        assert!(endpoint(Some("https://u:p@h".to_owned())).is_err());
    }
}
