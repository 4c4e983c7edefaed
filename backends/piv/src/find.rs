//! From a URI to exactly one card. Looking costs no PIN try; cards that do not match are let go at once.

use std::time::{Duration, Instant};

use countersign_core::context::{Event, timed_out};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyUri, OpenContext};

use crate::card::Card;
use crate::errors;
use crate::patience::{Patience, Unanswered};
use crate::transport::{Reader, Readers, TransportError};
use crate::uri::PivUri;

/// The longest wait for a change of readers between two looks at the cancellation.
const LOOK: Duration = Duration::from_millis(500);

/// What was seen on the way.
pub(crate) struct Seen<'a> {
    pub(crate) readers: Vec<Reader>,
    /// The PIV cards that match.
    pub(crate) cards: Vec<Card<'a>>,
    /// PIV cards that do not match, by name and reader.
    pub(crate) others: Vec<String>,
    /// What kept a card from being looked at.
    pub(crate) troubles: Vec<Error>,
    /// Cards that went while they were looked at, which is as good as not there.
    gone: Vec<Error>,
}

/// Looks at every reader that the URI leaves.
pub(crate) fn look<'a>(
    readers: &'static dyn Readers,
    uri: &PivUri,
    context: OpenContext<'a>,
) -> Result<Seen<'a>> {
    let all = in_time(&context, "look for cards", move || readers.list())?
        .map_err(|cause| errors::failed("cannot look for cards", &cause))?;
    let mut seen =
        Seen { readers: all, cards: Vec::new(), others: Vec::new(), troubles: Vec::new(), gone: Vec::new() };
    for reader in seen.readers.iter().filter(|reader| reader.has_card) {
        if uri.reader.as_ref().is_some_and(|name| *name != reader.name) {
            seen.others.push(format!("a card in reader \"{}\"", reader.name));
            continue;
        }
        let name = reader.name.clone();
        let act = format!("use the card in \"{name}\"");
        let card = in_time(&context, &act, move || readers.connect(&name))?
            .map_err(|cause| errors::failed(format!("cannot {act}"), &cause))
            .and_then(|transport| Card::recognise(transport, &reader.name, context));
        match card {
            Ok(Some(card)) if uri.serial.is_none() => seen.cards.push(card),
            // No two devices have the same serial number: the rest is left alone.
            Ok(Some(card)) if uri.serial == card.identity().serial => {
                seen.cards = vec![card];
                break;
            }
            Ok(Some(card)) => seen.others.push(described(&card)),
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::Timeout => return Err(error),
            Err(error) if is_gone(&error) => seen.gone.push(error),
            Err(error) => seen.troubles.push(error),
        }
    }
    Ok(seen)
}

/// Asks the PC/SC service, which blocks while another program is in the midst of something.
fn in_time<T: Send + 'static>(
    context: &OpenContext<'_>,
    act: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    context.time_left(act)?;
    let mut silent = || {
        let text = format!("cannot {act} yet: another program is using it; waiting for that");
        context.events.event(Event::Warning(text));
    };
    Patience::of(context).run(work, &mut silent).map_err(|cause| match cause {
        Unanswered::GivenUp => context.time_left(act).err().unwrap_or_else(|| timed_out(act)),
        Unanswered::HungUp => Error::internal(format!("cannot {act}: the thread that does it ended")),
    })
}

