//! Environment variables, and with the URI: which endpoint.

use std::ffi::OsString;

use countersign_core::context::{Event, TrustLevel};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::Endpoint;
use countersign_core::{OpenContext, Variable};

use crate::uri::GcpUri;

/// The file of application default credentials.
pub(crate) const CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// Who pays for the calls.
pub(crate) const QUOTA_PROJECT: &str = "GOOGLE_CLOUD_QUOTA_PROJECT";

/// gcloud's own name of it.
const ENDPOINT: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS";

/// Hosts that tokens may go to beside Google's.
const HOSTS: &str = "COUNTERSIGN_GCP_HOSTS";

/// Where Cloud KMS is.
const DEFAULT: &str = "https://cloudkms.googleapis.com";

/// Those that we read, and those that the SDK reads by itself.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new(
        CREDENTIALS,
        "names the credentials; else those of gcloud, else the machine's",
        "a file in JSON",
    ),
    Variable::new(QUOTA_PROJECT, "is the project whose quota the calls count against", "a project"),
    Variable::new(ENDPOINT, "is the address of Cloud KMS", "a URL"),
    Variable::new(
        HOSTS,
        "allows tokens to go to these hosts, beside this machine and *.googleapis.com",
        "host names, separated by commas",
    ),
    Variable::new(
        "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
        "1: credentials may come from a program; off with COUNTERSIGN_NO_COMMANDS",
        "1",
    ),
    Variable::new("GCE_METADATA_HOST", "is where a machine asks for its own credentials", "a host and port"),
];

/// A variable's value; one that is empty or no text counts as not set.
pub(crate) fn text(context: &OpenContext<'_>, name: &str) -> Option<String> {
    context.environment.variable(name).map(OsString::into_string)?.ok().filter(|value| !value.is_empty())
}

/// Where requests and their tokens go.
pub(crate) fn endpoint(uri: &GcpUri, context: &OpenContext<'_>) -> Result<Endpoint> {
    if uri.endpoint.is_some() && context.trust == TrustLevel::Data {
        return Err(Error::new(ErrorKind::Denied, "cannot use a key URI from a policy or other data")
            .why("it names an endpoint")
            .hint(format!("name it in the environment: {ENDPOINT}")));
    }
    let endpoint = match (&uri.endpoint, text(context, ENDPOINT)) {
        (Some(url), _) => Endpoint::parse(url, "the endpoint of the key URI")?,
        (None, Some(url)) => Endpoint::parse(&url, ENDPOINT)?,
        (None, None) => return Endpoint::parse(DEFAULT, "the address of Cloud KMS"),
    };
    endpoint.refuse_unasked_plain_http(context)?;
    let host = endpoint.host().to_owned();
    let allowed = text(context, HOSTS).unwrap_or_default();
    let is_google = !endpoint.is_plain() && host.ends_with(".googleapis.com");
    if !is_google && !endpoint.is_loopback() && !allowed.split(',').any(|name| name.trim() == host) {
        return Err(Error::new(ErrorKind::Denied, format!("cannot send tokens to {endpoint}"))
            .why("it is neither Google's nor this machine")
            .hint(format!("if it is yours, set {HOSTS}={host}")));
    }
    if uri.endpoint.is_some() {
        context.events.event(Event::Warning(format!("the key URI sends requests to {endpoint}")));
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use countersign_core::KeyUri;
    use countersign_core::conformance::World;

    use super::*;

    fn uri(end: &str) -> GcpUri {
        let text = format!("gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k{end}");
        GcpUri::parse(&KeyUri::parse(&text).unwrap()).unwrap()
    }

    #[test]
    fn tokens_go_to_google_to_this_machine_and_where_they_may() {
        let found = |url: &str, world: &World| {
            endpoint(&uri(&format!("?endpoint={url}")), &world.context()).map(|found| found.to_string())
        };
        let world = World::default();
        assert_eq!(endpoint(&uri(""), &world.context()).unwrap().to_string(), DEFAULT);
        for url in ["http://127.0.0.1:1", "https://[::1]:1", "https://cloudkms.eu.rep.googleapis.com"] {
            assert_eq!(found(url, &world).unwrap(), url);
        }
        for url in [
            "https://kms.example.com",
            "https://googleapis.com.example.com",
            "https://evilgoogleapis.com",
            "http://cloudkms.googleapis.com",
        ] {
            assert_eq!(found(url, &world).unwrap_err().kind(), ErrorKind::Denied, "{url}");
        }
        let allowing = World::default().set(HOSTS, "a.example.com, kms.example.com");
        assert!(found("https://kms.example.com", &allowing).is_ok());
        assert!(found("https://example.com", &allowing).is_err());
    }

    #[test]
    fn data_names_no_endpoint() {
        let world = World::default().set(ENDPOINT, "http://127.0.0.1:2");
        let data = OpenContext { trust: TrustLevel::Data, ..world.context() };
        let error = endpoint(&uri("?endpoint=http://127.0.0.1:1"), &data).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(endpoint(&uri(""), &data).unwrap().to_string(), "http://127.0.0.1:2");
    }
}
