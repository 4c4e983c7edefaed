//! `awskms://[ENDPOINT]/KEY?region=R&profile=P&role=ARN&endpoint=URL`, parsed strictly.
//!
//! The part before the `?` is Cosign's grammar, with every partition's ARNs. The rest is ours.

use std::fmt;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyUri, hexadecimal};

const WHAT: &str = "cannot read the key URI";

/// What Cosign says of this form, and where ours is larger.
const GRAMMAR: &str =
    "write awskms://[ENDPOINT]/[ID/ALIAS/ARN] (endpoint optional), as in awskms:///alias/release";

/// The longest name of an alias, `alias/` included (CreateAlias in the AWS KMS API reference).
const MAX_ALIAS: usize = 256;

/// Names a key in AWS KMS, or with no key the account's keys in a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsUri {
    /// Cosign's endpoint: a host, with a port or without, reached by https.
    pub host: Option<String>,
    /// Key id, `alias/NAME` or the ARN of either; empty names all.
    pub key: String,
    /// The region; that of an ARN when `None`.
    pub region: Option<String>,
    /// A profile of the AWS configuration.
    pub profile: Option<String>,
    /// The ARN of a role to assume.
    pub role: Option<String>,
    /// An endpoint as a URL, where https is not to be had.
    pub endpoint: Option<String>,
}

impl AwsUri {
    /// Reads what follows the scheme.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] with the byte, counted from the scheme on, where it goes wrong: no slash before the key, a key that
    /// is neither id, alias nor ARN, an unknown or repeated attribute, a region or endpoint said twice and differently.
    pub fn parse(uri: &KeyUri) -> Result<Self> {
        let start = uri.scheme().len() + "://".len();
        let (place, query) =
            uri.rest().split_once('?').map_or((uri.rest(), None), |(place, query)| (place, Some(query)));
        let Some((host, key)) = place.split_once('/') else {
            return Err(bad(start, "no slash stands before the key").hint(GRAMMAR));
        };
        if !host.is_empty() && !is_host(host) {
            return Err(bad(start, "the endpoint is no host name with or without port").hint(GRAMMAR));
        }
        if !key.is_empty() {
            check_key(key).map_err(|why| bad(start + host.len() + 1, why).hint(GRAMMAR))?;
        }
        let host = Some(host.to_owned()).filter(|host| !host.is_empty());
        let mut parsed = Self { host, key: key.to_owned(), ..Self::default() };
        let mut at = start + place.len() + 1;
        for piece in query.into_iter().flat_map(|query| query.split('&')) {
            parsed.take(piece, at)?;
            at += piece.len() + 1;
        }
        if parsed.host.is_some() && parsed.endpoint.is_some() {
            return Err(bad(start, "the endpoint stands there twice").hint("leave one of them out"));
        }
        if let (Some(region), Some(said)) = (parsed.arn_region(), &parsed.region)
            && region != said
        {
            return Err(bad(start, "the ARN is of another region than the attribute says")
                .hint("leave region out: the ARN's is taken"));
        }
        Ok(parsed)
    }

    fn take(&mut self, piece: &str, at: usize) -> Result<()> {
        let Some((name, value)) = piece.split_once('=') else {
            return Err(
                bad(at, "an attribute has no \"=\"").hint("write ?region=eu-west-1, or leave the ? out")
            );
        };
        let value = decode(value).ok_or_else(|| bad(at, "a % is not followed by two hexadecimal digits"))?;
        let (slot, good, why) = match name {
            "region" => (&mut self.region, is_region(&value), "a region is of letters, digits and -"),
            "profile" => (&mut self.profile, is_profile(&value), "a profile is a name without blanks"),
            "role" => {
                (&mut self.role, is_role(&value), "a role is an ARN, as in arn:aws:iam::ACCOUNT:role/NAME")
            }
            "endpoint" => (&mut self.endpoint, is_profile(&value), "an endpoint is a URL"),
            _ => {
                let error = bad(at, "the attribute is not known");
                return Err(error.hint("there are: region, profile, role, endpoint"));
            }
        };
        if !good {
            return Err(bad(at, why));
        }
        if slot.replace(value).is_some() {
            return Err(bad(at, "the attribute stands there twice"));
        }
        Ok(())
    }

