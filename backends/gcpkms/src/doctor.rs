//! `keys doctor`: where Cloud KMS is, who we are there, what we may, and the state of the key, without changing or signing
//! anything.

use countersign_core::backend::{Finding, Severity};
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext};

use crate::signer::{connect, fetch};

/// What signing needs on the key, and the predefined role that has it.
const NEEDED: [(&str, &str); 3] = [
    ("cloudkms.cryptoKeyVersions.useToSign", "roles/cloudkms.signer"),
    ("cloudkms.cryptoKeyVersions.viewPublicKey", "roles/cloudkms.publicKeyViewer"),
    ("cloudkms.cryptoKeyVersions.list", "roles/cloudkms.viewer"),
];

pub(crate) fn diagnose(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(uri, context, found) {
        found(error.into());
    }
}

fn look(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let (parsed, kms) = connect(uri, context)?;
    found(Finding::good(format!("location {}, at {}", parsed.location, kms.endpoint())));
    found(Finding::good(format!("credentials: {}", kms.credentials())));
    let key = parsed.key_name().unwrap_or_default();
    // A version in the URI spares the list.
    let needed = &NEEDED[..if parsed.version.is_some() { 2 } else { 3 }];
    let asked: Vec<_> = needed.iter().map(|(permission, _)| *permission).collect();
    match kms.permissions(&key, &asked, &format!("ask what is allowed on {key}")) {
        Err(error) => found(Finding { severity: Severity::Warning, ..error.into() }),
        Ok(have) => {
            for (permission, role) in needed {
                if have.iter().any(|one| one == permission) {
                    found(Finding::good(format!("{permission} is allowed")));
                } else {
                    found(Finding {
                        severity: Severity::Problem,
                        text: format!("{permission} is missing on {key}"),
                        hint: Some(format!("grant {role}, or a role of your own with that permission alone")),
                    });
                }
            }
        }
    }
    let opened = fetch(&parsed, &kms, &format!("read the key {key}"))?;
    found(Finding::good(format!(
        "version {} is enabled: {}, {}, protection {}, signs {}",
        opened.uri.version.unwrap_or_default(),
        opened.public_key.key_type(),
        opened.public_key.fingerprint(),
        opened.protection,
        opened.algorithm
    )));
    found(Finding::good(format!(
        "the least role that signs: gcloud iam roles create countersignSigner --project={} --permissions={}",
        parsed.project,
        asked.join(",")
    )));
    Ok(())
}
