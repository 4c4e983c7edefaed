//! Back to the factory's state: no keys, no certificates, the factory's PIN, PUK and management key.

use countersign_core::context::Event;
use countersign_core::error::{Error, ErrorKind, Result};

use crate::administration::{PIN, RESET_RETRY_COUNTER};
use crate::apdu::{Command, Status};
use crate::card::Card;
use crate::{management, pin};

const VERIFY: u8 = 0x20;
/// Yubico's RESET: taken only once PIN and PUK are locked.
const RESET: u8 = 0xfb;
/// More tries than a counter of one byte has.
const MOST_TRIES: usize = 256;

/// Asks, and names the device, unless `sure`.
pub(crate) fn reset(card: &mut Card<'_>, sure: bool) -> Result<()> {
    let what = card.cannot("reset");
    if card.identity().firmware.is_none() {
        return Err(Error::new(ErrorKind::Unsupported, what)
            .why("only a YubiKey can be reset")
            .hint("use the tool of the card's maker"));
    }
    let question = format!("remove every PIV key and certificate from {}, for ever?", card.identity());
    if !sure && !card.context().prompt.confirm(&question)? {
        return Err(Error::new(ErrorKind::Denied, what)
            .why("it was not confirmed")
            .hint("pass -f to be sure"));
    }
    card.exclusive_selected(|card| {
        block(card, |wrong| Command::new(VERIFY, 0, PIN, &wrong[..8]), "lock the PIN of")?;
        block(card, |wrong| Command::new(RESET_RETRY_COUNTER, 0, PIN, wrong), "lock the PUK of")
            .map_err(|error| error.within(format!("{what}; its PIN is locked now")))?;
        card.ask("reset", Command::new(RESET, 0, 0, [])).map_err(|error| {
            error.within(format!("{what}; its PIN and PUK are locked now, its keys are still there"))
        })
    })?;
    pin::forget_refused(card);
    card.context().events.event(Event::Warning(format!(
        "{} has the factory's PIN, PUK and management key now: change them before you make keys",
        card.identity()
    )));
    Ok(())
}

/// Sends wrong values until none is taken any more: the one place where a wrong PIN is meant.
fn block(card: &mut Card<'_>, command: impl Fn(&[u8]) -> Command, act: &str) -> Result<()> {
    for _ in 0..MOST_TRIES {
        // Random: no fixed value could be somebody's own.
        let wrong = management::random(16)?;
        let status = card.send(act, command(&wrong))?.status;
        match (status, status.tries()) {
            (Status::BLOCKED, _) | (_, Some(0)) => return Ok(()),
            (_, Some(_)) | (Status::OK, None) => {}
            _ => return Err(card.refused(act, status)),
        }
    }
    Err(card.garbled(act, "it counts tries that never end"))
}
