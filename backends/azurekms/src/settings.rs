//! Environment variables, and with the URI: which cloud, and whether its host may have a token.

use std::ffi::OsString;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{OpenContext, Variable};

use crate::uri::AzureUri;

/// Hosts beside the clouds' own that tokens may go to.
const HOSTS: &str = "COUNTERSIGN_AZURE_HOSTS";

/// Those that we read, and those that the SDK reads by itself where a machine has an identity.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("AZURE_TENANT_ID", "is the directory of whoever signs", "a tenant's id"),
    Variable::new("AZURE_CLIENT_ID", "is the application, or the managed identity of several", "a client id"),
    Variable::secret("AZURE_CLIENT_SECRET", "is that application's secret", "a client secret"),
    Variable::new(
        "AZURE_CLIENT_CERTIFICATE_PATH",
        "holds a certificate of the application and its RSA key, in place of a secret",
        "a file in PEM",
    ),
    Variable::secret(
        "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        "opens that key where it is encrypted",
        "a password",
    ),
    Variable::new("AZURE_FEDERATED_TOKEN_FILE", "holds the token of another issuer, as in AKS", "a file"),
    Variable::new("AZURE_AUTHORITY_HOST", "is where logins go, in place of the cloud's own", "an https URL"),
    Variable::new(
        "AZURE_ENVIRONMENT",
        "is the cloud, for hosts that do not tell it",
        "AZUREPUBLICCLOUD, AZUREUSGOVERNMENT or AZURECHINACLOUD",
    ),
    Variable::new(
        "AZURE_TOKEN_CREDENTIALS",
        "narrows where credentials are looked for",
        "prod, dev, EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential or AzureCLICredential",
    ),
    Variable::new(
        HOSTS,
        "allows tokens to these hosts, beside those of Key Vault and Managed HSM",
        "host names, separated by commas",
    ),
    Variable::new("IDENTITY_ENDPOINT", "is where App Service gives a machine its tokens", "a URL"),
    Variable::secret("IDENTITY_HEADER", "is sent to that address", "a secret"),
];

/// A cloud: the ends of its hosts, and where its users log in.
pub(crate) struct Cloud {
    suffixes: [&'static str; 2],
    authority: &'static str,
    /// What Cosign v3.1.3 calls it in `AZURE_ENVIRONMENT`.
    names: [&'static str; 2],
}

/// Public, US government, China (azure.microsoft.com, "Azure Key Vault security worlds", "DNS suffixes").
const CLOUDS: [Cloud; 3] = [
    Cloud {
        suffixes: ["vault.azure.net", "managedhsm.azure.net"],
        authority: "https://login.microsoftonline.com",
        names: ["AZURECLOUD", "AZUREPUBLICCLOUD"],
    },
    Cloud {
        suffixes: ["vault.usgovcloudapi.net", "managedhsm.usgovcloudapi.net"],
        authority: "https://login.microsoftonline.us",
        names: ["AZUREUSGOVERNMENT", "AZUREUSGOVERNMENTCLOUD"],
    },
    Cloud {
        suffixes: ["vault.azure.cn", "managedhsm.azure.cn"],
        authority: "https://login.chinacloudapi.cn",
        names: ["AZURECHINACLOUD", "AZURECHINACLOUD"],
    },
];

/// Where a vault is, and whose tokens it may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// `https://HOST[:PORT]`.
    pub(crate) endpoint: String,
    /// Where logins go.
    pub(crate) authority: String,
    /// The services that a token may be made out for: the vault's own, or those of all clouds where the host does not tell.
    pub(crate) audiences: Vec<&'static str>,
    /// Whether the host is a managed HSM's.
    pub(crate) is_hsm: bool,
    /// Whether the host belongs to a cloud of ours to know.
    pub(crate) is_known: bool,
}

impl Place {
    /// Settles where the URI's host is.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for a host that is neither Key Vault's nor Managed HSM's nor allowed by name;
    /// [`ErrorKind::BadUri`] for a cloud or authority that is none.
    pub(crate) fn find(uri: &AzureUri, context: &OpenContext<'_>) -> Result<Self> {
        let known = CLOUDS.iter().find_map(|cloud| Some((cloud, suffix(cloud, uri.host_name())?)));
        // A port that is not https's own is nobody's vault.
        let known = known.filter(|_| uri.host == uri.host_name());
        if known.is_none() && !is_allowed(uri, context) {
            return Err(Error::new(ErrorKind::Denied, format!("cannot send a token to {}", uri.host))
                .why("it is no host of Key Vault or Managed HSM")
                .hint(format!("see that the host is right; if it is yours: {HOSTS}={}", uri.host)));
        }
        let cloud = known.map_or_else(|| named(context), |(cloud, _)| Ok(cloud))?;
        let authority = match text(context, "AZURE_AUTHORITY_HOST") {
            Some(url) if url.starts_with("https://") => url,
            Some(_) => {
                return Err(Error::new(ErrorKind::BadUri, "cannot use AZURE_AUTHORITY_HOST")
                    .why("it does not begin with https://")
                    .hint(
                        "leave it out, or set it to an address such as https://login.microsoftonline.com",
                    ));
            }
            None => cloud.authority.to_owned(),
        };
        Ok(Self {
            endpoint: format!("https://{}", uri.host),
            authority,
            audiences: known.map_or_else(
                || CLOUDS.iter().flat_map(|cloud| cloud.suffixes).collect(),
                |(_, suffix)| vec![suffix],
            ),
            is_hsm: known.is_some_and(|(_, suffix)| suffix.starts_with("managedhsm.")),
            is_known: known.is_some(),
        })
    }
}

fn suffix(cloud: &Cloud, host: &str) -> Option<&'static str> {
    let of =
        |suffix: &&str| host.strip_suffix(*suffix).is_some_and(|name| name.len() > 1 && name.ends_with('.'));
    cloud.suffixes.into_iter().find(of)
}

