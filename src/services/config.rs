//! Sigstore's signing config (protobuf-specs `sigstore_trustroot.proto`, `SigningConfig` 0.2): which services a signature is
//! sent to.

use std::path::Path;
use std::time::Instant;

use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{LogVersion, Services};
use crate::json;

/// The largest signing config read; real ones have a few kilobytes.
pub const MAX_BYTES: u64 = 1024 * 1024;
/// The media type of a signing config.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
/// Versions of their interfaces that are spoken here, the preferred one first.
const LOG_VERSIONS: &[u32] = &[2, 1];
const TIMESTAMP_VERSIONS: &[u32] = &[1];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SigningConfig {
    media_type: String,
    // Certificate authorities and OIDC providers are asked for keyless signing only.
    #[serde(default, rename = "caUrls")]
    _ca_urls: Value,
    #[serde(default, rename = "oidcUrls")]
    _oidc_urls: Value,
    #[serde(default)]
    rekor_tlog_urls: Vec<Service>,
    #[serde(default)]
    rekor_tlog_config: Choice,
    #[serde(default)]
    tsa_urls: Vec<Service>,
    #[serde(default)]
    tsa_config: Choice,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Service {
    url: String,
    #[serde(default)]
    major_api_version: u32,
    #[serde(default)]
    valid_for: Validity,
    #[serde(default)]
    operator: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Validity {
    #[serde(default, deserialize_with = "time")]
    start: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    end: Option<Timestamp>,
}

/// RFC 3339.
fn time<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Timestamp>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    #[serde(default)]
    selector: Selector,
    #[serde(default)]
    count: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Selector {
    #[default]
    #[serde(rename = "SERVICE_SELECTOR_UNDEFINED")]
    Undefined,
    All,
    Any,
    Exact,
}

/// Reads a signing config and chooses the services to ask at `now`.
///
/// # Errors
/// [`ErrorKind::Integrity`] when it is no signing config; [`ErrorKind::Unsupported`] for another version of it, and where too few
/// of its services are valid and speak a version that is known here.
pub fn load(path: &Path, now: Timestamp, deadline: Option<Instant>) -> Result<Services> {
    let bytes = bounded::read(path, MAX_BYTES, deadline)
        .map_err(|cause| Error::io("read the signing config", path.display(), cause))?;
    parse(&bytes, now)
        .map_err(|error| error.with_what(|_| format!("cannot use the signing config {}", path.display())))
}

/// The same from JSON.
///
/// # Errors
/// Those of [`load`].
pub fn parse(bytes: &[u8], now: Timestamp) -> Result<Services> {
    let what = "cannot use the signing config";
    let damaged = |why: String| Error::new(ErrorKind::Integrity, what).why(why);
    let value = json::parse(bytes).map_err(damaged)?;
    let config: SigningConfig = serde_json::from_value(value).map_err(|cause| damaged(cause.to_string()))?;
    if config.media_type != MEDIA_TYPE {
        let why = format!("its media type is \"{}\", expected {MEDIA_TYPE}", config.media_type);
        return Err(Error::new(ErrorKind::Unsupported, what).why(why));
    }
    let too_few = |why: String| {
        Error::new(ErrorKind::Unsupported, what).why(why).hint(
            "ask who runs the instance for its current signing config, and check the clock of this machine",
        )
    };
    let logs = choose(&config.rekor_tlog_urls, &config.rekor_tlog_config, LOG_VERSIONS, now)
        .map_err(|why| too_few(format!("its transparency logs: {why}")))?;
    let timestamps = choose(&config.tsa_urls, &config.tsa_config, TIMESTAMP_VERSIONS, now)
        .map_err(|why| too_few(format!("its timestamp authorities: {why}")))?;
    let version = |service: &Service| match service.major_api_version {
        2 => LogVersion::Two,
        _ => LogVersion::One,
    };
    Ok(Services {
        logs: logs.iter().map(|log| (log.url.clone(), version(log))).collect(),
        timestamps: timestamps.into_iter().map(|authority| authority.url).collect(),
        ..Services::default()
    })
}

/// Those of the services that are to be asked: valid now, of a version spoken here, of each operator the newest; then as
/// many as the selector says, each of another operator.
fn choose(
    services: &[Service],
    choice: &Choice,
    versions: &[u32],
    now: Timestamp,
) -> std::result::Result<Vec<Service>, String> {
    if services.is_empty() {
        return Ok(Vec::new());
    }
    let valid = |service: &&Service| {
        let Validity { start, end } = &service.valid_for;
        start.is_none_or(|start| start <= now) && end.is_none_or(|end| now < end)
    };
    let mut usable: Vec<_> =
        services.iter().filter(valid).filter(|one| versions.contains(&one.major_api_version)).collect();
    usable.sort_by_key(|one| std::cmp::Reverse(one.major_api_version));
    let mut chosen: Vec<&Service> = Vec::new();
    for service in usable {
        let of_operator = chosen.iter().find(|other| other.operator == service.operator);
        let newer = of_operator.is_some_and(|other| other.major_api_version > service.major_api_version);
        if of_operator.is_none() || choice.selector == Selector::All && !newer {
            chosen.push(service);
        }
    }
    let wanted = match choice.selector {
        Selector::All => chosen.len().max(1),
        Selector::Any | Selector::Undefined => 1,
        Selector::Exact if choice.count > 0 => choice.count,
        Selector::Exact => return Err("exactly 0 are to be asked".to_owned()),
    };
    if chosen.len() < wanted {
        return Err(format!(
            "{} of {} can be asked now (of different operators, in version {}), and {wanted} are to be",
            chosen.len(),
            services.len(),
            versions.iter().map(u32::to_string).collect::<Vec<_>>().join(" or ")
        ));
    }
    Ok(chosen.into_iter().take(wanted).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(logs: &str, choice: &str) -> Result<Vec<(String, LogVersion)>> {
        let text =
            format!(r#"{{"mediaType":"{MEDIA_TYPE}","rekorTlogUrls":[{logs}],"rekorTlogConfig":{choice}}}"#);
        parse(text.as_bytes(), "2026-01-01T00:00:00Z".parse().unwrap()).map(|services| services.logs)
    }

    fn log(name: &str, version: u32, operator: &str, from: &str, until: &str) -> String {
        let end = if until.is_empty() { String::new() } else { format!(r#","end":"{until}""#) };
        format!(
            r#"{{"url":"https://{name}","majorApiVersion":{version},"validFor":{{"start":"{from}"{end}}},"operator":"{operator}"}}"#
        )
    }

    fn names(logs: &str, choice: &str) -> Vec<String> {
        config(logs, choice)
            .unwrap()
            .into_iter()
            .map(|(url, _)| url.trim_start_matches("https://").into())
            .collect()
    }

    #[test]
    fn takes_the_newest_version_of_each_operator() {
        let past = "2025-01-01T00:00:00Z";
        let logs = [
            log("old", 1, "a", past, ""),
            log("new", 2, "a", past, ""),
            log("over", 2, "b", past, "2026-01-01T00:00:00Z"),
            log("soon", 2, "b", "2026-01-02T00:00:00Z", ""),
            log("future", 3, "b", past, ""),
            log("other", 1, "b", past, ""),
        ]
        .join(",");
        assert_eq!(names(&logs, r#"{"selector":"ANY"}"#), ["new"]);
        assert_eq!(names(&logs, r#"{"selector":"ALL"}"#), ["new", "other"]);
        assert_eq!(names(&logs, r#"{"selector":"EXACT","count":2}"#), ["new", "other"]);
        let error = config(&logs, r#"{"selector":"EXACT","count":3}"#).unwrap_err();
        assert!(error.to_string().contains("2 of 6 can be asked now"), "{error}");
        assert!(config(&logs, r#"{"selector":"EXACT"}"#).is_err());
    }

    #[test]
    fn none_named_is_none_asked_and_none_usable_is_an_error() {
        assert_eq!(names("", r#"{"selector":"ALL"}"#), [""; 0]);
        let over = log("over", 2, "b", "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z");
        for choice in ["ANY", "ALL"] {
            assert!(config(&over, &format!(r#"{{"selector":"{choice}"}}"#)).is_err());
        }
        assert!(config("", r#"{"selector":"SOME"}"#).is_err());
        assert!(parse(br#"{"mediaType":"x"}"#, Timestamp::UNIX_EPOCH).is_err());
        let unknown = format!(r#"{{"mediaType":"{MEDIA_TYPE}","more":1}}"#);
        assert!(parse(unknown.as_bytes(), Timestamp::UNIX_EPOCH).is_err());
    }
}