/// The one card that the URI means. Waits for it where the context says so.
///
/// # Errors
/// [`ErrorKind::NotPresent`] with what is there instead, [`ErrorKind::Busy`] when another program holds what may be it, [`ErrorKind::Ambiguous`] with the candidates.
pub(crate) fn one<'a>(
    readers: &'static dyn Readers,
    key: &KeyUri,
    uri: &PivUri,
    context: OpenContext<'a>,
) -> Result<Card<'a>> {
    let mut told = false;
    loop {
        let seen = look(readers, uri, context)?;
        let missing = match only(seen, uri) {
            Err(error) if context.wait_for_device && error.kind() == ErrorKind::NotPresent => error,
            chosen => return chosen,
        };
        if !told {
            context.events.event(Event::WaitingForDevice(awaited(key, uri)));
            told = true;
        }
        let left = context.time_left("wait for the card").map_err(|error| error.hint(missing.to_string()))?;
        let began = Instant::now();
        readers.wait(left.map_or(LOOK, |left| left.min(LOOK)));
        // A reader that changes all the time, or a broken wait, must not keep the processor busy.
        if began.elapsed() < Duration::from_millis(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn awaited(key: &KeyUri, uri: &PivUri) -> String {
    match (uri.serial, &uri.reader) {
        (Some(serial), _) => format!("YubiKey {serial}"),
        (None, Some(reader)) => format!("a card in \"{reader}\""),
        (None, None) => format!("a card for {key}"),
    }
}

fn only<'a>(mut seen: Seen<'a>, uri: &PivUri) -> Result<Card<'a>> {
    match (seen.cards.len(), seen.troubles.len()) {
        (1, 0) => return Ok(seen.cards.remove(0)),
        // The serial number names it: what another reader has does not matter.
        (1, _) if uri.serial.is_some() => return Ok(seen.cards.remove(0)),
        (0, 1) if seen.others.is_empty() => return Err(seen.troubles.remove(0)),
        (0, _) => return Err(none(&seen, uri)),
        _ => {}
    }
    let names: Vec<_> = seen.cards.iter().map(described).collect();
    let mut why = format!("several are there: {}", names.join(", "));
    if !seen.troubles.is_empty() {
        let troubles: Vec<_> = seen.troubles.iter().map(ToString::to_string).collect();
        why =
            format!("beside {} there is one that does not answer: {}", names.join(", "), troubles.join("; "));
    }
    Err(Error::new(ErrorKind::Ambiguous, "cannot choose a card")
        .why(why)
        .hint("add serial=NUMBER or reader=NAME to the URI"))
}

fn none(seen: &Seen<'_>, uri: &PivUri) -> Error {
    let why = if seen.readers.is_empty() {
        "there is no reader".to_owned()
    } else if !seen.readers.iter().any(|reader| reader.has_card) {
        "no reader has a card in it".to_owned()
    } else if let Some(serial) = uri.serial {
        format!("no YubiKey with serial number {serial} is there")
    } else if let Some(reader) = &uri.reader {
        format!("there is no card in a reader \"{reader}\"")
    } else {
        "no card has a PIV application".to_owned()
    };
    let mut hints = Vec::new();
    if !seen.others.is_empty() {
        hints.push(format!("there are: {}", seen.others.join(", ")));
    }
    for trouble in seen.troubles.iter().chain(&seen.gone) {
        hints.push(trouble.to_string());
        hints.extend(trouble.next_step().map(str::to_owned));
    }
    if hints.is_empty() {
        hints.push("plug the YubiKey in, or wait for it with --wait".to_owned());
    }
    // One that is held may be the one that is meant.
    let is_held = seen.troubles.iter().any(|trouble| trouble.kind() == ErrorKind::Busy);
    let kind = if is_held { ErrorKind::Busy } else { ErrorKind::NotPresent };
    Error::new(kind, "cannot find the card").why(why).hint(hints.join("; "))
}

/// A candidate: what to write to mean it.
pub(crate) fn described(card: &Card<'_>) -> String {
    let identity = card.identity();
    match identity.serial {
        Some(serial) => format!("serial={serial} in reader \"{}\"", identity.reader),
        None => format!("reader={} (no serial number)", crate::uri::encoded(&identity.reader)),
    }
}

/// Whether the card is gone, as opposed to broken.
pub(crate) fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotPresent | ErrorKind::SessionLost)
}

/// Connects to a card again that was used before, in whatever reader it is now. Waits for it where the context says so.
pub(crate) fn again<'a>(readers: &'static dyn Readers, key: &KeyUri, lost: &Card<'a>) -> Result<Card<'a>> {
    let identity = lost.identity();
    let uri = PivUri {
        serial: identity.serial,
        reader: identity.serial.is_none().then(|| identity.reader.clone()),
        ..PivUri::default()
    };
    let card = one(readers, key, &uri, lost.context())?;
    if card.identity().serial == identity.serial && card.identity().firmware == identity.firmware {
        return Ok(card);
    }
    Err(errors::failed(lost.cannot("find"), &TransportError::NoCard).why("another card is in its reader"))
}
