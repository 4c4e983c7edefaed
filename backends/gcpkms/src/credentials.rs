//! Who we are to Google: the file that the environment names, that of gcloud, or the machine itself. Tokens are made and
//! fetched by Google's own crate.

use std::path::PathBuf;

use countersign_core::OpenContext;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::Endpoint;
use google_cloud_auth::build_errors::Error as BuildError;
use google_cloud_auth::credentials::{
    Credentials, external_account, external_account_authorized_user, impersonated, mds, service_account,
    user_account,
};
use google_cloud_gax::retry_policy::NeverRetry;
use serde_json::Value;

use crate::settings::{CREDENTIALS, QUOTA_PROJECT, text};

/// A token for all of Google Cloud, which IAM then narrows; there is one for Cloud KMS alone, which not every kind of
/// credentials may ask for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A file of credentials has a few kilobytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Forbids programs as sources of credentials.
const NO_COMMANDS: &str = "COUNTERSIGN_NO_COMMANDS";

/// Where the credentials come from.
pub(crate) enum Source {
    /// A file, read.
    File { path: PathBuf, json: Value },
    /// The machine's own, from its metadata server.
    Machine,
}

impl Source {
    /// Looks where they are; the metadata server is for those who named nothing.
    pub(crate) fn find(context: &OpenContext<'_>) -> Result<Self> {
        if let Some(path) = text(context, CREDENTIALS) {
            return read(path.into(), context);
        }
        let home = text(context, if cfg!(windows) { "APPDATA" } else { "HOME" });
        let below = if cfg!(windows) { "gcloud" } else { ".config/gcloud" };
        let path =
            home.map(|home| PathBuf::from(home).join(below).join("application_default_credentials.json"));
        match path.filter(|path| path.exists()) {
            Some(path) => read(path, context),
            None => Ok(Self::Machine),
        }
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        let Self::File { path, json } = self else {
            return "this machine's own credentials (its metadata server; no file was named)".to_owned();
        };
        let field = |name: &str| json[name].as_str().map(|text| text.escape_debug().to_string());
        let who = match json["type"].as_str() {
            Some("service_account") => {
                field("client_email").unwrap_or_else(|| "a service account".to_owned())
            }
            Some("authorized_user") => "a person's login".to_owned(),
            Some("impersonated_service_account") => {
                let url = field("service_account_impersonation_url").unwrap_or_default();
                let account =
                    url.rsplit('/').next().and_then(|end| end.split(':').next()).unwrap_or_default();
                format!("{account}, impersonated")
            }
            _ => "an external account".to_owned(),
        };
        format!("{who} ({})", path.display())
    }

    /// What makes tokens. Asks nobody before the first of them.
    pub(crate) fn provider(self, context: &OpenContext<'_>) -> Result<Credentials> {
        let quota = text(context, QUOTA_PROJECT);
        let name = self.name();
        macro_rules! build {
            ($builder:expr) => {{
                let mut builder = $builder;
                if let Some(quota) = quota {
                    builder = builder.with_quota_project_id(quota);
                }
                builder.build()
            }};
        }
        let built = match self {
            // The core's caller repeats, which shows and bounds it.
            Self::Machine => {
                build!(mds::Builder::default().with_scopes([SCOPE]).with_retry_policy(NeverRetry))
            }
            Self::File { json, .. } => match json["type"].as_str().unwrap_or_default() {
                "service_account" => build!(
                    service_account::Builder::new(json)
                        .with_access_specifier(service_account::AccessSpecifier::from_scopes([SCOPE]))
                ),
                "authorized_user" => {
                    build!(user_account::Builder::new(json).with_retry_policy(NeverRetry))
                }
                "impersonated_service_account" => {
                    build!(
                        impersonated::Builder::new(json).with_scopes([SCOPE]).with_retry_policy(NeverRetry)
                    )
                }
                "external_account" => {
                    build!(
                        external_account::Builder::new(json)
                            .with_scopes([SCOPE])
                            .with_retry_policy(NeverRetry)
                    )
                }
                "external_account_authorized_user" => {
                    build!(external_account_authorized_user::Builder::new(json).with_retry_policy(NeverRetry))
                }
                other => return Err(unusable(&name, format!("its type is \"{}\"", other.escape_debug()))),
            },
        };
        built.map_err(|error: BuildError| unusable(&name, without_secrets(&error)))
    }
}

/// The SDK's words may hold pieces of the file.
fn without_secrets(error: &BuildError) -> String {
    let why = if error.is_missing_field() {
        "a field is missing"
    } else if error.is_unknown_type() || error.is_not_supported() {
        "it is of a kind that is not supported"
    } else {
        "it cannot be parsed"
    };
    why.to_owned()
}

fn unusable(name: &str, why: String) -> Error {
    Error::new(ErrorKind::Unauthenticated, format!("cannot use the credentials of {name}")).why(why).hint(format!(
        "name a service account's key, or what gcloud auth application-default login writes, with {CREDENTIALS}"
    ))
}

fn read(path: PathBuf, context: &OpenContext<'_>) -> Result<Source> {
    let what = || format!("cannot use the credentials in {}", path.display());
    let bytes =
        countersign_core::bounded::read(&path, MAX_FILE_BYTES, context.deadline).map_err(|cause| {
            Error::io("read the credentials in", path.display(), cause)
                .hint(format!("{CREDENTIALS} names the file"))
        })?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|_| {
        Error::new(ErrorKind::Unauthenticated, what())
            .why("the file is no JSON")
            .hint(format!("{CREDENTIALS} names a file such as gcloud auth application-default login writes"))
    })?;
    check(&json, &what(), context)?;
    Ok(Source::File { path, json })
}

/// Wherever in the file: no program where commands are forbidden, no secret over plain http to another machine.
fn check(json: &Value, what: &str, context: &OpenContext<'_>) -> Result<()> {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "executable" && text(context, NO_COMMANDS).is_some() {
                    return Err(Error::new(ErrorKind::Denied, what)
                        .why(format!("they come from a program, and {NO_COMMANDS} forbids commands"))
                        .hint("use a source of another kind: a file or a URL"));
                }
                if let Some(url) = value.as_str().filter(|value| value.starts_with("http://")) {
                    let endpoint = Endpoint::parse(url.split('?').next().unwrap_or_default(), name)?;
                    // A cloud's machines ask there about themselves (RFC 3927).
                    if !endpoint.host().starts_with("169.254.")
                        && endpoint.host() != "metadata.google.internal"
                    {
                        endpoint.refuse_unasked_plain_http(context)?;
                    }
                }
                check(value, what, context)?;
            }
            Ok(())
        }
        Value::Array(values) => values.iter().try_for_each(|value| check(value, what, context)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}