    /// The region in the key's ARN.
    pub(crate) fn arn_region(&self) -> Option<&str> {
        self.key.strip_prefix("arn:")?.split(':').nth(2)
    }

    /// Whether it names an alias, by name or ARN.
    pub(crate) fn is_alias(&self) -> bool {
        self.key.starts_with("alias/") || self.key.contains(":alias/")
    }
}

/// The canonical form.
impl fmt::Display for AwsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "awskms://{}/{}", self.host.as_deref().unwrap_or_default(), self.key)?;
        let attributes = [
            ("region", &self.region),
            ("profile", &self.profile),
            ("role", &self.role),
            ("endpoint", &self.endpoint),
        ];
        let mut mark = '?';
        for (name, value) in attributes {
            if let Some(value) = value {
                write!(f, "{mark}{name}={}", value.replace('%', "%25").replace('&', "%26"))?;
                mark = '&';
            }
        }
        Ok(())
    }
}

fn bad(at: usize, why: &str) -> Error {
    Error::new(ErrorKind::BadUri, WHAT).why(format!("at byte {at}: {why}"))
}

fn check_key(key: &str) -> Result<(), &'static str> {
    if let Some(rest) = key.strip_prefix("arn:") {
        // arn:PARTITION:kms:REGION:ACCOUNT:key/ID, or alias/NAME.
        let parts: Vec<_> = rest.splitn(5, ':').collect();
        let [partition, "kms", region, account, resource] = parts[..] else {
            return Err("the ARN is not one of KMS: arn:aws:kms:REGION:ACCOUNT:key/ID, or alias/NAME");
        };
        let account_good = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if !partition.starts_with("aws") || !is_region(partition) || !is_region(region) || !account_good {
            return Err("partition, region or account of the ARN is not one");
        }
        return match resource.strip_prefix("key/") {
            Some(id) if is_id(id) => Ok(()),
            Some(_) => Err("the ARN's key id is not one"),
            None if is_alias(resource) => Ok(()),
            None => Err("the ARN names neither key/ID nor alias/NAME"),
        };
    }
    if key.starts_with("alias/") {
        return if is_alias(key) {
            Ok(())
        } else {
            Err("an alias is of letters, digits and / _ -, at most 256 with alias/")
        };
    }
    if is_id(key) { Ok(()) } else { Err("the key is neither id, nor alias/NAME, nor ARN") }
}

fn is_alias(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
    text.len() <= MAX_ALIAS
        && text.strip_prefix("alias/").is_some_and(|name| !name.is_empty() && name.bytes().all(good))
}

/// A UUID, or the id of a key in several regions: `mrk-` and 32 digits.
fn is_id(text: &str) -> bool {
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(digits) = text.strip_prefix("mrk-") {
        return digits.len() == 32 && hexadecimal(digits);
    }
    let groups: Vec<_> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| hexadecimal(group))
}

fn is_region(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 40
        && text.bytes().all(good)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_profile(text: &str) -> bool {
    !text.is_empty() && text.len() <= 2048 && text.chars().all(|c| !c.is_control() && !c.is_whitespace())
}

fn is_role(text: &str) -> bool {
    is_profile(text) && text.starts_with("arn:aws") && text.contains(":iam::") && text.contains(":role/")
}

/// `HOST[:PORT]`: a name or an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (
            address.parse::<std::net::Ipv6Addr>().is_ok(),
            port.strip_prefix(':').or((!port.is_empty()).then_some("x")),
        ),
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            (!host.is_empty() && host.bytes().all(good), port)
        }
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    host && port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// RFC 3986 2.1; `None` for a broken escape or what is no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.extend(hexadecimal::from_hex(part.get(..2)?)?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
