//! One opened key: the card behind a lock, its PIN for this run, when it asks for PIN and touch, and one recovery when the card
//! was reset or pulled out and put back.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_core::context::{Event, Limit};
use countersign_core::device::{PinPolicy, TouchPolicy};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::signer::{KeyInfo, RawSignature, SignRequest};
use countersign_core::{KeyUri, Scheme, Secret, Signer};

use crate::algorithm::CardAlgorithm;
use crate::apdu::{Command, Status};
use crate::card::{Card, Reply, Silence};
use crate::prepare::prepare;
use crate::public_half::KeyFacts;
use crate::slot::Slot;
use crate::transport::Readers;
use crate::uri::PivUri;
use crate::{find, pin, tlv};

const GENERAL_AUTHENTICATE: u8 = 0x87;
/// SP 800-73-4 Part 2 3.2.4: the dynamic authentication template, its empty response and its challenge.
const TEMPLATE: u32 = 0x7c;
const RESPONSE: u32 = 0x82;
const CHALLENGE: u32 = 0x81;
/// How long a touch holds under the policy `cached`, by Yubico's documentation.
const TOUCH_HOLDS: Duration = Duration::from_secs(15);

/// A key on a card.
pub(crate) struct PivSigner<'a> {
    info: KeyInfo,
    key: KeyUri,
    readers: &'static dyn Readers,
    /// Of each signature.
    limit: Limit,
    state: Mutex<State<'a>>,
}

struct State<'a> {
    card: Card<'a>,
    uri: PivUri,
    slot: Slot,
    algorithm: CardAlgorithm,
    /// `None`: the card does not tell, and signing shows.
    pin_policy: Option<PinPolicy>,
    touch_policy: Option<TouchPolicy>,
    /// The PIN that was right.
    pin: Option<Secret>,
    touched: Option<Instant>,
    /// Signatures so far: what a batch did before the card was gone.
    signed: usize,
}

/// What came of one attempt.
enum Outcome {
    Answered(Reply),
    /// The key asks for a PIN, which was not to be foreseen.
    NeedsPin(pin::State),
}

impl<'a> PivSigner<'a> {
    pub(crate) fn new(
        info: KeyInfo,
        key: &KeyUri,
        readers: &'static dyn Readers,
        card: Card<'a>,
        uri: PivUri,
        facts: &KeyFacts,
        pin: Option<Secret>,
    ) -> Result<Self> {
        let key_type = facts.public_key.key_type();
        let algorithm = CardAlgorithm::from_key_type(key_type)
            .ok_or_else(|| Error::internal("a key that no card holds"))?;
        let is_yubikey = card.identity().firmware.is_some();
        let limit = Limit::of(&card.context());
        let state = State {
            slot: uri.slot(),
            algorithm,
            pin_policy: facts.policies.pin,
            // SP 800-73-4 knows no touch.
            touch_policy: facts.policies.touch.or((!is_yubikey).then_some(TouchPolicy::Never)),
            card,
            uri,
            pin,
            touched: None,
            signed: 0,
        };
        Ok(Self { info, key: key.clone(), readers, limit, state: Mutex::new(state) })
    }
}

impl Drop for PivSigner<'_> {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.pin.is_some() {
            state.card.forget_pin();
        }
    }
}

impl Signer for PivSigner<'_> {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        let data = prepare(request.algorithm(), request.input())?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.card.set_deadline(self.limit.deadline());
        let mut signed = state.sign(&data);
        if let Err(error) = &signed
            && find::is_gone(error)
        {
            signed = match state.recover(self.readers, &self.key) {
                Ok(()) => state.sign(&data),
                Err(second) => Err(state.gone(second)),
            };
        }
        let bytes = signed.map_err(|error| error.for_key(&self.key))?;
        state.signed += 1;
        Ok(match request.algorithm().scheme() {
            // SP 800-73-4 Part 2 4.2: Ecdsa-Sig-Value.
            Scheme::Ecdsa => RawSignature::EcdsaDer(bytes),
            Scheme::RsaPkcs1v15 | Scheme::RsaPss => RawSignature::Rsa(bytes),
            Scheme::Ed25519 | Scheme::Ed25519ph => RawSignature::Ed25519(bytes),
        })
    }
}

