//! Where the cluster is and who we are there: the files of `KUBECONFIG`, else `~/.kube/config`, else the pod's own account
//! (Kubernetes, "Organizing Cluster Access Using kubeconfig Files", "Accessing the Kubernetes API from a Pod").

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::Endpoint;
use countersign_core::{OpenContext, Secret, Variable, bounded};

use crate::exec::{ClusterInfo, Shown};
use crate::kubeconfig::{Cluster, File, User};

const FILES: &str = "KUBECONFIG";

/// Where Kubernetes puts a pod's account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The largest file read: a kubeconfig with dozens of clusters and their certificates.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new(
        FILES,
        "names the files with clusters and users for keys in Kubernetes",
        "paths, separated as in PATH; without it ~/.kube/config",
    ),
    Variable::new(
        "KUBERNETES_SERVICE_HOST",
        "is the cluster of the pod that this runs in, where there is no kubeconfig",
        "a host; Kubernetes sets it, and KUBERNETES_SERVICE_PORT",
    ),
];

/// A cluster, and what we show there.
pub(crate) struct Access {
    pub(crate) endpoint: Endpoint,
    pub(crate) certificates: Option<Vec<u8>>,
    pub(crate) identity: Option<Arc<Secret>>,
    /// The name that the server's certificate bears, where it is not the address's.
    pub(crate) server_name: Option<String>,
    /// The value of the header `Authorization`.
    pub(crate) bearer: Option<Secret>,
    /// For people: a context of a file, or the pod's account.
    pub(crate) from: String,
}

impl Access {
    pub(crate) fn find(context: &OpenContext<'_>) -> Result<Self> {
        let named = context.environment.variable(FILES).filter(|value| !value.is_empty());
        let paths: Vec<PathBuf> = match &named {
            Some(value) => std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()).collect(),
            None => context
                .environment
                .variable("HOME")
                .map(|home| Path::new(&home).join(".kube/config"))
                .into_iter()
                .collect(),
        };
        let mut merged: Option<File> = None;
        for path in &paths {
            // As in kubectl: a file of the list that is not there counts as empty.
            if !path.exists() {
                continue;
            }
            let file = File::parse(&read(path, context)?, path)?;
            merged = Some(match merged {
                Some(first) => first.or(file),
                None => file,
            });
        }
        match merged {
            Some(file) if !file.is_empty() => Self::of_file(&file, context),
            _ => Self::of_pod(&paths, context),
        }
    }

    fn of_file(file: &File, context: &OpenContext<'_>) -> Result<Self> {
        let (name, cluster, user) = file.current()?;
        let certificates = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
            (Some(data), _) => Some(decode(data, "certificate-authority-data")?),
            (None, Some(path)) => Some(read(Path::new(path), context)?),
            (None, None) => None,
        };
        refuse_what_we_cannot(cluster, user)?;
        let info = ClusterInfo {
            server: &cluster.server,
            certificate_authority_data: certificates.as_ref().map(|pem| STANDARD.encode(pem)),
        };
        let shown = log_in(user, &info, context)?;
        Ok(Self {
            endpoint: Endpoint::parse(&cluster.server, "the cluster's server in the kubeconfig")?,
            certificates,
            identity: shown.identity,
            server_name: cluster.tls_server_name.clone(),
            bearer: shown.token.map(bearer),
            from: format!("context {name}"),
        })
    }

    fn of_pod(paths: &[PathBuf], context: &OpenContext<'_>) -> Result<Self> {
        let text = |name| context.environment.variable(name)?.into_string().ok().filter(|v| !v.is_empty());
        let Some(host) = text("KUBERNETES_SERVICE_HOST") else {
            let looked: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(Error::new(ErrorKind::Unavailable, "cannot find the cluster")
                .why(format!(
                    "no kubeconfig was found (looked for {}), and this is no pod",
                    looked.join(", ")
                ))
                .hint("name one with KUBECONFIG"));
        };
        let port = text("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let token = read(&Path::new(ACCOUNT).join("token"), context)?;
        Ok(Self {
            endpoint: Endpoint::parse(&format!("https://{host}:{port}"), "KUBERNETES_SERVICE_HOST")?,
            certificates: Some(read(&Path::new(ACCOUNT).join("ca.crt"), context)?),
            identity: None,
            server_name: None,
            bearer: Some(bearer(Secret::new(token))),
            from: "the pod's own account".to_owned(),
        })
    }
}

/// What the user shows: what stands in the file, else what its program answers.
fn log_in(user: &User, cluster: &ClusterInfo<'_>, context: &OpenContext<'_>) -> Result<Shown> {
    let pem = |data: &Option<String>, path: &Option<String>, what: &str| match (data, path) {
        (Some(data), _) => decode(data, what).map(Some),
        (None, Some(path)) => read(Path::new(path), context).map(Some),
        (None, None) => Ok(None),
    };
    let certificate =
        pem(&user.client_certificate_data, &user.client_certificate, "client-certificate-data")?;
    let key = pem(&user.client_key_data, &user.client_key, "client-key-data")?.map(Secret::new);
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Some(Arc::new(Secret::new([&certificate, &b"\n"[..], key.expose()].concat())))
        }
        (None, None) => None,
        _ => return Err(bad("the user has one of client certificate and client key, and not the other")),
    };
    let token = match (&user.token, &user.token_file) {
        // As in kubectl, a file goes first: it is renewed.
        (_, Some(path)) => Some(Secret::new(read(Path::new(path), context)?)),
        (Some(token), None) => Some(Secret::new(token.clone().into_bytes())),
        (None, None) => None,
    };
    match &user.exec {
        Some(exec) if token.is_none() && identity.is_none() => exec.ask(cluster, context),
        _ => Ok(Shown { token, identity }),
    }
}

/// What would make us trust everybody, or go another way than the user believes.
fn refuse_what_we_cannot(cluster: &Cluster, user: &User) -> Result<()> {
    if cluster.insecure_skip_tls_verify {
        return Err(bad(
            "the cluster has insecure-skip-tls-verify: anybody on the way could hand out another key",
        )
        .hint("name its authority with certificate-authority"));
    }
    if cluster.proxy_url.is_some() {
        return Err(bad("proxy-url of a cluster is not built").hint("name the proxy with HTTPS_PROXY"));
    }
    if user.username.is_some() || user.auth_provider.is_some() {
        return Err(
            bad("Kubernetes takes passwords and auth-provider no more").hint("use a token or a certificate")
        );
    }
    Ok(())
}

fn bad(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "cannot use the kubeconfig").why(why)
}

fn bearer(token: Secret) -> Secret {
    Secret::new([b"Bearer ", token.without_line_ending().expose()].concat())
}

fn decode(base64: &str, what: &str) -> Result<Vec<u8>> {
    STANDARD.decode(base64.trim()).map_err(|_| {
        Error::new(ErrorKind::Integrity, "cannot use the kubeconfig").why(format!("{what} is not base64"))
    })
}

fn read(path: &Path, context: &OpenContext<'_>) -> Result<Vec<u8>> {
    bounded::read(path, MAX_FILE_BYTES, context.deadline)
        .map_err(|cause| Error::io("read", path.display(), cause))
}
