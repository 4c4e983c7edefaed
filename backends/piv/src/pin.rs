//! The PIN: where it comes from, and the rules that burn no try.
//!
//! Tries are read before anything is asked for. A PIN that a card refused is not sent to it again in this run, and the last
//! try is used only when the user said so.

use std::sync::{Mutex, PoisonError};

use countersign_core::context::Event;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{OpenContext, Secret, pin_source};
use zeroize::Zeroizing;

use crate::apdu::{Command, Status};
use crate::card::Card;
use crate::metadata;
use crate::uri::PivUri;

/// The PIN for URIs that hold no source of one.
pub(crate) const PIN: &str = "COUNTERSIGN_PIV_PIN";

const VERIFY: u8 = 0x20;
/// SP 800-73-4 Part 1 table 4b: the application's own PIN, not the global one.
const REFERENCE: u8 = 0x80;
/// SP 800-73-4 Part 1 3.1.1: six to eight bytes, filled up with FF.
const FORM: std::ops::RangeInclusive<usize> = 6..=8;
const PAD: u8 = 0xff;
/// What every YubiKey leaves the factory with.
pub(crate) const FACTORY_PIN: &[u8] = b"123456";

const UNBLOCK: &str = "set a new PIN with the PUK: countersign piv-tool unblock";

/// PINs and PUKs that a card refused in this run: card, which of the two, value.
static REFUSED: Mutex<Vec<(String, &'static str, Secret)>> = Mutex::new(Vec::new());

/// What the card tells of its PIN.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct State {
    /// `None`: the card does not tell.
    pub(crate) left: Option<u8>,
    pub(crate) total: Option<u8>,
    pub(crate) is_default: Option<bool>,
}

/// Asks for the tries left. Costs none.
pub(crate) fn state(card: &mut Card<'_>) -> Result<State> {
    let told = metadata::pin(card)?;
    if let Some((total, left)) = told.tries {
        return Ok(State { left: Some(left), total: Some(total), is_default: told.is_default });
    }
    let act = "ask for the PIN tries of";
    // SP 800-73-4 Part 2 3.2.1: VERIFY without data.
    let reply = card.send(act, Command::new(VERIFY, 0, REFERENCE, []))?;
    let left = match reply.status {
        // Verified already, which some cards keep over a SELECT.
        Status::OK => None,
        Status::BLOCKED => Some(0),
        status => match status.tries() {
            Some(tries) => Some(tries),
            None => return Err(card.refused(act, status)),
        },
    };
    Ok(State { left, total: None, is_default: None })
}

/// Whether the card holds the PIN for verified at this moment.
pub(crate) fn is_verified(card: &mut Card<'_>) -> Result<bool> {
    let reply = card.send("ask for the PIN state of", Command::new(VERIFY, 0, REFERENCE, []))?;
    Ok(reply.status == Status::OK)
}

/// A PIN that may be sent, and what the card told of its tries before.
pub(crate) struct Asked {
    pub(crate) pin: Secret,
    state: State,
}

/// Fetches the PIN of a card whose state is known. Nothing is sent to the card: while somebody types, no transaction is open,
/// for that would keep other programs off the card, and Windows resets a card in an idle one.
pub(crate) fn ask(card: &Card<'_>, uri: &PivUri, state: State) -> Result<Asked> {
    let context = card.context();
    let what = card.cannot("log in to");
    check_tries(&what, state, &context)?;
    let object = match state.left {
        Some(left) => format!("{}, slot {} ({})", card.identity(), uri.slot(), count(left)),
        None => format!("{}, slot {}", card.identity(), uri.slot()),
    };
    let pin = fetch(uri, &object, &context)?;
    check_form(&what, "PIN", &pin, state.left)?;
    check_not_refused(&what, card, "PIN", &pin, state.left)?;
    Ok(Asked { pin, state })
}

/// Sends the PIN to the selected application. Returns it for the rest of the run.
pub(crate) fn prove(card: &mut Card<'_>, asked: Asked) -> Result<Secret> {
    let Asked { pin, state } = asked;
    if state.is_default == Some(true) || pin.expose() == FACTORY_PIN {
        card.context().events.event(Event::Warning(format!(
            "{} has the factory's PIN: change it with countersign piv-tool set-pin",
            card.identity()
        )));
    }
    let status = verify(card, &pin)?;
    if status == Status::OK {
        return Ok(pin);
    }
    Err(wrong(&card.cannot("log in to"), card, "PIN", pin, status))
}

