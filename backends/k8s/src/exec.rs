//! Users whose token or certificate comes from a program, as the clouds' clusters have them (Kubernetes, "client-go credential
//! plugins"; `client.authentication.k8s.io/v1` and `v1beta1`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::program::{self, Ended};
use countersign_core::{OpenContext, Secret};
use serde::{Deserialize, Serialize};

/// Forbids programs that we would start for a secret, the same as for passwords.
const NO_COMMANDS: &str = "COUNTERSIGN_NO_COMMANDS";
/// Where the program reads what is asked.
const ASKED: &str = "KUBERNETES_EXEC_INFO";
const VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
const KIND: &str = "ExecCredential";
/// The longest answer: a certificate, its key and a token.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// The program as a kubeconfig names it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exec {
    api_version: Option<String>,
    pub(crate) command: String,
    #[serde(default)]
    args: Option<Vec<String>>,
    #[serde(default)]
    env: Option<Vec<Set>>,
    install_hint: Option<String>,
    interactive_mode: Option<String>,
    #[serde(default)]
    provide_cluster_info: bool,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    value: String,
}

/// What the program is told of the cluster, if its user wants that.
#[derive(Serialize, Default)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ClusterInfo<'a> {
    pub(crate) server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_authority_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    api_version: &'a str,
    kind: &'a str,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    interactive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a ClusterInfo<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_version: String,
    kind: String,
    status: Option<Credential>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// What we show, from the program.
pub(crate) struct Shown {
    pub(crate) token: Option<Secret>,
    pub(crate) identity: Option<Arc<Secret>>,
}

impl Exec {
    /// Asks the program once. Its own words go to our standard error, as with kubectl.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where commands are forbidden; [`ErrorKind::NotFound`] with the kubeconfig's own hint;
    /// [`ErrorKind::Unauthenticated`] when the program fails; [`ErrorKind::Integrity`] for an answer of another form.
    pub(crate) fn ask(&self, cluster: &ClusterInfo<'_>, context: &OpenContext<'_>) -> Result<Shown> {
        let refused =
            |kind, why: String| Error::new(kind, format!("cannot log in with {}", self.command)).why(why);
        let is_set = |name| context.environment.variable(name).is_some_and(|value| !value.is_empty());
        if is_set(NO_COMMANDS) {
            return Err(refused(ErrorKind::Denied, format!("{NO_COMMANDS} forbids commands"))
                .hint("use a kubeconfig whose user has a token or a certificate"));
        }
        let version = self.api_version.as_deref().unwrap_or_default();
        if !VERSIONS.contains(&version) {
            return Err(refused(
                ErrorKind::Unsupported,
                format!("its apiVersion {version:?} is none of {}", VERSIONS.join(", ")),
            ));
        }
        if self.interactive_mode.as_deref() == Some("Always") {
            return Err(refused(
                ErrorKind::Unsupported,
                "it wants to ask at the terminal (interactiveMode: Always)".to_owned(),
            )
            .hint(
                "make a token with: kubectl create token ACCOUNT, and put it into a kubeconfig of its own",
            ));
        }
        let spec = Spec { interactive: false, cluster: self.provide_cluster_info.then_some(cluster) };
        let asked = serde_json::to_string(&Asked { api_version: version, kind: KIND, spec })
            .map_err(|_| Error::internal("a question that is no JSON"))?;
        let mut command = Command::new(self.find(context)?);
        command.args(self.args.iter().flatten());
        // Those of the clouds stay: it logs in with them.
        let ours = |name: &&str| name.starts_with("COSIGN_") || name.starts_with("COUNTERSIGN_");
        for secret in context.environment.secrets().into_iter().filter(ours) {
            command.env_remove(secret);
        }
        command.envs(self.env.iter().flatten().map(|set| (&set.name, &set.value))).env(ASKED, asked);
        let act = format!("log in with {}", self.command);
        let output = match program::ask(command, Vec::new(), MAX_ANSWER_BYTES, context, &act)? {
            Ended::Answered(status, output) if status.success() => output,
            Ended::Answered(status, _) => {
                return Err(refused(ErrorKind::Unauthenticated, format!("the program ended with {status}"))
                    .hint("see what it said above, and what kubectl auth whoami says"));
            }
            Ended::TooLong => {
                return Err(refused(
                    ErrorKind::Integrity,
                    format!("it writes more than {MAX_ANSWER_BYTES} bytes, and was stopped"),
                ));
            }
        };
        read(&output, version).ok_or_else(|| {
            refused(
                ErrorKind::Integrity,
                format!("its answer is no {KIND} of {version} with a token or a certificate and its key"),
            )
        })
    }

    /// A path as it is; a name from `PATH`.
    fn find(&self, context: &OpenContext<'_>) -> Result<PathBuf> {
        if Path::new(&self.command).components().count() > 1 {
            return Ok(PathBuf::from(&self.command));
        }
        let located = program::look(&self.command, context);
        located.program.ok_or_else(|| {
            let passed: String = located.skipped.iter().map(|skipped| format!("; {skipped}")).collect();
            let hint = self.install_hint.as_deref().map(str::trim).filter(|hint| !hint.is_empty());
            Error::new(ErrorKind::NotFound, format!("cannot log in with {}", self.command))
                .why(format!("PATH has no such program{passed}"))
                .hint(hint.map_or_else(
                    || "install it, or name it by its path in the kubeconfig".to_owned(),
                    escape,
                ))
        })
    }
}

/// The text of a kubeconfig, for the terminal.
fn escape(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn read(output: &[u8], version: &str) -> Option<Shown> {
    let answer: Answer = serde_json::from_slice(output).ok()?;
    if answer.kind != KIND || answer.api_version != version {
        return None;
    }
    let status = answer.status?;
    let token = status.token.filter(|token| !token.is_empty()).map(|token| Secret::new(token.into_bytes()));
    let identity = match (status.client_certificate_data, status.client_key_data) {
        (Some(certificate), Some(key)) => {
            let key = Secret::new(key.into_bytes());
            Some(Arc::new(Secret::new([certificate.as_bytes(), b"\n", key.expose()].concat())))
        }
        (None, None) => None,
        _ => return None,
    };
    (token.is_some() || identity.is_some()).then_some(Shown { token, identity })
}
