//! `keys doctor` for tokens: module, tokens, flags, mechanisms, what matched and what excluded the rest. Logs in
//! nowhere.

use countersign_core::algorithm;
use countersign_core::backend::{Finding, Severity};
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext};
use cryptoki::object::ObjectClass;

use crate::errors::failed;
use crate::object;
use crate::opened::{self, open_session};
use crate::signer::algorithms;
use crate::token::Token;
use crate::uri::Pkcs11Uri;
use crate::{client, module, token};

pub(crate) fn diagnose(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(uri, context, found) {
        found(error.into());
    }
}

fn look(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let mut say = |severity, text: String| found(Finding { severity, text, hint: None });
    let parsed = Pkcs11Uri::parse(uri)?;
    let path = module::find(&parsed, context)?;
    say(
        Severity::Good,
        format!("the module {} may be loaded: only root and you can write it", path.display()),
    );
    let module = module::load(&path)?;
    say(Severity::Good, "it was loaded and started (C_Initialize)".to_owned());
    if let Ok(info) = module.get_library_info() {
        let version = info.library_version();
        let (major, minor) = (version.major(), version.minor());
        say(
            Severity::Good,
            format!(
                "it is \"{}\" by \"{}\", version {major}.{minor}",
                info.library_description(),
                info.manufacturer_id()
            ),
        );
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let (tokens, silent) = token::scan(&module)?;
    for slot in silent {
        say(Severity::Warning, format!("a slot does not answer: {slot}"));
    }
    for token in &tokens {
        say(Severity::Good, format!("in {} there is {}{}", name, token.uri(), flags(token)));
    }
    let token = opened::choose(&module, &parsed)?;
    say(Severity::Good, format!("the URI means the token {}", token.uri()));
    if token.info.as_ref().is_some_and(|info| info.user_pin_locked()) {
        say(Severity::Problem, "its PIN is locked".to_owned());
    }
    let session = open_session(&module, &token)?;
    let mechanisms = module
        .get_mechanism_list(token.slot)
        .map_err(|cause| failed("cannot ask the token for its mechanisms", cause))?;
    match object::visible(&session, &parsed, client::with_certificate(context))? {
        Some(key) => {
            say(Severity::Good, format!("it shows the public {} key, {}", key.key_type(), key.fingerprint()));
            let able = algorithms(key.key_type(), &mechanisms, false);
            if able.is_empty() {
                say(Severity::Problem, "the token has no mechanism that signs with it".to_owned());
            } else {
                say(Severity::Good, format!("the token signs with {}", algorithm::names(&able.iter().map(|(algorithm, _)| *algorithm).collect::<Vec<_>>())));
            }
        }
        None => say(
            Severity::Warning,
            "no public key of that name shows without a login: whether the private key is there shows after one".to_owned(),
        ),
    }
    let seen = object::find(&session, ObjectClass::PUBLIC_KEY, &Pkcs11Uri::default())?;
    for other in seen {
        say(Severity::Good, format!("the token has {}", other.uri(&token, &parsed)));
    }
    Ok(())
}

fn flags(token: &Token) -> String {
    let Some(info) = &token.info else {
        return ", which does not tell what it is in a form we can read".to_owned();
    };
    let mut words = Vec::new();
    for (is, word) in [
        (!info.token_initialized(), "not initialised"),
        (info.login_required(), "needs a PIN"),
        (!info.user_pin_initialized(), "has no user PIN set"),
        (info.protected_authentication_path(), "has a PIN pad"),
        (info.user_pin_count_low(), "PIN was entered wrongly since it was last right"),
        (info.user_pin_final_try(), "one PIN try left"),
        (info.user_pin_locked(), "PIN locked"),
        (info.user_pin_to_be_changed(), "PIN to be changed"),
    ] {
        if is {
            words.push(word);
        }
    }
    format!(" ({}): {}", token::unpadded(info.model()), words.join(", "))
}
