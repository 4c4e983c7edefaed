//! `keys doctor`: the server, the owner, and the three variables, without changing or opening anything.

use countersign_core::backend::{Finding, Severity};
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext, PublicKey, local_key};

use crate::client::Name;
use crate::signer::connect;

pub(crate) fn diagnose(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(uri, context, found) {
        found(error.into());
    }
}

fn look(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let gitlab = connect(uri, context)?;
    let private = gitlab.read(Name::PrivateKey)?;
    found(Finding::good(format!("server {}, {} {}", gitlab.endpoint(), gitlab.owner(), uri.rest())));
    let problem =
        |severity, text: String, hint: &str| Finding { severity, text, hint: Some(hint.to_owned()) };
    let again = "make a key with: countersign generate-key-pair URI";
    match private.as_ref().map(|content| local_key::form(content.expose())) {
        None => found(problem(Severity::Problem, "no variable COSIGN_PRIVATE_KEY".to_owned(), again)),
        Some(Err(error)) => found(error.into()),
        Some(Ok(form)) if form.is_plain() => found(problem(
            Severity::Warning,
            format!("the private key is not encrypted: {}", form.name()),
            "whoever reads the variables or a job's environment has the key: make a new one",
        )),
        Some(Ok(form)) => found(Finding::good(format!("the private key is there: {}", form.name()))),
    }
    match gitlab.read(Name::Password)? {
        Some(_) => found(Finding::good("its password is there, beside it".to_owned())),
        None => found(Finding::good("its password is elsewhere: signing asks for it".to_owned())),
    }
    match gitlab.read(Name::PublicKey)? {
        None => found(problem(
            Severity::Problem,
            "no variable COSIGN_PUBLIC_KEY: nobody can verify by this URI".to_owned(),
            again,
        )),
        Some(content) => match PublicKey::from_pem_or_der(content.expose()) {
            Ok(key) => found(Finding::good(format!("the public key is there: {}", key.key_type()))),
            Err(error) => found(error.into()),
        },
    }
    Ok(())
}
