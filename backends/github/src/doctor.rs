//! `keys doctor`: the server, the token, and which of the three secrets are there.

use countersign_core::backend::{Finding, Severity};
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext};

use crate::client::Name;
use crate::store::connect;

pub(crate) fn diagnose(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(uri, context, found) {
        found(error.into());
    }
}

fn look(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let github = connect(uri, context)?;
    github.sealer()?;
    let kind = if github.uri().is_organization() { "organization" } else { "repository" };
    found(Finding::good(format!("server {}, {kind} {}", github.endpoint(), uri.rest())));
    for (name, needed) in [(Name::PrivateKey, true), (Name::Password, false), (Name::PublicKey, true)] {
        let name_text = name.text();
        match (github.has(name)?, needed) {
            (true, _) => found(Finding::good(format!("the secret {name_text} is there"))),
            (false, true) => found(Finding {
                severity: Severity::Problem,
                text: format!("no secret {name_text}"),
                hint: Some("make a key with: countersign generate-key-pair URI".to_owned()),
            }),
            (false, false) => {
                found(Finding::good(format!("no secret {name_text}: the password is elsewhere")))
            }
        }
    }
    found(Finding::good(
        "nobody can read them back: workflows sign with --key env://COSIGN_PRIVATE_KEY".to_owned(),
    ));
    Ok(())
}
