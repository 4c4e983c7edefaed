//! `keys doctor`: where the vault is, who we are there, and the state of the key, without changing or signing anything.

use countersign_core::backend::{Finding, Severity};
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext, algorithm};

use crate::client::Vault;
use crate::signer::{connect, fetch};
use crate::uri::AzureUri;

pub(crate) fn diagnose(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(uri, context, found) {
        found(error.into());
    }
}

fn look(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let (parsed, vault) = connect(uri, context)?;
    let kind = if vault.place().is_hsm { "managed HSM" } else { "vault" };
    found(Finding::good(format!("{kind} {}, logins at {}", parsed.host, vault.place().authority)));
    if !vault.place().is_known {
        found(Finding {
            severity: Severity::Warning,
            text: "the host is none of Key Vault's or Managed HSM's, and gets tokens all the same".to_owned(),
            hint: Some("take it out of COUNTERSIGN_AZURE_HOSTS if it is not yours".to_owned()),
        });
    }
    found(Finding::good(format!("credentials: {}", vault.credentials())));
    let opened = fetch(&parsed, &vault, &format!("read the key {}", parsed.key))?;
    found(Finding::good(format!("we are {}", vault.who())));
    found(Finding::good(format!("it may get the key; its version is {}", opened.version())));
    found(Finding::good(format!(
        "the key is {}{}, {}, and signs {}",
        opened.public_key.key_type(),
        if opened.is_hardware { " in hardware" } else { "" },
        opened.public_key.fingerprint(),
        algorithm::names(&opened.algorithms())
    )));
    if let Some((_, why, hint)) = &opened.refusal {
        found(Finding { severity: Severity::Problem, text: why.clone(), hint: hint.clone() });
    }
    found(Finding::good(format!(
        "the least role that signs (only a signature shows whether we hold it): {}",
        policy(&opened.pinned, &vault)
    )));
    Ok(())
}

/// What somebody who may hands to `az` for us to sign with this key and no other.
fn policy(key: &AzureUri, vault: &Vault<'_>) -> String {
    let name = key.host_name().split('.').next().unwrap_or_default();
    let key = &key.key;
    if vault.place().is_hsm {
        return format!(
            "{{\"roleName\": \"sign\", \"permissions\": [{{\"dataActions\": \
             [\"Microsoft.KeyVault/managedHsm/keys/read/action\", \"Microsoft.KeyVault/managedHsm/keys/sign/action\"]}}]}}, \
             made by az keyvault role definition create --hsm-name {name} and given with --scope /keys/{key}"
        );
    }
    format!(
        "{{\"Name\": \"sign\", \"DataActions\": [\"Microsoft.KeyVault/vaults/keys/read\", \
         \"Microsoft.KeyVault/vaults/keys/sign/action\"]}}, given with --scope VAULT-ID/keys/{key}; or by access policy: az \
         keyvault set-policy --name {name} --key-permissions get sign"
    )
}