impl State<'_> {
    fn sign(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let act = format!("sign with slot {} of", self.slot);
        self.announce_touch();
        let reply = match self.within_transaction(&act, data)? {
            Outcome::Answered(reply) => reply,
            Outcome::NeedsPin(state) => {
                // The card told no policy, and the slot's default was not the key's.
                let asked = pin::ask(&self.card, &self.uri, state)?;
                self.pin = Some(self.card.exclusive_selected(|card| pin::prove(card, asked))?);
                self.pin_policy = Some(PinPolicy::Always);
                match self.within_transaction(&act, data)? {
                    Outcome::Answered(reply) => reply,
                    Outcome::NeedsPin(_) => return Err(self.card.refused(&act, Status::SECURITY)),
                }
            }
        };
        if reply.status != Status::OK {
            return Err(self.card.refused(&act, reply.status));
        }
        self.touched = Some(Instant::now());
        let signature = tlv::only(TEMPLATE, &reply.data)
            .and_then(|inner| tlv::only(RESPONSE, inner))
            .ok_or_else(|| self.card.garbled(&act, "it has no signature"))?;
        Ok(signature.to_vec())
    }

    /// VERIFY, where the policy asks for it, and GENERAL AUTHENTICATE with nothing between them.
    fn within_transaction(&mut self, act: &str, data: &[u8]) -> Result<Outcome> {
        let Self { card, slot, algorithm, pin_policy, touch_policy, pin, .. } = self;
        let policy = pin_policy.unwrap_or_else(|| slot.default_pin_policy());
        let try_once = |card: &mut Card<'_>| authenticate(card, act, *slot, *algorithm, *touch_policy, data);
        card.exclusive(|card| {
            if policy == PinPolicy::Always {
                enter(card, pin)?;
            }
            let mut reply = try_once(card)?;
            if reply.status.not_ours() {
                // Another program selected another application on the card.
                card.select_again()?;
                if policy != PinPolicy::Never {
                    enter(card, pin)?;
                }
                reply = try_once(card)?;
            }
            if reply.status != Status::SECURITY {
                return Ok(Outcome::Answered(reply));
            }
            // 6982 means both: no PIN, and no touch. With the policy `always` the PIN came right before; otherwise the card
            // says whether it holds the PIN for verified.
            let may_lack_pin =
                policy == PinPolicy::Once || pin_policy.is_none() && policy == PinPolicy::Never;
            if may_lack_pin && !pin::is_verified(card)? {
                if pin.is_none() {
                    return Ok(Outcome::NeedsPin(pin::state(card)?));
                }
                // Another program selected the application anew, which forgets the PIN.
                enter(card, pin)?;
                reply = try_once(card)?;
                if reply.status != Status::SECURITY {
                    return Ok(Outcome::Answered(reply));
                }
            }
            if *touch_policy == Some(TouchPolicy::Never) {
                return Ok(Outcome::Answered(reply));
            }
            Err(Error::new(ErrorKind::TouchTimeout, card.cannot(act))
                .why(format!("it was not touched in time (status {})", Status::SECURITY))
                .hint("try again, and touch the device when it blinks"))
        })
    }

    /// Says that a touch is needed, where the policy does.
    fn announce_touch(&self) {
        let holds = self.touched.is_some_and(|touched| touched.elapsed() < TOUCH_HOLDS);
        match self.touch_policy {
            Some(TouchPolicy::Always) => self.card.context().events.event(Event::TouchNeeded),
            Some(TouchPolicy::Cached) if !holds => self.card.context().events.event(Event::TouchNeeded),
            Some(TouchPolicy::Cached | TouchPolicy::Never) | None => {}
        }
    }

    /// Finds the card again and proves the PIN that was right before, once.
    fn recover(&mut self, readers: &'static dyn Readers, key: &KeyUri) -> Result<()> {
        let mut card = find::again(readers, key, &self.card)?;
        let asks = self.pin_policy.unwrap_or_else(|| self.slot.default_pin_policy()) == PinPolicy::Once;
        let pin = &mut self.pin;
        card.exclusive(|card| if asks { enter(card, pin) } else { Ok(()) })?;
        self.card = card;
        Ok(())
    }

    /// The card is gone for good: says what was done before.
    fn gone(&self, error: Error) -> Error {
        let done = match self.signed {
            0 => "nothing was signed before".to_owned(),
            1 => "one signature was made before, and it is good".to_owned(),
            count => format!("{count} signatures were made before, and they are good"),
        };
        let why = format!("{error}; {done}");
        let hint = error.next_step().unwrap_or("plug the card in again").to_owned();
        Error::new(error.kind(), self.card.cannot("go on with")).why(why).hint(hint)
    }
}

/// Proves the PIN that was right before. One that is suddenly wrong was changed by another program: it is not sent again.
fn enter(card: &mut Card<'_>, pin: &mut Option<Secret>) -> Result<()> {
    let what = card.cannot("log in to");
    let Some(known) = pin.take() else {
        return Err(Error::new(ErrorKind::PinRequired, what).why("the card refused the PIN before"));
    };
    let mut verified = pin::verify(card, &known);
    if verified.as_ref().is_ok_and(|status| status.not_ours()) {
        verified = card.select_again().and_then(|()| pin::verify(card, &known));
    }
    match verified {
        Ok(status) if status != Status::OK => Err(pin::wrong(&what, card, "PIN", known, status)),
        verified => {
            // A card that did not answer says nothing about the PIN.
            *pin = Some(known);
            verified.map(drop)
        }
    }
}

fn authenticate(
    card: &mut Card<'_>,
    act: &str,
    slot: Slot,
    algorithm: CardAlgorithm,
    touch: Option<TouchPolicy>,
    data: &[u8],
) -> Result<Reply> {
    let mut inner = tlv::element(RESPONSE, &[]);
    tlv::push(&mut inner, CHALLENGE, data);
    let command =
        Command::new(GENERAL_AUTHENTICATE, algorithm.number, slot.number(), tlv::element(TEMPLATE, &inner));
    // A policy that is known was announced, or asks for nothing. RSA takes long by itself, but half a second it does not.
    let silence = if touch.is_none() { Silence::Touch } else { Silence::Work };
    card.send_and_watch(act, command, silence)
}
