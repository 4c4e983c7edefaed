//! The calls to a vault, each with the permission it needs and its failure.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use azure_core::http::{ClientOptions, RequestContent, RetryOptions, Transport as SdkTransport};
use azure_security_keyvault_keys::models::{
    CreateKeyParameters, Key, KeyClientGetKeyOptions, KeyClientSignOptions, KeyOperationResult,
    ListKeyPropertiesResult, SignParameters, SignatureAlgorithm,
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use countersign_core::OpenContext;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{self, Again, Caller, Options, Wire};
use futures_util::StreamExt;

use crate::credentials;
use crate::errors::{Asked, Failure};
use crate::guard::Guard;
use crate::settings::Place;
use crate::transport::Transport;
use crate::uri::AzureUri;

/// The largest answer taken: a page of a list is far smaller.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// The most keys listed.
const MAX_KEYS: usize = 100_000;

/// A vault or managed HSM, and who we are to it.
pub(crate) struct Vault<'a> {
    caller: Caller<'a>,
    client: KeyClient,
    place: Place,
    host: String,
    guard: Arc<Guard>,
}

impl<'a> Vault<'a> {
    /// Settles where the vault is and what to log in with. Asks nobody yet.
    pub(crate) fn new(uri: &AzureUri, context: &OpenContext<'a>) -> Result<Self> {
        let place = Place::find(uri, context)?;
        let options = Options { max_answer_bytes: MAX_ANSWER_BYTES, ..Options::default() };
        let transport = Transport::new(Wire::new(options, false, context)?);
        let guard = Arc::new(Guard {
            sources: credentials::sources(&place, &transport, context)?,
            audiences: place.audiences.clone(),
            found: OnceLock::new(),
            identity: OnceLock::new(),
        });
        let origin = http::Endpoint::parse(&place.endpoint, "the host of the key URI")?.to_string();
        let options = KeyClientOptions {
            client_options: ClientOptions {
                // Ours repeat, which show and bound it.
                retry: RetryOptions::none(),
                transport: Some(SdkTransport::new(Arc::new(transport.only_to(&origin)))),
                ..ClientOptions::default()
            },
            // The guard is stricter: it takes the vault's own service and no part of its name.
            verify_challenge_resource: Some(false),
            ..KeyClientOptions::default()
        };
        let client = KeyClient::new(&place.endpoint, guard.clone(), Some(options)).map_err(|error| {
            Error::new(ErrorKind::BadUri, "cannot use the vault's address").why(error.to_string())
        })?;
        Ok(Self { caller: Caller::new(context, None), client, place, host: uri.host.clone(), guard })
    }

    /// From now on asks no more often than this, unless the context says otherwise.
    pub(crate) fn paced(mut self, max_rate: Option<NonZeroU32>) -> Self {
        self.caller = Caller::new(self.caller.context(), max_rate);
        self
    }

    pub(crate) fn context(&self) -> &OpenContext<'a> {
        self.caller.context()
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Where the credentials are from, for people: all that may be tried, or the one that had a token.
    pub(crate) fn credentials(&self) -> String {
        let found = self.guard.found.get().and_then(|at| self.guard.sources.get(*at));
        found.map_or_else(
            || self.guard.sources.iter().map(|source| source.name).collect::<Vec<_>>().join(", "),
            |source| source.name.to_owned(),
        )
    }

    /// Who the service knows us as, once something was asked.
    pub(crate) fn who(&self) -> &str {
        self.guard.identity.get().map_or("nobody yet", String::as_str)
    }

    /// A key's public half with what it may do, in one version or the newest.
    pub(crate) fn key(&self, name: &str, version: Option<&str>, act: &str) -> Result<Key> {
        self.call(act, "get", (name, version), async || {
            let options = KeyClientGetKeyOptions {
                key_version: version.map(str::to_owned),
                ..KeyClientGetKeyOptions::default()
            };
            self.client.get_key(name, Some(options)).await?.into_model()
        })
    }

    /// Has the vault sign a digest.
    pub(crate) fn sign(
        &self,
        name: &str,
        version: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        act: &str,
    ) -> Result<KeyOperationResult> {
        self.call(act, "sign", (name, Some(version)), async || {
            let body = SignParameters { algorithm: Some(algorithm.clone()), value: Some(digest.to_vec()) };
            let options = KeyClientSignOptions {
                key_version: Some(version.to_owned()),
                ..KeyClientSignOptions::default()
            };
            self.client.sign(name, RequestContent::try_from(body)?, Some(options)).await?.into_model()
        })
    }

    /// Makes a key, or another version of one that is there.
    pub(crate) fn create(&self, name: &str, wish: &CreateKeyParameters, act: &str) -> Result<Key> {
        self.call(act, "create", (name, None), async || {
            self.client.create_key(name, RequestContent::try_from(wish.clone())?, None).await?.into_model()
        })
    }

    /// The ids of all keys, without versions.
    pub(crate) fn keys(&self, act: &str) -> Result<Vec<String>> {
        let all = self.call(act, "list", ("", None), async || {
            let mut pages = std::pin::pin!(self.client.list_key_properties(None)?.into_pages());
            let mut all = Vec::new();
            while let Some(page) = pages.next().await {
                let page: ListKeyPropertiesResult = page?.into_model()?;
                all.extend(page.value.into_iter().filter_map(|key| key.kid));
                if all.len() > MAX_KEYS {
                    break;
                }
            }
            Ok(all)
        })?;
        if all.len() > MAX_KEYS { Err(incomplete(act, "the list does not end")) } else { Ok(all) }
    }

    fn call<T>(
        &self,
        act: &str,
        permission: &'static str,
        (key, version): (&str, Option<&str>),
        send: impl AsyncFn() -> azure_core::Result<T>,
    ) -> Result<T> {
        let once = async || send().await.map_err(Failure::from);
        let outcome = self.caller.call(act, once, |outcome| match outcome {
            Ok(_) => Again::Never,
            Err(failure) => failure.again(),
        })?;
        outcome.map_err(|failure| {
            let credentials = self.credentials();
            let asked = Asked {
                permission,
                key,
                version,
                host: &self.host,
                is_hsm: self.place.is_hsm,
                credentials: &credentials,
            };
            failure.into_error(&format!("cannot {act}"), asked)
        })
    }
}

/// An answer that lacks what this call returns.
pub(crate) fn incomplete(act: &str, why: &str) -> Error {
    Error::new(ErrorKind::Integrity, format!("cannot {act}"))
        .why(why)
        .hint("see that the host is the vault's own, and what stands between")
}
