//! A kubeconfig as it is written: the parts that lead to a cluster. Nothing of it is shown but names.

use std::path::{Path, PathBuf};

use countersign_core::error::{Error, ErrorKind, Result};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct File {
    current_context: Option<String>,
    clusters: Vec<NamedCluster>,
    contexts: Vec<NamedContext>,
    users: Vec<NamedUser>,
    /// Where it lies: paths in it begin there.
    #[serde(skip)]
    directory: PathBuf,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    #[serde(default)]
    user: Option<User>,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    #[serde(default)]
    user: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Cluster {
    pub(crate) server: String,
    pub(crate) certificate_authority: Option<String>,
    pub(crate) certificate_authority_data: Option<String>,
    #[serde(default)]
    pub(crate) insecure_skip_tls_verify: bool,
    pub(crate) tls_server_name: Option<String>,
    pub(crate) proxy_url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct User {
    pub(crate) token: Option<String>,
    #[serde(rename = "tokenFile")]
    pub(crate) token_file: Option<String>,
    pub(crate) client_certificate: Option<String>,
    pub(crate) client_certificate_data: Option<String>,
    pub(crate) client_key: Option<String>,
    pub(crate) client_key_data: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) exec: Option<serde_json::Value>,
    pub(crate) auth_provider: Option<serde_json::Value>,
}

impl File {
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        // The parser's words quote lines, and lines hold tokens.
        let bad = || {
            Error::new(ErrorKind::Integrity, format!("cannot read the kubeconfig {}", path.display()))
                .why("it is not the YAML of a kubeconfig")
                .hint("see what kubectl config view says of it")
        };
        let text = std::str::from_utf8(bytes).map_err(|_| bad())?;
        let mut file: Self = serde_saphyr::from_str(text).map_err(|_| bad())?;
        file.directory = path.parent().map(Path::to_owned).unwrap_or_default();
        file.make_absolute();
        Ok(file)
    }

    /// Paths mean what they mean in their own file, also after two files became one.
    fn make_absolute(&mut self) {
        let directory = self.directory.clone();
        let absolute = |path: &mut Option<String>| {
            if let Some(path) = path {
                *path = directory.join(&*path).to_string_lossy().into_owned();
            }
        };
        for named in &mut self.clusters {
            absolute(&mut named.cluster.certificate_authority);
        }
        for user in self.users.iter_mut().filter_map(|named| named.user.as_mut()) {
            absolute(&mut user.token_file);
            absolute(&mut user.client_certificate);
            absolute(&mut user.client_key);
        }
    }

    /// As in kubectl: of two entries with one name the first file's counts.
    pub(crate) fn or(mut self, later: Self) -> Self {
        self.current_context = self.current_context.filter(|name| !name.is_empty()).or(later.current_context);
        self.clusters.extend(later.clusters);
        self.contexts.extend(later.contexts);
        self.users.extend(later.users);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clusters.is_empty() && self.contexts.is_empty()
    }

    /// The current context's name, its cluster and its user.
    pub(crate) fn current(&self) -> Result<(&str, &Cluster, &User)> {
        static NOBODY: User = User::nobody();
        let missing = |why: String| {
            Error::new(ErrorKind::NotFound, "cannot use the kubeconfig")
                .why(why)
                .hint("look at kubectl config get-contexts, and choose with: kubectl config use-context NAME")
        };
        let name = self.current_context.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| missing("it has no current context".to_owned()))?;
        let context = self.contexts.iter().find(|named| named.name == name);
        let context = &context.ok_or_else(|| missing(format!("it has no context {name}")))?.context;
        let cluster = self.clusters.iter().find(|named| named.name == context.cluster);
        let cluster =
            &cluster.ok_or_else(|| missing(format!("it has no cluster {}", context.cluster)))?.cluster;
        let user = match context.user.as_str() {
            "" => &NOBODY,
            wanted => {
                let user = self.users.iter().find(|named| named.name == wanted);
                let user = user.ok_or_else(|| missing(format!("it has no user {wanted}")))?;
                user.user.as_ref().unwrap_or(&NOBODY)
            }
        };
        Ok((name, cluster, user))
    }
}

impl User {
    const fn nobody() -> Self {
        Self {
            token: None,
            token_file: None,
            client_certificate: None,
            client_certificate_data: None,
            client_key: None,
            client_key_data: None,
            username: None,
            exec: None,
            auth_provider: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "\
apiVersion: v1
kind: Config
current-context: ci
clusters:
- name: one
  cluster: {server: 'https://one', certificate-authority: ca.pem}
contexts:
- {name: ci, context: {cluster: one, user: robot, namespace: x}}
";
    const SECOND: &str = "\
current-context: other
users:
- name: robot
  user:
    token: sesame
    client-key: /etc/key.pem
clusters:
- {name: one, cluster: {server: 'https://two'}}
";

    #[test]
    fn the_first_file_goes_first_and_paths_stay_with_their_file() {
        let first = File::parse(FIRST.as_bytes(), Path::new("/a/config")).unwrap();
        assert!(first.current().is_err());
        let file = first.or(File::parse(SECOND.as_bytes(), Path::new("/b/config")).unwrap());
        let (name, cluster, user) = file.current().unwrap();
        assert_eq!((name, cluster.server.as_str()), ("ci", "https://one"));
        assert_eq!(cluster.certificate_authority.as_deref(), Some("/a/ca.pem"));
        assert_eq!(user.client_key.as_deref(), Some("/etc/key.pem"));
        assert_eq!(user.token.as_deref(), Some("sesame"));
    }

    #[test]
    fn an_error_quotes_nothing() {
        for text in ["users:\n- name: robot\n  user: {token: [sesame]}", "sesame", "a: b: sesame", "\u{0}"] {
            let error = File::parse(text.as_bytes(), Path::new("/a/config")).err();
            let error = error.unwrap_or_else(|| panic!("{text} is read"));
            assert!(!format!("{error:?}{error}").contains("sesame"));
        }
        assert!(File::parse(b"", Path::new("/a")).is_ok_and(|file| file.is_empty()));
    }
}
