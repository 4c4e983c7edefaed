//! Hands tokens to the SDK's client of vaults: only those made out for a vault, from the first source that has one.

use std::sync::OnceLock;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error as SdkError, ErrorKind as SdkErrorKind};
use azure_core::json::from_json;
use azure_core::{Value, base64};
use countersign_core::error::{Error, ErrorKind};

use crate::credentials::Source;
use crate::transport::carried;

/// A login that failed; `errors.rs` finds it inside what the client of vaults says.
#[derive(Debug)]
pub(crate) enum LoginFailed {
    /// The one source that there is.
    One(SdkError),
    /// Each of several, with its name.
    All(Vec<(&'static str, SdkError)>),
}

impl std::fmt::Display for LoginFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the login failed")
    }
}

impl std::error::Error for LoginFailed {}

/// The sources, in their order.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) sources: Vec<Source>,
    pub(crate) audiences: Vec<&'static str>,
    /// The source that had a token: the others are not asked again.
    pub(crate) found: OnceLock<usize>,
    /// Who the token says we are, for people.
    pub(crate) identity: OnceLock<String>,
}

impl Guard {
    /// The service that a token is asked for is named by whoever answers: only a vault's may be.
    fn check(&self, scopes: &[&str]) -> azure_core::Result<()> {
        let ours = |scope: &&str| {
            let audience = scope.strip_prefix("https://").and_then(|scope| scope.strip_suffix("/.default"));
            audience.is_some_and(|audience| self.audiences.contains(&audience.trim_end_matches('/')))
        };
        if !scopes.is_empty() && scopes.iter().all(ours) {
            return Ok(());
        }
        let asked = scopes.join(" ").escape_debug().take(200).collect::<String>();
        Err(carried(
            Error::new(ErrorKind::Denied, "cannot get a token")
                .why(format!("the host asks for one for {asked}, which is not its to ask for"))
                .hint("see that the host in the key URI is right"),
        ))
    }
}

#[async_trait]
impl TokenCredential for Guard {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.check(scopes)?;
        let failed = |why| SdkError::new(SdkErrorKind::Credential, why);
        let mut all = Vec::new();
        for (at, source) in self.sources.iter().enumerate() {
            if self.found.get().is_some_and(|found| *found != at) {
                continue;
            }
            match source.token(scopes, options.clone()).await {
                Ok(token) => {
                    // Another thread may have been first, with the same source.
                    let _ = self.found.set(at);
                    let _ = self.identity.set(identity(token.token.secret()));
                    return Ok(token);
                }
                Err(error) if self.sources.len() == 1 => return Err(failed(LoginFailed::One(error))),
                Err(error) => all.push((source.name, error)),
            }
        }
        Err(failed(LoginFailed::All(all)))
    }
}

/// What a token tells of whom it was made out to (learn.microsoft.com, "Access token claims reference"); nothing is decided by it.
fn identity(token: &str) -> String {
    let claims =
        token.split('.').nth(1).and_then(|claims| base64::decode_url_safe(claims).ok()).unwrap_or_default();
    let claims: Value = from_json(&claims).unwrap_or_default();
    let names = [("upn", "user"), ("appid", "application"), ("oid", "object"), ("tid", "tenant")];
    let told = names.into_iter().filter_map(|(claim, name)| {
        claims[claim].as_str().map(|value| format!("{name} {}", crate::errors::words(value)))
    });
    let told = told.collect::<Vec<_>>().join(", ");
    if told.is_empty() { "somebody whose token does not say who".to_owned() } else { told }
}