fn is_allowed(uri: &AzureUri, context: &OpenContext<'_>) -> bool {
    let allowed = text(context, HOSTS).unwrap_or_default();
    allowed.split(',').any(|host| [uri.host.as_str(), uri.host_name()].contains(&host.trim()))
}

/// The cloud that the environment names; the public one when it names none.
fn named(context: &OpenContext<'_>) -> Result<&'static Cloud> {
    let Some(name) = text(context, "AZURE_ENVIRONMENT") else { return Ok(&CLOUDS[0]) };
    CLOUDS.iter().find(|cloud| cloud.names.contains(&name.to_ascii_uppercase().as_str())).ok_or_else(|| {
        Error::new(ErrorKind::BadUri, "cannot use AZURE_ENVIRONMENT")
            .why("it names no cloud that is known")
            .hint("there are: AZUREPUBLICCLOUD, AZUREUSGOVERNMENT, AZURECHINACLOUD")
    })
}

/// A variable's value; one that is empty or no text counts as not set.
pub(crate) fn text(context: &OpenContext<'_>, name: &str) -> Option<String> {
    context.environment.variable(name).map(OsString::into_string)?.ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use countersign_core::KeyUri;
    use countersign_core::conformance::World;

    use super::*;

    fn find(host: &str, world: &World) -> Result<Place> {
        let uri = AzureUri::parse(&KeyUri::parse(&format!("azurekms://{host}/k")).unwrap()).unwrap();
        Place::find(&uri, &world.context())
    }

    #[test]
    fn each_host_has_its_own_authority_and_audience() {
        for (host, authority, audience, is_hsm) in [
            ("t.vault.azure.net", "https://login.microsoftonline.com", "vault.azure.net", false),
            ("t.managedhsm.azure.net", "https://login.microsoftonline.com", "managedhsm.azure.net", true),
            (
                "t.vault.usgovcloudapi.net",
                "https://login.microsoftonline.us",
                "vault.usgovcloudapi.net",
                false,
            ),
            ("t.vault.azure.cn", "https://login.chinacloudapi.cn", "vault.azure.cn", false),
            ("t.managedhsm.azure.cn", "https://login.chinacloudapi.cn", "managedhsm.azure.cn", true),
        ] {
            // The host tells more than the variable.
            let world = World::default().set("AZURE_ENVIRONMENT", "AZUREUSGOVERNMENT");
            let place = find(host, &world).unwrap();
            assert_eq!(
                (place.authority.as_str(), place.audiences, place.is_hsm),
                (authority, vec![audience], is_hsm)
            );
            assert_eq!(place.endpoint, format!("https://{host}"));
        }
        let world = World::default().set("AZURE_AUTHORITY_HOST", "https://login.example.com");
        assert_eq!(find("t.vault.azure.net", &world).unwrap().authority, "https://login.example.com");
        let plain = World::default().set("AZURE_AUTHORITY_HOST", "http://login.example.com");
        assert_eq!(find("t.vault.azure.net", &plain).unwrap_err().kind(), ErrorKind::BadUri);
    }

    #[test]
    fn other_hosts_have_no_token_unless_the_user_says_so() {
        for host in [
            "vault.azure.net",
            "example.com",
            "t.vault.azure.net.example.com",
            "tvault.azure.net",
            "t.vault.azure.net:8443",
            "127.0.0.1:1",
        ] {
            assert_eq!(find(host, &World::default()).unwrap_err().kind(), ErrorKind::Denied, "{host}");
        }
        let world =
            World::default().set(HOSTS, "other, example.com").set("AZURE_ENVIRONMENT", "AzureChinaCloud");
        let place = find("example.com:8443", &world).unwrap();
        assert_eq!(place.authority, "https://login.chinacloudapi.cn");
        assert!(!place.is_known && place.audiences.len() == 6);
        assert!(find("sub.example.com", &world).is_err());
        let unknown = World::default().set(HOSTS, "example.com").set("AZURE_ENVIRONMENT", "MOON");
        assert_eq!(find("example.com", &unknown).unwrap_err().kind(), ErrorKind::BadUri);
    }
}
