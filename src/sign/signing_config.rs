//! Sigstore's signing config: which services a signature is sent to. Today only one that names none is taken.

use std::path::Path;
use std::time::Instant;

use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;

/// The largest signing config read; real ones have a few kilobytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// protobuf-specs `SigningConfig`.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SigningConfig {
    media_type: String,
    #[serde(default)]
    ca_urls: Vec<Value>,
    #[serde(default)]
    oidc_urls: Vec<Value>,
    #[serde(default)]
    rekor_tlog_urls: Vec<Value>,
    #[serde(default)]
    rekor_tlog_config: Value,
    #[serde(default)]
    tsa_urls: Vec<Value>,
    #[serde(default)]
    tsa_config: Value,
}

/// Reads the config and refuses one whose services would have to be asked for a signature by a key.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when it names a log or timestamp service, [`ErrorKind::Integrity`] when it is no config.
pub fn demand_no_service(path: &Path, deadline: Option<Instant>) -> Result<()> {
    let what = || format!("cannot use the signing config {}", path.display());
    let bytes = bounded::read(path, MAX_BYTES, deadline)
        .map_err(|cause| Error::io("read the signing config", path.display(), cause))?;
    let damaged = |why: String| Error::new(ErrorKind::Integrity, what()).why(why);
    let config: SigningConfig = serde_json::from_slice(&bytes).map_err(|cause| damaged(cause.to_string()))?;
    if config.media_type != MEDIA_TYPE {
        return Err(damaged(format!("its media type is \"{}\", expected {MEDIA_TYPE}", config.media_type)));
    }
    // Certificate authorities and OIDC providers are asked for keyless signing only; the selectors alone ask nobody.
    let _ = (&config.ca_urls, &config.oidc_urls, &config.rekor_tlog_config, &config.tsa_config);
    for (services, name) in
        [(&config.rekor_tlog_urls, "transparency logs"), (&config.tsa_urls, "timestamp services")]
    {
        if !services.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, what())
                .why(format!("it names {name}, and asking them is still to come"))
                .hint("give a signing config that names none"));
        }
    }
    Ok(())
}
