//! `keys doctor`: where KMS is, who we are there, and the state of the key, without changing or signing anything.

use countersign_core::backend::Finding;
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext, algorithm};

use crate::signer::{connect, fetch};

pub(crate) fn diagnose(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(uri, context, found) {
        found(error.into());
    }
}

fn look(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let (parsed, kms) = connect(uri, context)?;
    let at = kms.endpoint().map_or_else(String::new, |endpoint| format!(", at {endpoint}"));
    found(Finding::good(format!("region {}{at}", kms.region())));
    found(Finding::good(format!("credentials: {}", kms.credentials())));
    let opened = fetch(&parsed, &kms, &format!("read the key {}", parsed.key))?;
    found(Finding::good(format!("it may kms:GetPublicKey {}", opened.arn)));
    found(Finding::good(format!(
        "the key is {}, {}, and signs {}",
        opened.public_key.key_type(),
        opened.public_key.fingerprint(),
        algorithm::names(&opened.algorithms)
    )));
    found(Finding::good(format!(
        "the least policy that signs: {{\"Effect\": \"Allow\", \"Action\": [\"kms:GetPublicKey\", \"kms:Sign\"], \
         \"Resource\": \"{}\"}}",
        opened.arn
    )));
    Ok(())
}
