//! Who we are to AWS: what the environment of the context says, else the SDK's own chain, which reads the process's
//! environment and the files in `~/.aws` by itself.

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{self, ProfileFileCredentialsProvider, ProfileFileRegionProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Region};
use countersign_core::OpenContext;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http;

use crate::connector::Connector;
use crate::settings::text;
use crate::uri::AwsUri;

/// What the chain asks, in its order.
const CHAIN: &str = "AWS_ACCESS_KEY_ID, the profile in ~/.aws, AWS_WEB_IDENTITY_TOKEN_FILE, the container's and the \
                     machine's own credentials";

/// Forbids programs as sources of credentials.
const NO_COMMANDS: &str = "COUNTERSIGN_NO_COMMANDS";

/// Where the credentials come from.
pub(crate) enum Source {
    /// The context's environment: nothing is asked, no file is read.
    Environment(Credentials),
    /// A profile that the URI names.
    Profile(String),
    /// The SDK's chain.
    Chain,
}

impl Source {
    pub(crate) fn find(uri: &AwsUri, context: &OpenContext<'_>) -> Self {
        if let Some(profile) = &uri.profile {
            return Self::Profile(profile.clone());
        }
        match (text(context, "AWS_ACCESS_KEY_ID"), text(context, "AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => {
                let token = text(context, "AWS_SESSION_TOKEN");
                Self::Environment(Credentials::new(id, secret, token, None, "environment"))
            }
            _ => Self::Chain,
        }
    }

    /// For people.
    pub(crate) fn name(&self, uri: &AwsUri) -> String {
        let base = match self {
            Self::Environment(credentials) => format!("the access key {}", credentials.access_key_id()),
            Self::Profile(name) => format!("the profile {name}"),
            Self::Chain => CHAIN.to_owned(),
        };
        uri.role.as_ref().map_or(base.clone(), |role| format!("the role {role}, assumed by {base}"))
    }

    /// Whether another host than the endpoint may have to be asked.
    pub(crate) fn asks(&self, uri: &AwsUri) -> bool {
        uri.role.is_some() || !matches!(self, Self::Environment(_))
    }

    /// Where commands are forbidden, looks before the SDK would run one by itself.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for a profile whose credentials come from a program, by itself or by way of another profile.
    pub(crate) fn refuse_commands(&self, context: &OpenContext<'_>) -> Result<()> {
        let named = match self {
            Self::Environment(_) => return Ok(()),
            Self::Profile(name) => Some(name.clone().into()),
            Self::Chain => None,
        };
        if text(context, NO_COMMANDS).is_none() {
            return Ok(());
        }
        let files = http::wait(context, "read the profiles in ~/.aws", async || {
            // Fs and Env are the process's own, as the SDK reads them.
            profile::load(&Default::default(), &Default::default(), &Default::default(), named).await
        })?;
        // Of files that it cannot read the SDK takes nothing either, and says why.
        let Some(profile) = files.ok().as_ref().and_then(with_command).map(str::to_owned) else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Denied, format!("cannot use the profile {} in ~/.aws", profile.escape_debug()))
            .why(format!("its credential_process is a program, and {NO_COMMANDS} forbids commands"))
            .hint("name a profile of another kind with AWS_PROFILE or ?profile=, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"))
    }
}

/// The profile with a `credential_process` among the selected one and those that it takes its credentials from. One that
/// has another source of its own too is counted: which of them goes first is the SDK's affair.
fn with_command(files: &ProfileSet) -> Option<&str> {
    let mut name = files.selected_profile();
    // A circle has no more links than there are profiles.
    for _ in files.profiles() {
        let profile = files.get_profile(name)?;
        if profile.get("credential_process").is_some() {
            return Some(profile.name());
        }
        name = profile.get("source_profile")?;
    }
    None
}

fn provider_config(connector: &Connector, region: Option<&str>) -> ProviderConfig {
    let config = ProviderConfig::without_region().with_http_client(connector.clone());
    config.with_region(region.map(|name| Region::new(name.to_owned())))
}

/// The region of the profile, read from the files in `~/.aws`.
pub(crate) async fn profile_region(uri: &AwsUri, connector: &Connector) -> Option<String> {
    let mut builder = ProfileFileRegionProvider::builder().configure(&provider_config(connector, None));
    if let Some(profile) = &uri.profile {
        builder = builder.profile_name(profile);
    }
    builder.build().region().await.map(|region| region.to_string())
}

/// What signs requests. Nothing is asked before the first of them.
pub(crate) async fn provider(
    source: Source,
    uri: &AwsUri,
    region: &str,
    sts_endpoint: Option<String>,
    connector: &Connector,
) -> SharedCredentialsProvider {
    let config = provider_config(connector, Some(region));
    let base = match source {
        Source::Environment(credentials) => SharedCredentialsProvider::new(credentials),
        Source::Profile(name) => SharedCredentialsProvider::new(
            ProfileFileCredentialsProvider::builder().configure(&config).profile_name(name).build(),
        ),
        Source::Chain => {
            SharedCredentialsProvider::new(DefaultCredentialsChain::builder().configure(config).build().await)
        }
    };
    let Some(role) = &uri.role else { return base };
    let mut sdk = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .http_client(connector.clone())
        .retry_config(RetryConfig::disabled())
        .no_credentials();
    if let Some(endpoint) = sts_endpoint {
        sdk = sdk.endpoint_url(endpoint);
    }
    let assumed = AssumeRoleProvider::builder(role).session_name("countersign").configure(&sdk.load().await);
    SharedCredentialsProvider::new(assumed.build_from_provider(base).await)
}
