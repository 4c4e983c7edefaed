//! PIN, PUK, management key and reset: what the trait `Device` of the core asks of a card.

use countersign_core::backend::Created;
use countersign_core::context::Event;
use countersign_core::device::{Device, NewKey, NewManagementKey};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyUri, OpenContext, Secret, hexadecimal};
use zeroize::Zeroizing;

use crate::PivBackend;
use crate::apdu::{Command, Status};
use crate::card::{Card, doubtful};
use crate::management::{self, Cipher};
use crate::uri::PivUri;
use crate::{find, make, metadata, pin, protected_key, reset};

/// SP 800-73-4 Part 2 3.2.2 and 3.2.3.
const CHANGE_REFERENCE_DATA: u8 = 0x24;
pub(crate) const RESET_RETRY_COUNTER: u8 = 0x2c;
/// SP 800-73-4 Part 1 table 4b.
pub(crate) const PIN: u8 = 0x80;
const PUK: u8 = 0x81;

const FACTORY_PUK: &[u8] = b"12345678";

impl Device for PivBackend {
    fn make_key(
        &self,
        uri: &KeyUri,
        key: &NewKey,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        make::make_key(self.readers, uri, key, make::Source::Made, overwrite, context)
            .map_err(|error| error.for_key(uri))
    }

    fn set_pin(
        &self,
        uri: &KeyUri,
        old: Option<Secret>,
        new: &Secret,
        context: &OpenContext<'_>,
    ) -> Result<()> {
        self.on_card(uri, context, |_, card| {
            let old = or_factory(old, pin::FACTORY_PIN, "PIN", card);
            let change = Change { act: "change the PIN of", which: "PIN", new_which: "PIN" };
            let state = |card: &mut Card<'_>| pin::state(card);
            change.run(card, Command::new(CHANGE_REFERENCE_DATA, 0, PIN, []), old, new, state)
        })
    }

    fn set_puk(
        &self,
        uri: &KeyUri,
        old: Option<Secret>,
        new: &Secret,
        context: &OpenContext<'_>,
    ) -> Result<()> {
        self.on_card(uri, context, |_, card| {
            let old = or_factory(old, FACTORY_PUK, "PUK", card);
            let change = Change { act: "change the PUK of", which: "PUK", new_which: "PUK" };
            change.run(card, Command::new(CHANGE_REFERENCE_DATA, 0, PUK, []), old, new, puk_state)
        })
    }

    fn unblock(
        &self,
        uri: &KeyUri,
        puk: Option<Secret>,
        new: &Secret,
        context: &OpenContext<'_>,
    ) -> Result<()> {
        self.on_card(uri, context, |_, card| {
            let puk = or_factory(puk, FACTORY_PUK, "PUK", card);
            let change = Change { act: "unblock the PIN of", which: "PUK", new_which: "PIN" };
            change.run(card, Command::new(RESET_RETRY_COUNTER, 0, PIN, []), puk, new, puk_state)
        })
    }

    fn set_management_key(
        &self,
        uri: &KeyUri,
        old: Option<Secret>,
        new: NewManagementKey,
        context: &OpenContext<'_>,
    ) -> Result<Option<Secret>> {
        self.on_card(uri, context, |uri, card| change_management_key(card, uri, old.as_ref(), new))
    }

    fn reset(&self, uri: &KeyUri, sure: bool, context: &OpenContext<'_>) -> Result<()> {
        self.on_card(uri, context, |_, card| reset::reset(card, sure))
    }
}

