//! The calls to KMS, each with the permission it needs and its failure.

use std::error::Error as StdError;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Config, Region};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::get_public_key::GetPublicKeyOutput;
use aws_sdk_kms::operation::sign::SignOutput;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{AliasListEntry, KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use countersign_core::OpenContext;
use countersign_core::context::Event;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{self, Again, Caller, Options, Wire};

use crate::connector::Connector;
use crate::credentials::{self, Source};
use crate::errors::{Failure, Place};
use crate::settings;
use crate::uri::AwsUri;

/// The most pages of a list: a hundred thousand keys.
const MAX_PAGES: usize = 1000;

/// KMS in one region, and who we are to it.
pub(crate) struct Kms<'a> {
    caller: Caller<'a>,
    client: Client,
    region: String,
    endpoint: Option<String>,
    credentials: String,
}

impl<'a> Kms<'a> {
    /// Reads where KMS is and what to authenticate with. Asks nobody yet.
    pub(crate) fn new(uri: &AwsUri, context: &OpenContext<'a>) -> Result<Self> {
        settings::refuse_untrusted(uri, context)?;
        let endpoint = settings::endpoint(uri, context)?;
        // Cosign v3.1.3 honours it.
        if settings::text(context, "AWS_TLS_INSECURE_SKIP_VERIFY").is_some() {
            let text = "AWS_TLS_INSECURE_SKIP_VERIFY is not honoured: TLS is checked all the same";
            context.events.event(Event::Warning(text.to_owned()));
        }
        let source = Source::find(uri, context);
        source.refuse_commands(context)?;
        let credentials = source.name(uri);
        let options = Options {
            certificates: settings::text(context, "AWS_CA_BUNDLE")
                .map(|file| http::load_certificates(file.as_ref(), "AWS_CA_BUNDLE", context))
                .transpose()?,
            certificates_variable: "AWS_CA_BUNDLE",
            ..Options::default()
        };
        if let Some(endpoint) = &endpoint {
            endpoint.refuse_unasked_plain_http(context)?;
        }
        let sts = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
        let sts = sts.into_iter().find_map(|name| settings::text(context, name));
        let is_plain = endpoint.as_ref().is_some_and(http::Endpoint::is_plain) && !source.asks(uri);
        let connector = Connector::new(Wire::new(options, is_plain, context)?);
        let caller = Caller::new(context, None);
        let named = settings::region(uri, context);
        let region = match named {
            Some(region) => region,
            None => http::wait(context, "read the region of the profile", async || {
                credentials::profile_region(uri, &connector).await
            })?
            .ok_or_else(no_region)?,
        };
        let provider = http::wait(context, "look for credentials", async || {
            credentials::provider(source, uri, &region, sts, &connector).await
        })?;
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .credentials_provider(provider)
            .http_client(connector)
            // Ours repeat, which show and bound it.
            .retry_config(RetryConfig::disabled());
        let endpoint = endpoint.map(|endpoint| endpoint.to_string());
        config.set_endpoint_url(endpoint.clone());
        Ok(Self { caller, client: Client::from_conf(config.build()), region, endpoint, credentials })
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// An endpoint that is not the region's own.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// Where the credentials are from, for people.
    pub(crate) fn credentials(&self) -> &str {
        &self.credentials
    }

    /// The public half of a key, with what the key may do.
    pub(crate) fn public_key(&self, key: &str, act: &str) -> Result<GetPublicKeyOutput> {
        self.call(act, "kms:GetPublicKey", key, async || {
            self.client.get_public_key().key_id(key).send().await
        })
    }

    /// Has KMS sign.
    pub(crate) fn sign(
        &self,
        key: &str,
        algorithm: &str,
        message: &[u8],
        kind: &MessageType,
        act: &str,
    ) -> Result<SignOutput> {
        self.call(act, "kms:Sign", key, async || {
            let request = self.client.sign().key_id(key).message(Blob::new(message));
            let algorithm = SigningAlgorithmSpec::from(algorithm);
            request.message_type(kind.clone()).signing_algorithm(algorithm).send().await
        })
    }

    /// Makes a key without a name, and returns its ARN.
    pub(crate) fn create(&self, spec: &str, act: &str) -> Result<String> {
        let made = self.call(act, "kms:CreateKey", "", async || {
            let request = self.client.create_key().key_spec(KeySpec::from(spec));
            request.key_usage(KeyUsageType::SignVerify).description("made by countersign").send().await
        })?;
        made.key_metadata.and_then(|key| key.arn).ok_or_else(|| incomplete(act, "the answer names no key"))
    }

    /// Names a key.
    pub(crate) fn name(&self, alias: &str, key: &str, act: &str) -> Result<()> {
        let send = async || self.client.create_alias().alias_name(alias).target_key_id(key).send().await;
        self.call(act, "kms:CreateAlias", alias, send).map(|_| ())
    }

    /// The ARNs of all keys.
    pub(crate) fn keys(&self, act: &str) -> Result<Vec<String>> {
        self.pages(act, |marker| {
            let page = self.call(act, "kms:ListKeys", "", async || {
                self.client.list_keys().set_marker(marker.clone()).send().await
            })?;
            let keys = page.keys.unwrap_or_default().into_iter().filter_map(|key| key.key_arn).collect();
            Ok((keys, page.next_marker.filter(|_| page.truncated)))
        })
    }

    /// All names of keys.
    pub(crate) fn aliases(&self, act: &str) -> Result<Vec<AliasListEntry>> {
        self.pages(act, |marker| {
            let page = self.call(act, "kms:ListAliases", "", async || {
                self.client.list_aliases().set_marker(marker.clone()).send().await
            })?;
            Ok((page.aliases.unwrap_or_default(), page.next_marker.filter(|_| page.truncated)))
        })
    }

    fn pages<T>(
        &self,
        act: &str,
        page: impl Fn(Option<String>) -> Result<(Vec<T>, Option<String>)>,
    ) -> Result<Vec<T>> {
        let (mut all, mut marker) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let (more, next) = page(marker)?;
            all.extend(more);
            if next.is_none() {
                return Ok(all);
            }
            marker = next;
        }
        Err(incomplete(act, "the list does not end"))
    }

    fn call<T, E>(
        &self,
        act: &str,
        permission: &'static str,
        key: &str,
        send: impl AsyncFn() -> Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<T>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let once = async || send().await.map_err(Failure::from);
        let outcome = self.caller.call(act, once, |outcome| match outcome {
            Ok(_) => Again::Never,
            Err(failure) => failure.again(),
        })?;
        outcome.map_err(|failure| {
            let place = Place { permission, key, region: &self.region, credentials: &self.credentials };
            failure.into_error(&format!("cannot {act}"), place)
        })
    }
}

fn no_region() -> Error {
    Error::new(ErrorKind::BadUri, "cannot find the region")
        .why("neither the key URI nor AWS_REGION, AWS_DEFAULT_REGION or the profile names one")
        .hint("set AWS_REGION, or write the key's full ARN or ?region= into the URI")
}

/// An answer that lacks what this call returns.
pub(crate) fn incomplete(act: &str, why: &str) -> Error {
    Error::new(ErrorKind::Integrity, format!("cannot {act}"))
        .why(why)
        .hint("see that the endpoint is that of KMS, and what stands between")
}
