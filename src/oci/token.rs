//! Tokens for a registry, from whoever it says gives them (distribution specification's token authentication, and OAuth 2 for
//! who holds a refresh token).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Secret;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{Answer, Client, Method, Request, SecretBody, encode_segment};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::credentials::Credential;
use super::{Access, Repository};
use crate::json;

/// The name under which we ask (RFC 6749 2.2).
const CLIENT: &str = "countersign";

/// What is asked of the giver.
pub(super) struct Asked<'a> {
    pub(super) service: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) credential: Option<&'a Credential>,
    pub(super) act: &'a str,
}

#[derive(Deserialize)]
struct Given {
    #[serde(deserialize_with = "json::wiped", default)]
    token: Zeroizing<String>,
    #[serde(deserialize_with = "json::wiped", default)]
    access_token: Zeroizing<String>,
}

/// The header of name and password (RFC 7617 2).
pub(super) fn basic(name: &str, password: &Secret) -> Secret {
    let pair = Zeroizing::new([name.as_bytes(), b":", password.expose()].concat());
    Secret::new(format!("Basic {}", STANDARD.encode(&*pair)).into_bytes())
}

/// What to ask for: what the registry says, and what the work needs, since some say less than they will want.
pub(super) fn scopes(repository: &Repository, access: Access, challenged: Option<String>) -> Vec<String> {
    let own = format!("repository:{}:{}", repository.path, access.actions());
    let mut scopes: Vec<String> =
        challenged.into_iter().filter(|scope| !scope.is_empty() && *scope != own).collect();
    scopes.push(own);
    scopes
}

/// Asks for a token.
pub(super) fn fetch(client: &Client<'_>, path: &str, asked: &Asked<'_>) -> Result<Secret> {
    let act = format!("get a token of {} to {}", client.endpoint(), asked.act);
    let answer = match asked.credential {
        Some(Credential::Refresh(refresh)) => post(client, path, asked, refresh, &act)?,
        Some(Credential::Password(name, password)) => {
            get(client, path, asked, Some(&basic(name, password)), &act)?
        }
        Some(Credential::Bearer(_)) | None => get(client, path, asked, None, &act)?,
    };
    if !answer.is_success() {
        return Err(refused(&answer, asked, &act));
    }
    let damaged =
        || Error::new(ErrorKind::Integrity, format!("cannot {act}")).why("its answer holds no token");
    let given: Given = serde_json::from_slice(&answer.body).map_err(|_| damaged())?;
    let token = if given.token.is_empty() { given.access_token } else { given.token };
    if token.is_empty() { Err(damaged()) } else { Ok(Secret::new(token.as_bytes().to_vec())) }
}

fn get(
    client: &Client<'_>,
    path: &str,
    asked: &Asked<'_>,
    header: Option<&Secret>,
    act: &str,
) -> Result<Answer> {
    let mut query = Vec::new();
    for (name, value) in asked
        .service
        .iter()
        .map(|service| ("service", service))
        .chain(asked.scopes.iter().map(|scope| ("scope", scope)))
    {
        query.push(format!("{name}={}", encode_segment(value)?));
    }
    let join = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{join}{}", query.join("&"));
    let credentials: Vec<_> = header.into_iter().map(|header| ("authorization", header)).collect();
    client.send(
        act,
        &Request { method: Method::Get, path: &path, headers: &[], credentials: &credentials, body: None },
    )
}

fn post(client: &Client<'_>, path: &str, asked: &Asked<'_>, refresh: &Secret, act: &str) -> Result<Answer> {
    let mut form = Zeroizing::new(format!("grant_type=refresh_token&client_id={CLIENT}").into_bytes());
    let scope = asked.scopes.join(" ");
    let service = asked.service.as_deref().unwrap_or_default();
    for (name, value) in
        [("service", service.as_bytes()), ("scope", scope.as_bytes()), ("refresh_token", refresh.expose())]
    {
        form.extend_from_slice(format!("&{name}=").as_bytes());
        for byte in value {
            form.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    let body: SecretBody = form;
    let headers = &[("content-type", "application/x-www-form-urlencoded")];
    client.send(act, &Request { method: Method::Post, path, headers, credentials: &[], body: Some(&body) })
}

fn refused(answer: &Answer, asked: &Asked<'_>, act: &str) -> Error {
    let error = |kind| {
        Error::new(kind, format!("cannot {act}")).why(format!("it answers with status {}", answer.status))
    };
    match answer.status {
        400 | 401 | 403 if asked.credential.is_none() => error(ErrorKind::Unauthenticated)
            .hint("log in with countersign login or docker login, or pass --registry-username and --registry-password"),
        400 | 401 | 403 => error(ErrorKind::Unauthenticated).hint("the credentials are not taken: log in again"),
        429 => error(ErrorKind::Throttled { after: answer.retry_after }).hint("wait a moment and try again"),
        500.. => error(ErrorKind::Unavailable).hint("try again later"),
        _ => error(ErrorKind::Unsupported),
    }
}

/// Whether two hosts are of one site: the same, or names under one registered name. Where that ends cannot be told from a name
/// alone; two labels is what a list of public suffixes says of nearly all registries, and under the few suffixes of two
/// labels, such as `co.uk`, three.
pub(super) fn is_one_site(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let is_address = |host: &str| host.parse::<std::net::IpAddr>().is_ok();
    let site = |host: &str| {
        let labels: Vec<_> = host.trim_end_matches('.').rsplit('.').map(str::to_ascii_lowercase).collect();
        let is_short = |at: usize| labels.get(at).is_some_and(|label| label.len() <= 3);
        let count = if is_short(0) && is_short(1) && labels.first().is_some_and(|last| last.len() == 2) {
            3
        } else {
            2
        };
        (labels.len() >= count).then(|| labels[..count].to_vec())
    };
    !is_address(one) && !is_address(other) && site(one).is_some_and(|own| site(other) == Some(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_ends_where_somebody_else_s_begins() {
        for (one, other, same) in [
            ("index.docker.io", "auth.docker.io", true),
            ("registry.gitlab.com", "gitlab.com", true),
            ("r.example.com", "r.example.com", true),
            ("r.example.com", "example.com.evil.org", false),
            ("r.example.com", "evilexample.com", false),
            ("a.co.uk", "b.co.uk", false),
            ("r.a.co.uk", "auth.a.co.uk", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "localhost", false),
            ("localhost", "localhost", true),
            ("registry", "auth", false),
        ] {
            assert_eq!(is_one_site(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn asks_for_what_the_registry_names_and_for_what_the_work_needs() {
        let repository = Repository::parse("r.io/a/b").unwrap();
        let asked =
            |challenged: Option<&str>| scopes(&repository, Access::Push, challenged.map(str::to_owned));
        assert_eq!(asked(None), ["repository:a/b:pull,push"]);
        assert_eq!(asked(Some("repository:a/b:pull,push")), ["repository:a/b:pull,push"]);
        assert_eq!(asked(Some("repository:a/b:pull")), ["repository:a/b:pull", "repository:a/b:pull,push"]);
    }
}
