//! Who one is at a registry: flags, or the files that Docker's and podman's `login` write.

mod helper;
mod keep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{OpenContext, Secret, Variable, bounded};
use serde::Deserialize;
use zeroize::Zeroizing;

pub use keep::keep;

use super::Repository;
use crate::json;

/// The largest file of credentials read.
const MAX_BYTES: u64 = 1024 * 1024;

const DOCKER_DIRECTORY: &str = "DOCKER_CONFIG";
const PODMAN_FILE: &str = "REGISTRY_AUTH_FILE";
const RUNTIME_DIRECTORY: &str = "XDG_RUNTIME_DIR";

/// The variables that say where credentials are.
pub const VARIABLES: &[Variable] = &[
    Variable::new(
        DOCKER_DIRECTORY,
        "is where Docker's login keeps its config.json",
        "a directory; else ~/.docker",
    ),
    Variable::new(
        PODMAN_FILE,
        "is the file that podman's login keeps",
        "a file; else containers/auth.json in XDG_RUNTIME_DIR",
    ),
];

/// What proves who one is.
#[derive(Debug)]
pub enum Credential {
    /// A name and a password, or a token that stands for one.
    Password(String, Secret),
    /// A token that others are given for (OAuth 2, RFC 6749 6).
    Refresh(Secret),
    /// The token itself.
    Bearer(Secret),
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(deserialize_with = "json::wiped")]
    auth: Zeroizing<String>,
    username: String,
    #[serde(deserialize_with = "json::wiped")]
    password: Zeroizing<String>,
    #[serde(deserialize_with = "json::wiped")]
    identitytoken: Zeroizing<String>,
    #[serde(deserialize_with = "json::wiped")]
    registrytoken: Zeroizing<String>,
}

/// The credential for a repository, from the first place that has one; `None`: nobody has logged in there.
///
/// # Errors
/// Those of files that cannot be read, and of helpers.
pub fn find(repository: &Repository, context: &OpenContext<'_>) -> Result<Option<Credential>> {
    for path in places(context) {
        let bytes = match bounded::read(&path, MAX_BYTES, context.deadline) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => continue,
            Err(cause) => return Err(Error::io("read the credentials in", path.display(), cause)),
        };
        let damaged = |line: usize| {
            Error::new(ErrorKind::Integrity, format!("cannot read the credentials in {}", path.display()))
                .why(format!("it is no JSON as docker login writes it (line {line})"))
                .hint("log in again with countersign login or docker login")
        };
        // A list would do for the parser; its own words may quote what it could not read.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(damaged(1));
        }
        let file: File = serde_json::from_slice(&bytes).map_err(|cause| damaged(cause.line()))?;
        if let Some(credential) = file.find(repository, &path, context)? {
            return Ok(Some(credential));
        }
    }
    Ok(None)
}

/// The same, and where no file has one, what the cloud's own helper or CI's token gives: `--k8s-keychain`.
///
/// # Errors
/// As those of [`find`].
pub fn of_clouds(repository: &Repository, context: &OpenContext<'_>) -> Result<Option<Credential>> {
    if let Some(found) = find(repository, context)? {
        return Ok(Some(found));
    }
    let host = repository.host.as_str();
    if host == "ghcr.io" {
        let token = context.environment.variable("GITHUB_TOKEN").and_then(|token| token.into_string().ok());
        let token = token.filter(|token| !token.is_empty());
        return Ok(
            token.map(|token| Credential::Password("token".to_owned(), Secret::new(token.into_bytes())))
        );
    }
    let helper =
        CLOUDS.iter().find(|(ending, _)| host == ending.trim_start_matches('.') || host.ends_with(ending));
    helper.map_or(Ok(None), |(_, helper)| helper::ask(helper, host, context))
}

/// The helpers that the clouds themselves publish, by the ends of their registries' names.
const CLOUDS: &[(&str, &str)] = &[
    (".amazonaws.com", "ecr-login"),
    (".public.ecr.aws", "ecr-login"),
    (".gcr.io", "gcr"),
    (".pkg.dev", "gcr"),
    (".azurecr.io", "acr-env"),
];

/// The file that `login` writes to.
///
/// # Errors
/// [`ErrorKind::NotFound`] where there is no home directory.
pub fn docker_file(context: &OpenContext<'_>) -> Result<PathBuf> {
    docker(context).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "cannot say where credentials are kept")
            .why("neither DOCKER_CONFIG nor HOME is set")
    })
}

