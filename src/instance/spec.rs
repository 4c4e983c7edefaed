//! A part of an instance in one argument: `url=https://log.example.com,public-key=log.pub,start-time=2025-01-01T00:00:00Z`.

use std::collections::BTreeMap;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::Endpoint;
use jiff::Timestamp;

/// Fields by name, with the flag that they were given to.
#[derive(Debug)]
pub struct Spec {
    flag: &'static str,
    fields: BTreeMap<&'static str, String>,
}

impl Spec {
    /// Takes an argument apart.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for what is no `name=value`, a field that is not of `known`, and one that stands twice.
    pub fn parse(flag: &'static str, text: &str, known: &[&'static str]) -> Result<Self> {
        let mut spec = Self { flag, fields: BTreeMap::new() };
        for pair in text.split(',') {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(spec.bad(format!("\"{pair}\" is no name=value")));
            };
            let name = name.trim();
            let Some(name) = known.iter().copied().find(|known| *known == name) else {
                return Err(spec
                    .bad(format!("there is no field \"{name}\""))
                    .hint(format!("the fields are: {}", known.join(", "))));
            };
            if spec.fields.insert(name, value.trim().to_owned()).is_some() {
                return Err(spec.bad(format!("the field {name} stands twice")));
            }
        }
        Ok(spec)
    }

    /// The same from flags that Cosign had for each field.
    pub fn of(flag: &'static str, fields: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Self {
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Self { flag, fields }
    }

    /// An optional field; one without a value counts as left out.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it is not.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| self.bad(format!("the field {name} is missing")))
    }

    /// The address, checked.
    ///
    /// # Errors
    /// Those of [`Spec::required`]; [`ErrorKind::Unsupported`] for what is no http or https address.
    pub fn url(&self) -> Result<&str> {
        let url = self.required("url")?;
        match Endpoint::parse(url, "url") {
            Ok(_) => Ok(url),
            Err(error) => Err(self
                .bad(format!("url={url}: {}", error.cause().unwrap_or_default()))
                .hint("write an address such as https://log.example.com")),
        }
    }

    /// A time, RFC 3339.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for what is none.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let time = text.parse().map_err(|_| {
            self.bad(format!("{name}={text} is no time"))
                .hint("write it as in 2025-01-01T00:00:00Z (RFC 3339)")
        });
        time.map(Some)
    }

    /// From and until when; `start` stands where no start is named.
    ///
    /// # Errors
    /// Those of [`Spec::time`]; [`ErrorKind::Unsupported`] for an end that is not after the start.
    pub fn period(&self, start: Option<Timestamp>) -> Result<(Timestamp, Option<Timestamp>)> {
        let (named, end) = (self.time("start-time")?, self.time("end-time")?);
        let start = named.or(start).ok_or_else(|| self.bad("the field start-time is missing".to_owned()))?;
        if let Some(end) = end.filter(|end| *end <= start) {
            return Err(self.bad(format!("it ends at {end}, not after its start at {start}")));
        }
        Ok((start, end))
    }

    /// What is wrong with it.
    pub fn bad(&self, why: String) -> Error {
        Error::new(ErrorKind::Unsupported, format!("cannot use --{}", self.flag)).why(why)
    }
}