/// Refuses a PIN without tries, and its last try unless the user allowed it.
pub(crate) fn check_tries(what: &str, state: State, context: &OpenContext<'_>) -> Result<()> {
    match state.left {
        Some(0) => Err(Error::new(ErrorKind::PinLocked, what)
            .why("its PIN is locked after too many wrong tries")
            .hint(UNBLOCK)),
        Some(1) if !context.allow_final_pin_try => Err(Error::new(ErrorKind::Denied, what)
            .why("one try of its PIN is left, and a wrong one locks it")
            .hint("make sure of the PIN, then pass --allow-final-pin-try")),
        Some(1) => {
            context.events.event(Event::Warning("this is the last try of the card's PIN".to_owned()));
            Ok(())
        }
        Some(left) if state.total.map_or(left < 3, |total| left < total) => {
            context
                .events
                .event(Event::Warning(format!("the card's PIN was entered wrongly before: {}", count(left))));
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

/// VERIFY. Costs a try if the PIN is wrong.
pub(crate) fn verify(card: &mut Card<'_>, pin: &Secret) -> Result<Status> {
    let reply = card.send("log in to", Command::secret(VERIFY, 0, REFERENCE, padded(pin)))?;
    Ok(reply.status)
}

/// Eight bytes as the card takes them.
pub(crate) fn padded(pin: &Secret) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(*FORM.end()));
    bytes.extend(pin.expose());
    bytes.resize(*FORM.end(), PAD);
    bytes
}

/// Refuses what cannot be a PIN or PUK, so that no try is spent on it.
pub(crate) fn check_form(what: &str, which: &str, secret: &Secret, left: Option<u8>) -> Result<()> {
    if secret.is_empty() {
        return Err(Error::new(ErrorKind::PinRequired, what).why(format!("the {which} is empty")));
    }
    let why = if !FORM.contains(&secret.expose().len()) {
        format!("a {which} has 6 to 8 characters, so this one was not sent")
    } else if secret.expose().contains(&PAD) {
        format!("this {which} has the byte FF, which fills PINs up, so it was not sent")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::WrongPin { tries_left: left.map(u32::from) }, what).why(why))
}

/// Refuses what the card refused before in this run.
pub(crate) fn check_not_refused(
    what: &str,
    card: &Card<'_>,
    which: &'static str,
    secret: &Secret,
    left: Option<u8>,
) -> Result<()> {
    let name = card.identity().to_string();
    let refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if refused.iter().any(|(card, kind, known)| *card == name && *kind == which && known == secret) {
        return Err(Error::new(ErrorKind::WrongPin { tries_left: left.map(u32::from) }, what)
            .why(format!("the card refused this {which} before, so it was not sent again")));
    }
    Ok(())
}

/// Forgets what a card refused: its PIN or PUK is another now.
pub(crate) fn forget_refused(card: &Card<'_>) {
    let name = card.identity().to_string();
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).retain(|(card, _, _)| *card != name);
}

/// What a refused PIN or PUK means.
pub(crate) fn wrong(
    what: &str,
    card: &Card<'_>,
    which: &'static str,
    secret: Secret,
    status: Status,
) -> Error {
    let left = match status {
        Status::BLOCKED => 0,
        status => match status.tries() {
            Some(left) => left,
            None => return crate::errors::refused(what, status),
        },
    };
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).push((card.identity().to_string(), which, secret));
    let error = Error::new(ErrorKind::WrongPin { tries_left: Some(u32::from(left)) }, what);
    match (left, which) {
        (0, "PIN") => {
            error.why(format!("the PIN is wrong (status {status}): it is locked now")).hint(UNBLOCK)
        }
        (0, _) => error
            .why(format!("the {which} is wrong (status {status}): it is locked now"))
            .hint("only a reset helps, which removes every key: countersign piv-tool reset"),
        (_, "PIN") => error
            .why(format!("the PIN is wrong (status {status}): {}", count(left)))
            .hint(format!("check {PIN} or the URI's pin-source; wrong PINs lock the card")),
        (_, _) => error.why(format!("the {which} is wrong (status {status}): {}", count(left))),
    }
}

fn count(left: u8) -> String {
    match left {
        1 => "one try is left".to_owned(),
        left => format!("{left} tries are left"),
    }
}

/// The PIN from the URI's source, the variable, or whoever is at the terminal.
pub(crate) fn fetch(uri: &PivUri, object: &str, context: &OpenContext<'_>) -> Result<Secret> {
    match &uri.pin {
        Some(source) => source.fetch(object, context),
        None => pin_source::fetch_unnamed(PIN, object, context),
    }
}
