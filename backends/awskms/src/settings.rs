//! Environment variables, and with the URI: which region, which endpoint.

use std::ffi::OsString;

use countersign_core::context::{Event, TrustLevel};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::Endpoint;
use countersign_core::{OpenContext, Variable};

use crate::uri::AwsUri;

/// Those that we read, and those that the SDK's chain of credentials reads by itself.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new(
        "AWS_REGION",
        "is the region for URIs that name none; AWS_DEFAULT_REGION after it",
        "a region, as in eu-west-1",
    ),
    Variable::new("AWS_ENDPOINT_URL_KMS", "is the address of KMS; AWS_ENDPOINT_URL after it", "a URL"),
    Variable::new("AWS_ACCESS_KEY_ID", "is the access key to sign requests with", "an access key id"),
    Variable::secret("AWS_SECRET_ACCESS_KEY", "is that key's secret", "a secret access key"),
    Variable::secret("AWS_SESSION_TOKEN", "goes with an access key that ends", "a session token"),
    Variable::new("AWS_PROFILE", "chooses the profile in ~/.aws", "a profile's name"),
    Variable::new("AWS_CONFIG_FILE", "is read in place of ~/.aws/config", "a file"),
    Variable::new("AWS_SHARED_CREDENTIALS_FILE", "is read in place of ~/.aws/credentials", "a file"),
    Variable::new("AWS_ROLE_ARN", "is the role for AWS_WEB_IDENTITY_TOKEN_FILE", "an ARN"),
    Variable::new("AWS_ROLE_SESSION_NAME", "is what that session is called", "a name"),
    Variable::new("AWS_WEB_IDENTITY_TOKEN_FILE", "holds the token of another issuer, as in EKS", "a file"),
    Variable::new(
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "is where a container gets its credentials",
        "a path",
    ),
    Variable::new("AWS_CONTAINER_CREDENTIALS_FULL_URI", "is the same as a whole address", "a URL"),
    Variable::secret("AWS_CONTAINER_AUTHORIZATION_TOKEN", "is sent to that address", "a token"),
    Variable::new(
        "AWS_EC2_METADATA_DISABLED",
        "true: the machine is not asked for credentials",
        "true or false",
    ),
    Variable::new("AWS_CA_BUNDLE", "names the certificates that TLS with AWS trusts", "a file in PEM"),
];

/// A variable's value; one that is empty or no text counts as not set.
pub(crate) fn text(context: &OpenContext<'_>, name: &str) -> Option<String> {
    context.environment.variable(name).map(OsString::into_string)?.ok().filter(|value| !value.is_empty())
}

/// The region that URI and environment name; the profile may name one too.
pub(crate) fn region(uri: &AwsUri, context: &OpenContext<'_>) -> Option<String> {
    uri.arn_region()
        .map(str::to_owned)
        .or_else(|| uri.region.clone())
        .or_else(|| ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| text(context, name)))
}

/// The endpoint that URI or environment name; `None`: the region's own.
pub(crate) fn endpoint(uri: &AwsUri, context: &OpenContext<'_>) -> Result<Option<Endpoint>> {
    let from_uri = match (&uri.host, &uri.endpoint) {
        (Some(host), _) => Some(Endpoint::parse(&format!("https://{host}"), "the endpoint of the key URI")?),
        (None, Some(url)) => Some(Endpoint::parse(url, "the endpoint of the key URI")?),
        (None, None) => None,
    };
    if let Some(endpoint) = from_uri {
        context.events.event(Event::Warning(format!("the key URI sends requests to {endpoint}")));
        return Ok(Some(endpoint));
    }
    let names = ["AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL"];
    let Some((name, url)) = names.into_iter().find_map(|name| Some((name, text(context, name)?))) else {
        return Ok(None);
    };
    Endpoint::parse(&url, name).map(Some)
}

/// What a URI in data may not choose: where credentials go, and whose they are.
pub(crate) fn refuse_untrusted(uri: &AwsUri, context: &OpenContext<'_>) -> Result<()> {
    let chooses = uri.host.is_some() || uri.endpoint.is_some() || uri.profile.is_some() || uri.role.is_some();
    if context.trust == TrustLevel::Operator || !chooses {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Denied, "cannot use a key URI from a policy or other data")
        .why("it names an endpoint, profile or role")
        .hint("name them in the environment: AWS_ENDPOINT_URL_KMS, AWS_PROFILE"))
}

#[cfg(test)]
mod tests {
    use countersign_core::KeyUri;
    use countersign_core::conformance::World;

    use super::*;

    fn uri(text: &str) -> AwsUri {
        AwsUri::parse(&KeyUri::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn the_arn_goes_before_the_attribute_and_that_before_the_environment() {
        let world = World::default().set("AWS_REGION", "eu-west-1").set("AWS_DEFAULT_REGION", "eu-west-2");
        let found = |text: &str| region(&uri(text), &world.context());
        assert_eq!(found("awskms:///alias/x").as_deref(), Some("eu-west-1"));
        assert_eq!(found("awskms:///alias/x?region=us-east-1").as_deref(), Some("us-east-1"));
        let arn = "awskms:///arn:aws:kms:us-east-2:111122223333:alias/x";
        assert_eq!(found(arn).as_deref(), Some("us-east-2"));
        let empty = World::default().set("AWS_REGION", "").set("AWS_DEFAULT_REGION", "eu-west-2");
        assert_eq!(region(&uri("awskms:///alias/x"), &empty.context()).as_deref(), Some("eu-west-2"));
    }

    #[test]
    fn an_endpoint_in_the_uri_is_warned_of_and_taken_first() {
        let world = World::default()
            .set("AWS_ENDPOINT_URL", "https://all.example.com")
            .set("AWS_ENDPOINT_URL_KMS", "https://kms.example.com");
        let found =
            |text: &str| endpoint(&uri(text), &world.context()).unwrap().map(|found| found.to_string());
        assert_eq!(found("awskms:///alias/x").as_deref(), Some("https://kms.example.com"));
        assert!(world.events().is_empty());
        assert_eq!(found("awskms://host:1/alias/x").as_deref(), Some("https://host:1"));
        assert_eq!(world.events().len(), 1);
        assert!(endpoint(&uri("awskms:///alias/x"), &World::default().context()).unwrap().is_none());
    }

    #[test]
    fn data_chooses_neither_endpoint_nor_identity() {
        let world = World::default();
        let data = OpenContext { trust: TrustLevel::Data, ..world.context() };
        for text in [
            "awskms://host/alias/x",
            "awskms:///alias/x?endpoint=https://host",
            "awskms:///alias/x?profile=ci",
            "awskms:///alias/x?role=arn:aws:iam::111122223333:role/x",
        ] {
            assert_eq!(refuse_untrusted(&uri(text), &data).unwrap_err().kind(), ErrorKind::Denied, "{text}");
            assert!(refuse_untrusted(&uri(text), &world.context()).is_ok(), "{text}");
        }
        assert!(refuse_untrusted(&uri("awskms:///alias/x?region=eu-west-1"), &data).is_ok());
    }
}
