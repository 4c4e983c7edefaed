//! Opening: from a URI to one token, one login, one key. Everything is settled before a PIN is asked for.

use countersign_core::context::Event;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::signer::{KeyInfo, Location};
use countersign_core::{KeyUri, OpenContext, PublicKey, Signer};
use cryptoki::context::Pkcs11;
use cryptoki::object::ObjectClass;
use cryptoki::session::Session;

use crate::errors::failed;
use crate::login;
use crate::module;
use crate::object;
use crate::signer::{Pkcs11Signer, Place, algorithms, open_session};
use crate::token::{self, Token};
use crate::uri::Pkcs11Uri;

/// Set to anything but empty or `0`: certificates on the token are not looked at.
pub(crate) const IGNORE_CERTIFICATE: &str = "COSIGN_PKCS11_IGNORE_CERTIFICATE";

/// Picks the one token that the URI means.
pub(crate) fn choose(module: &Pkcs11, uri: &Pkcs11Uri) -> Result<Token> {
    let mut tokens = token::matching(module, uri)?;
    if tokens.len() > 1 && (uri.object.is_some() || uri.id.is_some()) {
        // Without a login only public objects tell tokens apart.
        let holds: Vec<_> = tokens.iter().filter(|token| shows(module, token, uri)).cloned().collect();
        if holds.len() == 1 {
            tokens = holds;
        }
    }
    token::only(tokens)
}

fn shows(module: &Pkcs11, token: &Token, uri: &Pkcs11Uri) -> bool {
    let Ok(session) = open_session(module, token) else { return false };
    [ObjectClass::PUBLIC_KEY, ObjectClass::CERTIFICATE, ObjectClass::PRIVATE_KEY]
        .into_iter()
        .any(|class| object::find(&session, class, uri).is_ok_and(|found| !found.is_empty()))
}

/// Whether certificates may stand in for public key objects.
pub(crate) fn with_certificate(context: &OpenContext<'_>) -> bool {
    context.environment.variable(IGNORE_CERTIFICATE).is_none_or(|value| value.is_empty() || value == "0")
}

/// Opens exactly one key for signing.
pub(crate) fn open(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Box<dyn Signer>> {
    let parsed = Pkcs11Uri::parse(uri)?;
    if parsed.object.is_none() && parsed.id.is_none() && parsed.token.is_none() && parsed.serial.is_none() {
        return Err(Error::new(ErrorKind::BadUri, format!("cannot sign with {uri}"))
            .why("it names neither a token nor a key")
            .hint("list the keys with: countersign keys list pkcs11:"));
    }
    context.time_left("open the token")?;
    let module = module::open(&parsed, context)?;
    let token = choose(&module, &parsed)?;
    let session = open_session(&module, &token)?;
    let pin = if token.needs_login() {
        Some(login::login(&module, &session, &token, &parsed, context)?)
    } else {
        None
    };
    let key = object::private_key(&session, &parsed, &token)?;
    let marks = object::marks(&session, &key)?;
    if !marks.signs {
        return Err(Error::new(ErrorKind::Denied, format!("cannot sign with {uri}"))
            .why("the key was made without the permission to sign (CKA_SIGN)")
            .hint("use another key: keys list shows them"));
    }
    let public_key = object::public_half(&session, &key, with_certificate(context))?;
    let mechanisms = module
        .get_mechanism_list(token.slot)
        .map_err(|cause| failed("cannot ask the token for its mechanisms", cause))?;
    let able = algorithms(public_key.key_type(), &mechanisms);
    if able.is_empty() {
        return Err(Error::new(ErrorKind::Unsupported, format!("cannot sign with {uri}")).why(format!(
            "the token has no raw signing mechanism for {} keys (CKM_ECDSA, CKM_RSA_PKCS, CKM_EDDSA)",
            public_key.key_type()
        )));
    }
    let named = Pkcs11Uri { token: None, serial: None, ..key.uri(&token, &Pkcs11Uri::default()) };
    let info = KeyInfo {
        uri: key.uri(&token, &parsed).to_string(),
        public_key,
        algorithms: able,
        version: None,
        location: Location::Token,
    };
    let place = Place { module, token: token.uri(), key: named, pin, marks };
    Ok(Box::new(Pkcs11Signer::new(info, place, session, key.handle)))
}

/// The public half, without a login unless the token hides it.
pub(crate) fn public_key(uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
    let parsed = Pkcs11Uri::parse(uri)?;
    context.time_left("open the token")?;
    let module = module::open(&parsed, context)?;
    let token = choose(&module, &parsed)?;
    let session = open_session(&module, &token)?;
    if let Some(key) = shown(&session, &parsed, context)? {
        return Ok(key);
    }
    if !token.needs_login() {
        return Err(missing(&session));
    }
    context.events.event(Event::Warning(format!(
        "{} shows no public key of that name without a login, so its PIN is needed",
        token.uri()
    )));
    login::login(&module, &session, &token, &parsed, context)?;
    match shown(&session, &parsed, context)? {
        Some(key) => Ok(key),
        None => {
            let key = object::private_key(&session, &parsed, &token)?;
            object::public_half(&session, &key, with_certificate(context))
        }
    }
}

/// What the token shows now: public objects and certificates, or a visible private key's own public half.
fn shown(session: &Session, uri: &Pkcs11Uri, context: &OpenContext<'_>) -> Result<Option<PublicKey>> {
    if let Some(key) = object::visible(session, uri, with_certificate(context))? {
        return Ok(Some(key));
    }
    let mut private = object::find(session, ObjectClass::PRIVATE_KEY, uri)?;
    if private.len() != 1 {
        return Ok(None);
    }
    object::read(session, &private.remove(0))
}

fn missing(session: &Session) -> Error {
    let there = object::find(session, ObjectClass::PUBLIC_KEY, &Pkcs11Uri::default()).unwrap_or_default();
    let labels: Vec<_> =
        there.iter().map(|object| String::from_utf8_lossy(&object.label).into_owned()).collect();
    let error =
        Error::new(ErrorKind::NotFound, "cannot find the public key").why("the token has none of that name");
    if labels.is_empty() { error } else { error.hint(format!("it has: {}", labels.join(", "))) }
}