impl PivBackend {
    fn on_card<T>(
        &self,
        uri: &KeyUri,
        context: &OpenContext<'_>,
        work: impl FnOnce(&PivUri, &mut Card<'_>) -> Result<T>,
    ) -> Result<T> {
        let parsed = PivUri::parse(uri, context)?;
        context.time_left("open the card")?;
        find::one(self.readers, uri, &parsed, *context)
            .and_then(|mut card| work(&parsed, &mut card))
            .map_err(|error| error.for_key(uri))
    }
}

fn or_factory(given: Option<Secret>, factory: &[u8], which: &str, card: &Card<'_>) -> Secret {
    given.unwrap_or_else(|| {
        card.context()
            .events
            .event(Event::Warning(format!("the factory's {which} is used for {}", card.identity())));
        Secret::new(factory.to_vec())
    })
}

fn puk_state(card: &mut Card<'_>) -> Result<pin::State> {
    let told = metadata::puk(card)?;
    Ok(pin::State { left: told.tries.map(|(_, left)| left), total: None, is_default: told.is_default })
}

/// One secret proven, another set, in one command of twice eight bytes.
struct Change {
    act: &'static str,
    which: &'static str,
    new_which: &'static str,
}

impl Change {
    fn run(
        &self,
        card: &mut Card<'_>,
        command: Command,
        old: Secret,
        new: &Secret,
        state: impl FnOnce(&mut Card<'_>) -> Result<pin::State>,
    ) -> Result<()> {
        let what = card.cannot(self.act);
        let context = card.context();
        pin::check_form(&format!("{what}: the new {}", self.new_which), self.new_which, new, None)?;
        card.exclusive_selected(|card| {
            let state = state(card)?;
            match (state.left, self.which) {
                (_, "PIN") => pin::check_tries(&what, state, &context)?,
                (Some(0), _) => {
                    return Err(Error::new(ErrorKind::PinLocked, &*what)
                        .why("its PUK is locked after too many wrong tries")
                        .hint("only a reset helps, which removes every key: countersign piv-tool reset"));
                }
                (Some(1), _) if !context.allow_final_pin_try => {
                    return Err(Error::new(ErrorKind::Denied, &*what)
                        .why("one try of its PUK is left, and a wrong one locks it")
                        .hint("make sure of the PUK, then pass --allow-final-pin-try"));
                }
                _ => {}
            }
            pin::check_form(&what, self.which, &old, state.left)?;
            pin::check_not_refused(&what, card, self.which, &old, state.left)?;
            let mut data = Zeroizing::new(Vec::with_capacity(16));
            data.extend(pin::padded(&old).iter());
            data.extend(pin::padded(new).iter());
            let reply = card
                .send(self.act, Command { data, ..command })
                .map_err(|error| doubtful(error, &format!("the new {} may be set", self.new_which)))?;
            match reply.status {
                Status::OK => {
                    pin::forget_refused(card);
                    Ok(())
                }
                status if status.tries().is_some() || status == Status::BLOCKED => {
                    Err(pin::wrong(&what, card, self.which, old, status))
                }
                // Firmware 5.7 may be set to refuse simple PINs.
                Status::CONDITIONS | Status::WRONG_DATA => Err(card
                    .refused(self.act, reply.status)
                    .hint(format!("the card may want a {} that is less simple", self.new_which))),
                status => Err(card.refused(self.act, status)),
            }
        })
    }
}

/// Sets another management key, and has the card keep it or forget one that it kept.
fn change_management_key(
    card: &mut Card<'_>,
    uri: &PivUri,
    old: Option<&Secret>,
    new: NewManagementKey,
) -> Result<Option<Secret>> {
    let what = card.cannot("set the management key of");
    let protects = matches!(new, NewManagementKey::Random { protected: true });
    if card.identity().firmware.is_none() {
        return Err(Error::new(ErrorKind::Unsupported, what)
            .why("only a YubiKey's management key can be changed")
            .hint("use the tool of the card's maker"));
    }
    let (current, was_protected, state) = card.exclusive_selected(|card| {
        let state = if protects { Some(pin::state(card)?) } else { None };
        Ok((management::cipher(card)?, protected_key::is_protected(card)?, state))
    })?;
    let is_random = matches!(new, NewManagementKey::Random { .. });
    let (cipher, key) = match new {
        NewManagementKey::Given(text) => {
            let key = management::parse(&text, &what)?;
            (cipher_for(key.expose().len(), current, card, &what)?, key)
        }
        NewManagementKey::Random { .. } => {
            (current, Secret::new(management::random(current.key_bytes())?.to_vec()))
        }
    };
    let asked = state.map(|state| pin::ask(card, uri, state)).transpose()?;
    let opening = match (old, &asked) {
        // One PIN serves both: to read the old key, and to write the new one.
        (None, Some(_)) if was_protected => None,
        _ => Some(management::gather(card, uri, old)?),
    };
    card.exclusive_selected(|card| {
        if let Some(asked) = asked {
            pin::prove(card, asked)?;
        }
        let old = match opening {
            Some(opening) => management::open(card, opening)?,
            None => {
                let kept = protected_key::read(card)?;
                management::open(card, management::Opening::Key(kept))?
            }
        };
        if protects {
            // The card keeps the key before it counts: a card that is pulled out in between keeps its old one.
            protected_key::write(card, Some(&key))?;
            return match set_and_look(card, cipher, &key, &old) {
                Ok(()) => Ok(None),
                Err(Unset { error, .. }) => match protected_key::write(card, Some(&old).filter(|_| was_protected)) {
                    Ok(()) => Err(error),
                    Err(second) => Err(error.within(format!(
                        "{what}; the card now says that it keeps a key which may not be its own ({second})"
                    ))),
                },
            };
        }
        let context = card.context();
        let warn = |text: String| context.events.event(Event::Warning(text));
        match set_and_look(card, cipher, &key, &old) {
            Ok(()) => {}
            // Nobody else has the random key: it must not be lost with the error.
            Err(Unset { error, old_holds: false }) if is_random => {
                warn(format!("{error}: its management key is this one or still the old one"));
                return Ok(Some(key));
            }
            Err(Unset { error, .. }) => return Err(error),
        }
        if was_protected && let Err(error) = protected_key::write(card, None) {
            warn(format!("the card still says that it keeps its management key behind the PIN, but that is an old one: {error}"));
        }
        Ok(Some(key).filter(|_| is_random))
    })
    .map(|key| key.map(|key| Secret::new(hexadecimal::hex(key.expose()).into_bytes())))
}

/// A management key that is not set, as far as one can tell.
struct Unset {
    error: Error,
    /// Whether the card has shown that the old one still opens it.
    old_holds: bool,
}

/// Sets the key. After an error the card itself shows which key it has: proving one costs no try.
fn set_and_look(card: &mut Card<'_>, cipher: Cipher, new: &Secret, old: &Secret) -> Result<(), Unset> {
    let Err(error) = management::set(card, cipher, new) else { return Ok(()) };
    if management::prove(card, new, "").is_ok() {
        return Ok(());
    }
    let old_holds = management::prove(card, old, "").is_ok();
    Err(Unset { error, old_holds })
}

/// The cipher for a key of this many bytes. 24 fit two: the card's own stays, and AES goes before 3DES.
fn cipher_for(bytes: usize, current: Cipher, card: &Card<'_>, what: &str) -> Result<Cipher> {
    let cipher = match (bytes, current) {
        (16, _) => Cipher::Aes128,
        (32, _) => Cipher::Aes256,
        (_, Cipher::TripleDes) => Cipher::TripleDes,
        _ => Cipher::Aes192,
    };
    if cipher != Cipher::TripleDes && !card.identity().since(5, 4, 2) {
        return Err(Error::new(ErrorKind::Unsupported, what)
            .why(format!("{} management keys need firmware 5.4.2", cipher.name()))
            .hint("give 48 hexadecimal digits, a 3DES key"));
    }
    Ok(cipher)
}
