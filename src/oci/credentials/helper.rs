//! Programs that keep credentials: `docker-credential-NAME get`, with the registry on standard input and JSON as the answer.

use std::process::Command;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::program::{self, Ended};
use countersign_core::{OpenContext, Secret};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Credential;
use crate::env::NO_COMMANDS;
use crate::json;

const MAX_ANSWER_BYTES: u64 = 256 * 1024;
/// The user name that says that the secret is a refresh token.
const TOKEN: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    #[serde(deserialize_with = "json::wiped")]
    secret: Zeroizing<String>,
}

/// Asks the helper `name` about a registry.
pub(super) fn ask(name: &str, registry: &str, context: &OpenContext<'_>) -> Result<Option<Credential>> {
    let act = format!("ask docker-credential-{name} for the credentials of {registry}");
    let refused = |kind, why: String| Error::new(kind, format!("cannot {act}")).why(why);
    match run(name, "get", registry.as_bytes().to_vec(), &act, context)? {
        Ended::Answered(status, output) if status.success() => {
            let answer: Answer = serde_json::from_slice(&output).map_err(|_| {
                refused(ErrorKind::Integrity, "its answer is no JSON with Username and Secret".to_owned())
            })?;
            let secret = Secret::new(answer.secret.as_bytes().to_vec());
            Ok(Some(match answer.username.as_str() {
                TOKEN => Credential::Refresh(secret),
                _ => Credential::Password(answer.username, secret),
            }))
        }
        // What all helpers say of a registry that they do not know.
        Ended::Answered(_, output) if String::from_utf8_lossy(&output).contains("credentials not found") => {
            Ok(None)
        }
        other => Err(failed(other, &act)),
    }
}

/// Has the helper `name` keep credentials.
pub(super) fn store(
    name: &str,
    registry: &str,
    user: &str,
    password: &Secret,
    context: &OpenContext<'_>,
) -> Result<()> {
    let act = format!("have docker-credential-{name} keep the credentials of {registry}");
    let secret = String::from_utf8_lossy(password.expose());
    let message = serde_json::json!({ "ServerURL": registry, "Username": user, "Secret": secret });
    match run(name, "store", message.to_string().into_bytes(), &act, context)? {
        Ended::Answered(status, _) if status.success() => Ok(()),
        other => Err(failed(other, &act)),
    }
}

fn failed(ended: Ended, act: &str) -> Error {
    let refused = |kind, why: String| Error::new(kind, format!("cannot {act}")).why(why);
    match ended {
        Ended::Answered(status, _) => refused(ErrorKind::Unauthenticated, format!("it ended with {status}"))
            .hint("see what it said above"),
        Ended::TooLong => refused(
            ErrorKind::Integrity,
            format!("it writes more than {MAX_ANSWER_BYTES} bytes, and was stopped"),
        ),
    }
}

fn run(name: &str, verb: &str, message: Vec<u8>, act: &str, context: &OpenContext<'_>) -> Result<Ended> {
    let shown = format!("docker-credential-{name}");
    let refused = |kind, why: String| Error::new(kind, format!("cannot {act}")).why(why);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(refused(ErrorKind::Denied, "that is no name of a helper".to_owned()));
    }
    if context.environment.variable(NO_COMMANDS).is_some_and(|value| !value.is_empty()) {
        return Err(refused(ErrorKind::Denied, format!("{NO_COMMANDS} forbids commands")));
    }
    let located = program::look(&shown, context);
    let Some(program) = located.program else {
        let passed: String = located.skipped.iter().map(|skipped| format!("; {skipped}")).collect();
        return Err(refused(ErrorKind::NotFound, format!("PATH has no such program{passed}"))
            .hint("install it, or take its name out of Docker's config.json"));
    };
    let mut command = Command::new(program);
    command.arg(verb);
    // Those of the clouds stay: helpers log in with them.
    let ours = |name: &&str| name.starts_with("COSIGN_") || name.starts_with("COUNTERSIGN_");
    for secret in context.environment.secrets().into_iter().filter(ours) {
        command.env_remove(secret);
    }
    program::ask(command, message, MAX_ANSWER_BYTES, context, act)
}
