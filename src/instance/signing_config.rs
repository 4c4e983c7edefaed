//! Signing configs (protobuf-specs `SigningConfig`, version 0.2), as `signing-config create` writes them.

use countersign_core::error::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::period;
use super::spec::Spec;
use crate::json;
use crate::services::config::MEDIA_TYPE;

/// The fields of a service.
pub const SERVICE: &[&str] = &["url", "api-version", "start-time", "end-time", "operator"];

/// One of its four lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Authorities of certificates.
    Authorities,
    /// OIDC providers.
    Providers,
    /// Transparency logs.
    Logs,
    /// Timestamp authorities.
    TimestampAuthorities,
}

impl Part {
    const fn field(self) -> &'static str {
        match self {
            Self::Authorities => "caUrls",
            Self::Providers => "oidcUrls",
            Self::Logs => "rekorTlogUrls",
            Self::TimestampAuthorities => "tsaUrls",
        }
    }

    /// What says how many of the list are asked.
    const fn choice(self) -> Option<&'static str> {
        match self {
            Self::Logs => Some("rekorTlogConfig"),
            Self::TimestampAuthorities => Some("tsaConfig"),
            Self::Authorities | Self::Providers => None,
        }
    }
}

/// A signing config being put together.
#[derive(Debug)]
pub struct Draft(Value);

impl Default for Draft {
    fn default() -> Self {
        Self(json!({ "mediaType": MEDIA_TYPE, "rekorTlogConfig": {}, "tsaConfig": {} }))
    }
}

impl Draft {
    /// Takes these lists over from another signing config, and how they choose.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] for damaged JSON; [`ErrorKind::Unsupported`] for another version.
    pub fn take(&mut self, bytes: &[u8], parts: &[Part]) -> Result<()> {
        let failed = |kind, why: String| Error::new(kind, "cannot begin with that signing config").why(why);
        let other = json::parse(bytes).map_err(|why| failed(ErrorKind::Integrity, why))?;
        let media_type = other.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        if media_type != MEDIA_TYPE {
            let why = format!("its media type is \"{media_type}\", expected {MEDIA_TYPE}");
            return Err(failed(ErrorKind::Unsupported, why));
        }
        for part in parts {
            for one in other.get(part.field()).and_then(Value::as_array).into_iter().flatten() {
                self.push(*part, one.clone());
            }
            if let Some(choice) = part.choice().filter(|choice| other.get(choice).is_some()) {
                self.0[choice] = other[choice].clone();
            }
        }
        Ok(())
    }

    /// Adds a service.
    ///
    /// # Errors
    /// Those of the specification.
    pub fn add(&mut self, part: Part, spec: &Spec) -> Result<()> {
        let (url, operator, version) =
            (spec.url()?, spec.required("operator")?, spec.required("api-version")?);
        let version: u32 =
            version.parse().ok().filter(|version| *version > 0).ok_or_else(|| {
                spec.bad(format!("api-version={version} is no version")).hint("write 1 or 2")
            })?;
        let (start, end) = spec.period(None)?;
        let service = json!({
            "url": url,
            "majorApiVersion": version,
            "validFor": period(start, end),
            "operator": operator,
        });
        self.push(part, service);
        Ok(())
    }

    /// Says how many are asked: `ANY`, `ALL` or `EXACT:COUNT`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn choose(&mut self, part: Part, text: &str) -> std::result::Result<(), String> {
        let expected = || format!("expected ANY, ALL or EXACT:COUNT, found \"{text}\"");
        let (selector, count) = match text.split_once(':') {
            Some((selector, count)) => (selector, Some(count)),
            None => (text, None),
        };
        let choice = match (selector.to_ascii_uppercase().as_str(), count) {
            ("ANY", None) => json!({ "selector": "ANY" }),
            ("ALL", None) => json!({ "selector": "ALL" }),
            ("EXACT", Some(count)) => {
                let count = count.parse::<u32>().ok().filter(|count| *count > 0).ok_or_else(expected)?;
                let listed = self.0.get(part.field()).and_then(Value::as_array).map_or(0, Vec::len);
                if listed < count as usize {
                    return Err(format!("exactly {count} are to be asked, and {listed} are named"));
                }
                json!({ "selector": "EXACT", "count": count })
            }
            _ => return Err(expected()),
        };
        if let Some(field) = part.choice() {
            self.0[field] = choice;
        }
        Ok(())
    }

    /// The file.
    pub fn to_json(&self) -> String {
        self.0.to_string()
    }

    fn push(&mut self, part: Part, one: Value) {
        let list =
            self.0.as_object_mut().map(|config| config.entry(part.field()).or_insert_with(|| json!([])));
        if let Some(list) = list.and_then(Value::as_array_mut) {
            list.push(one);
        }
    }
}
