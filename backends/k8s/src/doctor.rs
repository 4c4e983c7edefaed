//! `keys doctor`: the cluster, who we are there, and the secret, without changing or opening anything.

use countersign_core::backend::{Finding, Severity};
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext, PublicKey, local_key};

use crate::client::{KEY, PASSWORD, PUBLIC_KEY};
use crate::signer::connect;

pub(crate) fn diagnose(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(uri, context, found) {
        found(error.into());
    }
}

fn look(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let cluster = connect(uri, context)?;
    found(Finding::good(format!("cluster {}, by {}", cluster.endpoint(), cluster.from())));
    let problem =
        |severity, text: String, hint: &str| Finding { severity, text, hint: Some(hint.to_owned()) };
    let again = "make a key with: countersign generate-key-pair URI";
    let Some(object) = cluster.read()? else {
        found(problem(Severity::Problem, format!("there is no secret {uri}"), again));
        return Ok(());
    };
    found(Finding::good("the secret is there, and we may read it".to_owned()));
    match object.field(KEY)?.as_ref().map(|content| local_key::form(content.expose())) {
        None => found(problem(Severity::Problem, format!("no field {KEY}"), again)),
        Some(Err(error)) => found(error.into()),
        Some(Ok(form)) if form.is_plain() => found(problem(
            Severity::Warning,
            format!("the private key is not encrypted: {}", form.name()),
            "whoever may read secrets in the namespace has the key",
        )),
        Some(Ok(form)) => found(Finding::good(format!("the private key is there: {}", form.name()))),
    }
    found(Finding::good(match object.field(PASSWORD)? {
        Some(_) => "its password is there, beside it: whoever may read the secret can sign".to_owned(),
        None => "its password is elsewhere: signing asks for it".to_owned(),
    }));
    match object.field(PUBLIC_KEY)? {
        None => found(problem(
            Severity::Problem,
            format!("no field {PUBLIC_KEY}: nobody can verify by this URI"),
            again,
        )),
        Some(content) => match PublicKey::from_pem_or_der(content.expose()) {
            Ok(key) => found(Finding::good(format!("the public key is there: {}", key.key_type()))),
            Err(error) => found(error.into()),
        },
    }
    if !object.is_immutable() {
        found(problem(
            Severity::Warning,
            "the secret can be changed".to_owned(),
            "make it immutable: kubectl patch secret NAME -p '{\"immutable\":true}'",
        ));
    }
    Ok(())
}
