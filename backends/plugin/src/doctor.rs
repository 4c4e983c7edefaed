//! `keys doctor`: which program is meant, what was passed over on the way, and what it answers, without changing anything.

use countersign_core::backend::{Finding, Severity};
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext};

use crate::Host;
use crate::locate;
use crate::protocol::Method;
use crate::signer::{fetch_public_key, find};
use crate::store::supported;

pub(crate) fn diagnose(host: Host, uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(host, uri, context, found) {
        found(error.into());
    }
}

fn look(host: Host, uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let plugin = find(host, uri, context)?;
    for text in locate::look(&plugin.uri.program(), context).skipped {
        found(Finding { severity: Severity::Warning, text, hint: None });
    }
    found(Finding::good(format!("the plugin is {}", plugin.program.display())));
    let key = fetch_public_key(&plugin, &format!("read the public key of {uri}"))?;
    found(Finding::good(format!("the key is {}, {}", key.key_type(), key.fingerprint())));
    // Only making keys needs these.
    match supported(&plugin, "ask which keys it makes") {
        Ok(names) => found(Finding::good(format!("it makes keys of: {}", names.join(", ")))),
        Err(error) => found(Finding { severity: Severity::Warning, ..error.into() }),
    }
    let default = plugin.call(Method::DefaultAlgorithm, &[], "ask for its default algorithm");
    if let Some(default) = default.ok().and_then(|answer| answer.default_algorithm) {
        found(Finding::good(format!("unless told otherwise: {}", default.default_algorithm)));
    }
    Ok(())
}
