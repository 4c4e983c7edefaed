//! Who we are to Azure: the sources that the environment of the context leaves, in the order of the SDK that Cosign uses. The
//! SDK asks them; what a machine's own identity is, it also reads from the process's environment.

use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::http::{ClientOptions, RetryOptions, Transport as SdkTransport};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use countersign_core::OpenContext;
use countersign_core::error::{Error, ErrorKind, Result};

use crate::certificate::{self, Assertion};
use crate::settings::{Place, text};
use crate::transport::{Transport, carried};

/// Where a machine in Azure asks for its own tokens (learn.microsoft.com, "How to use managed identities … to acquire an access
/// token"). Without the header of a real request it answers at once, with a refusal.
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// As long as Azure's SDK for Go waits for it.
const METADATA_LIMIT: Duration = Duration::from_secs(1);

/// One place where a token may be had.
#[derive(Debug)]
pub(crate) struct Source {
    /// For people.
    pub(crate) name: &'static str,
    credential: Arc<dyn TokenCredential>,
    /// Whether the machine must first be seen to be in Azure.
    probe: Option<Transport>,
}

impl Source {
    pub(crate) async fn token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if let Some(transport) = &self.probe {
            let sent =
                transport.wire().exchange("GET", METADATA, [].into_iter(), Vec::new(), Some(METADATA_LIMIT));
            sent.await.map_err(|_| {
                carried(
                    Error::new(ErrorKind::NotFound, "cannot get a token")
                        .why("this machine is not one of Azure's"),
                )
            })?;
        }
        self.credential.get_token(scopes, options).await
    }
}

/// Which sources `AZURE_TOKEN_CREDENTIALS` leaves (Azure SDK for Go, `DefaultAzureCredential`).
#[derive(Debug, Clone, Copy)]
struct Wanted {
    environment: bool,
    workload: bool,
    machine: bool,
    person: bool,
}

impl Wanted {
    fn find(context: &OpenContext<'_>) -> Result<Self> {
        let none = Self { environment: false, workload: false, machine: false, person: false };
        let all = Self { environment: true, workload: true, machine: true, person: true };
        let Some(name) = text(context, "AZURE_TOKEN_CREDENTIALS") else { return Ok(all) };
        Ok(match name.to_ascii_lowercase().as_str() {
            "prod" => Self { person: false, ..all },
            "dev" | "azureclicredential" => Self { person: true, ..none },
            "environmentcredential" => Self { environment: true, ..none },
            "workloadidentitycredential" => Self { workload: true, ..none },
            "managedidentitycredential" => Self { machine: true, ..none },
            _ => {
                return Err(Error::new(ErrorKind::BadUri, "cannot use AZURE_TOKEN_CREDENTIALS")
                    .why("it names no source of credentials that is known")
                    .hint(
                        "there are: prod, dev, EnvironmentCredential, WorkloadIdentityCredential, \
                         ManagedIdentityCredential, AzureCLICredential",
                    ));
            }
        })
    }
}

/// The sources to ask, the first that has a token. An application that the environment names is the only one: nothing else is
/// asked, no machine and no command.
///
/// # Errors
/// [`ErrorKind::BadUri`] for variables that make no sense; [`ErrorKind::Unauthenticated`] where no source is left.
pub(crate) fn sources(
    place: &Place,
    transport: &Transport,
    context: &OpenContext<'_>,
) -> Result<Vec<Source>> {
    let wanted = Wanted::find(context)?;
    let (tenant, client) = (text(context, "AZURE_TENANT_ID"), text(context, "AZURE_CLIENT_ID"));
    let application = tenant.clone().zip(client.clone());
    let source = |name, credential| Source { name, credential, probe: None };
    let options = || options(place, transport);
    if let (true, Some((tenant, client))) = (wanted.environment, &application) {
        if let Some(secret) = text(context, "AZURE_CLIENT_SECRET") {
            let options = ClientSecretCredentialOptions { client_options: options() };
            let made =
                ClientSecretCredential::new(tenant, client.clone(), Secret::new(secret), Some(options));
            return Ok(vec![source(
                "AZURE_CLIENT_SECRET",
                made.map_err(|error| unusable("AZURE_CLIENT_SECRET", &error))?,
            )]);
        }
        if let Some(file) = text(context, certificate::FILE) {
            let audience = format!("{}/{tenant}/oauth2/v2.0/token", place.authority.trim_end_matches('/'));
            let assertion = Assertion::load(&file, client.clone(), audience, context)?;
            let options = ClientAssertionCredentialOptions { client_options: options() };
            let made =
                ClientAssertionCredential::new(tenant.clone(), client.clone(), assertion, Some(options));
            return Ok(vec![source(
                certificate::FILE,
                made.map_err(|error| unusable(certificate::FILE, &error))?,
            )]);
        }
    }
    let federated = text(context, "AZURE_FEDERATED_TOKEN_FILE");
    if let (true, Some((tenant, client)), Some(file)) = (wanted.workload, application, federated) {
        let made = WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions { client_options: options() },
            client_id: Some(client),
            tenant_id: Some(tenant),
            token_file_path: Some(file.into()),
        }));
        return Ok(vec![source(
            "AZURE_FEDERATED_TOKEN_FILE",
            made.map_err(|error| unusable("AZURE_FEDERATED_TOKEN_FILE", &error))?,
        )]);
    }
    let mut found = Vec::new();
    if wanted.machine {
        let made = ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id: client.map(UserAssignedId::ClientId),
            client_options: options(),
        }));
        let names = ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"];
        let asks_metadata = names.into_iter().all(|name| text(context, name).is_none());
        let probe = asks_metadata.then(|| transport.clone());
        found.push(Source {
            name: "this machine's identity",
            credential: made.map_err(|error| unusable("IDENTITY_ENDPOINT", &error))?,
            probe,
        });
    }
    // What it runs is a shell and the `az` that PATH finds.
    if wanted.person && text(context, "COUNTERSIGN_NO_COMMANDS").is_none() {
        let options = AzureCliCredentialOptions { tenant_id: tenant, ..AzureCliCredentialOptions::default() };
        let made = AzureCliCredential::new(Some(options))
            .map_err(|error| unusable("AZURE_TOKEN_CREDENTIALS", &error))?;
        found.push(source("az login", made));
    }
    if found.is_empty() {
        return Err(Error::new(ErrorKind::Unauthenticated, "cannot log in to Azure")
            .why("the environment leaves no source of credentials")
            .hint(
                "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; AZURE_TOKEN_CREDENTIALS and \
                 COUNTERSIGN_NO_COMMANDS leave sources out",
            ));
    }
    Ok(found)
}

/// How the SDK's credentials speak with the authority: through our transport, and without repeating by themselves.
pub(crate) fn options(place: &Place, transport: &Transport) -> ClientOptions {
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host.clone_from(&place.authority);
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(SdkTransport::new(Arc::new(transport.clone()))),
        cloud: Some(Arc::new(CloudConfiguration::from(cloud))),
        ..ClientOptions::default()
    }
}

fn unusable(name: &str, error: &azure_core::Error) -> Error {
    Error::new(ErrorKind::BadUri, "cannot use the credentials in the environment")
        .why(crate::errors::words(&error.to_string()))
        .hint(format!("look at {name}, AZURE_TENANT_ID and AZURE_CLIENT_ID"))
}