fn directory(name: &str, context: &OpenContext<'_>) -> Option<PathBuf> {
    context.environment.variable(name).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn docker(context: &OpenContext<'_>) -> Option<PathBuf> {
    let named = directory(DOCKER_DIRECTORY, context);
    Some(named.or_else(|| Some(directory("HOME", context)?.join(".docker")))?.join("config.json"))
}

fn places(context: &OpenContext<'_>) -> impl Iterator<Item = PathBuf> {
    let podman = directory(PODMAN_FILE, context)
        .or_else(|| Some(directory(RUNTIME_DIRECTORY, context)?.join("containers/auth.json")));
    [docker(context), podman].into_iter().flatten()
}

impl File {
    fn find(
        self,
        repository: &Repository,
        path: &Path,
        context: &OpenContext<'_>,
    ) -> Result<Option<Credential>> {
        let keys = keys(repository);
        if let Some(helper) = keys.iter().find_map(|key| self.cred_helpers.get(key)) {
            return helper::ask(helper, &repository.host, context);
        }
        if let Some((key, entry)) = keys.iter().find_map(|key| self.auths.get_key_value(key))
            && let Some(credential) = entry.read(key, path)?
        {
            return Ok(Some(credential));
        }
        match self.creds_store.as_str() {
            "" => Ok(None),
            store => helper::ask(store, keys.last().map_or(&repository.host, String::as_str), context),
        }
    }
}

impl Entry {
    fn read(&self, key: &str, path: &Path) -> Result<Option<Credential>> {
        let secret = |text: &Zeroizing<String>| Secret::new(text.as_bytes().to_vec());
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credential::Bearer(secret(&self.registrytoken))));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::Refresh(secret(&self.identitytoken))));
        }
        if !self.auth.is_empty() {
            let decoded = STANDARD.decode(self.auth.as_bytes()).map(Zeroizing::new).ok();
            let read = decoded.and_then(|bytes| {
                let at = bytes.iter().position(|byte| *byte == b':')?;
                // Docker ends passwords in zeros.
                let password = bytes[at + 1..].strip_suffix(b"\0").unwrap_or(&bytes[at + 1..]);
                Some((String::from_utf8(bytes[..at].to_vec()).ok()?, Secret::new(password.to_vec())))
            });
            let (name, password) = read.ok_or_else(|| {
                Error::new(ErrorKind::Integrity, format!("cannot use the credentials in {}", path.display()))
                    .why(format!("the auth of {key} is no base64 of name:password"))
                    .hint(format!("log in again with: countersign login {key}"))
            })?;
            return Ok(Some(Credential::Password(name, password)));
        }
        let is_there = !self.username.is_empty();
        Ok(is_there.then(|| Credential::Password(self.username.clone(), secret(&self.password))))
    }
}

/// What a repository's entry may be called, the most special first: podman knows one for each folder, Docker writes hosts in
/// several spellings.
fn keys(repository: &Repository) -> Vec<String> {
    let mut keys = Vec::new();
    let whole = repository.to_string();
    let mut at = whole.as_str();
    while let Some((folder, _)) = at.rsplit_once('/') {
        keys.push(at.to_owned());
        at = folder;
    }
    let host = at;
    let hosts: &[&str] = match host {
        "index.docker.io" => &["index.docker.io", "docker.io", "registry-1.docker.io"],
        _ => &[host],
    };
    for host in hosts {
        keys.extend([
            (*host).to_owned(),
            format!("https://{host}"),
            format!("https://{host}/v1/"),
            format!("https://{host}/v2/"),
        ]);
    }
    keys.extend(hosts.iter().map(|host| format!("http://{host}")));
    // Last the name under which helpers of stores know it.
    keys.push(if host == "index.docker.io" {
        "https://index.docker.io/v1/".to_owned()
    } else {
        host.to_owned()
    });
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, repository: &str) -> Option<(String, String)> {
        let file: File = serde_json::from_str(text).unwrap();
        let repository = Repository::parse(repository).unwrap();
        let key = keys(&repository).into_iter().find(|key| file.auths.contains_key(key))?;
        match file.auths[&key].read(&key, Path::new("f")).unwrap()? {
            Credential::Password(name, password) => {
                Some((name, String::from_utf8(password.expose().to_vec()).unwrap()))
            }
            Credential::Refresh(token) => {
                Some(("refresh".to_owned(), String::from_utf8(token.expose().to_vec()).unwrap()))
            }
            Credential::Bearer(token) => {
                Some(("bearer".to_owned(), String::from_utf8(token.expose().to_vec()).unwrap()))
            }
        }
    }

    #[test]
    fn reads_every_spelling() {
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        let basic = STANDARD.encode("me:pass:word");
        let hub = format!(r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{basic}"}}}}}}"#);
        assert_eq!(read(&hub, "ubuntu"), pair("me", "pass:word"));
        assert_eq!(read(&hub, "ghcr.io/a/b"), None);
        let podman = format!(
            r#"{{"auths":{{"r.io/a":{{"auth":"{basic}"}},"r.io":{{"username":"u","password":"p"}}}}}}"#
        );
        assert_eq!(read(&podman, "r.io/a/b"), pair("me", "pass:word"));
        assert_eq!(read(&podman, "r.io/b"), pair("u", "p"));
        assert_eq!(
            read(r#"{"auths":{"r.io":{"identitytoken":"t","auth":"x"}},"HttpHeaders":{}}"#, "r.io/b"),
            pair("refresh", "t")
        );
        assert_eq!(read(r#"{"auths":{"r.io":{"registrytoken":"t"}}}"#, "r.io/b"), pair("bearer", "t"));
        assert_eq!(read(r#"{"auths":{"r.io":{}}}"#, "r.io/b"), None);
    }

    #[test]
    fn shows_nothing_of_what_it_cannot_read() {
        let entry = Entry { auth: Zeroizing::new("sesame!".to_owned()), ..Entry::default() };
        let error = entry.read("r.io", Path::new("f")).unwrap_err();
        assert!(error.kind() == ErrorKind::Integrity && !format!("{error:?}").contains("sesame"));
    }
}
