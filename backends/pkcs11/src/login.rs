//! Logging in: where the PIN comes from, and the rules that burn no try.
//!
//! Flags are read before anything is asked for. A PIN that a token refused is not sent to it again in this run, and
//! the last try is used only when the user said so.

use std::sync::Mutex;

use countersign_core::context::Event;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::secret::Secret;
use countersign_core::{OpenContext, pin_source};
use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::RawAuthPin;

use crate::errors::failed;
use crate::token::Token;
use crate::uri::{Pkcs11Uri, UriPin};

/// The PIN for URIs that hold no source of one.
pub(crate) const PIN: &str = "COSIGN_PKCS11_PIN";

/// What opens a token.
pub(crate) enum Pin {
    /// Entered at the token's own PIN pad.
    Pad,
    /// Sent to it.
    Known(Secret),
}

/// PINs that a token refused in this run.
static REFUSED: Mutex<Vec<(String, Secret)>> = Mutex::new(Vec::new());

/// The PIN for a token that may be logged in to: its flags are read, and the PIN is fetched. Nothing is sent yet.
pub(crate) fn prepare(token: &Token, uri: &Pkcs11Uri, context: &OpenContext<'_>) -> Result<Pin> {
    let name = token.uri().to_string();
    let what = cannot_log_in(&name);
    if let Some(info) = &token.info {
        check_flags(info, &what, context)?;
    }
    if token.info.as_ref().is_some_and(TokenInfo::protected_authentication_path) {
        context.events.event(Event::Warning(format!("enter the PIN at the PIN pad of {name}")));
        return Ok(Pin::Pad);
    }
    let pin = fetch(uri, &name, context)?;
    if pin.is_empty() {
        return Err(Error::new(ErrorKind::PinRequired, what).why("the PIN is empty"));
    }
    Ok(Pin::Known(pin))
}

/// Logs in as the user. Returns the PIN that was right, to open the token again if it is lost.
pub(crate) fn login(module: &Pkcs11, session: &Session, token: &Token, pin: Pin) -> Result<Pin> {
    let name = token.uri().to_string();
    let what = cannot_log_in(&name);
    let mut refused_pins = REFUSED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Pin::Known(pin) = &pin
        && refused_pins.iter().any(|(token, refused)| *token == name && refused == pin)
    {
        return Err(Error::new(ErrorKind::WrongPin { tries_left: None }, what)
            .why("the token refused this PIN before, so it was not sent again"));
    }
    match enter(session, UserType::User, &pin) {
        Ok(()) => Ok(pin),
        Err(cause) => {
            let wrong = matches!(&cause, ModuleError::Pkcs11(RvError::PinIncorrect, _));
            if let (true, Pin::Known(pin)) = (wrong, pin) {
                refused_pins.push((name, pin));
            }
            Err(explain(module, token, &what, cause))
        }
    }
}

fn cannot_log_in(token: &str) -> String {
    format!("cannot log in to {token}")
}

/// C_Login. That somebody in this process is logged in already is as good: the login belongs to the process.
pub(crate) fn enter(session: &Session, user: UserType, pin: &Pin) -> Result<(), ModuleError> {
    let entered = match pin {
        Pin::Known(pin) => session.login_with_raw(user, &RawAuthPin::new(Box::new(pin.expose().to_vec()))),
        Pin::Pad => session.login(user, None),
    };
    match entered {
        Err(ModuleError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        entered => entered,
    }
}

fn check_flags(info: &TokenInfo, what: &str, context: &OpenContext<'_>) -> Result<()> {
    if info.user_pin_locked() {
        return Err(Error::new(ErrorKind::PinLocked, what)
            .why("its PIN is locked after too many wrong tries")
            .hint("unblock it with the vendor's tool and the SO PIN"));
    }
    if !info.user_pin_initialized() {
        return Err(Error::new(ErrorKind::KeyState, what)
            .why("its user PIN was never set")
            .hint("set the user PIN with the vendor's tool"));
    }
    if info.user_pin_final_try() && !context.allow_final_pin_try {
        return Err(Error::new(ErrorKind::Denied, what)
            .why("one try of its PIN is left, and a wrong one locks it")
            .hint("make sure of the PIN, then pass --allow-final-pin-try"));
    }
    if info.user_pin_final_try() {
        context.events.event(Event::Warning("this is the last try of the token's PIN".to_owned()));
    } else if info.user_pin_count_low() {
        context
            .events
            .event(Event::Warning("the token's PIN was entered wrongly since it was last right".to_owned()));
    }
    if info.user_pin_to_be_changed() {
        context.events.event(Event::Warning("the token asks for its PIN to be changed".to_owned()));
    }
    Ok(())
}

/// What a refused PIN left of the tries, as far as the token tells: PKCS#11 has marks, not a count.
fn explain(module: &Pkcs11, token: &Token, what: &str, cause: ModuleError) -> Error {
    if !matches!(cause, ModuleError::Pkcs11(RvError::PinIncorrect, _)) {
        return failed(what, cause);
    }
    let info = module.get_token_info(token.slot).ok();
    let (left, said) = match info {
        Some(info) if info.user_pin_locked() => (Some(0), "the token is locked now"),
        Some(info) if info.user_pin_final_try() => (Some(1), "one try is left"),
        Some(info) if info.user_pin_count_low() => {
            (None, "several tries are left, the token does not tell how many")
        }
        Some(_) | None => (None, "the token does not tell how many tries are left"),
    };
    Error::new(ErrorKind::WrongPin { tries_left: left }, what)
        .why(format!("the PIN is wrong (C_Login returned CKR_PIN_INCORRECT); {said}"))
        .hint(format!("check {PIN} or the URI's pin-source; wrong PINs lock a token"))
}

fn fetch(uri: &Pkcs11Uri, token: &str, context: &OpenContext<'_>) -> Result<Secret> {
    match &uri.pin {
        Some(UriPin::Value(pin)) => Ok(Secret::new(pin.expose().to_vec())),
        Some(UriPin::Source(source)) => source.fetch(token, context),
        None => pin_source::fetch_unnamed(PIN, token, context),
    }
}
