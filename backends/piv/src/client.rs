//! Opening: from a URI to one card, one slot, one login. Everything is settled before a PIN is asked for.

use countersign_core::device::PinPolicy;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::signer::{KeyInfo, Location};
use countersign_core::{Certificate, KeyUri, OpenContext, PublicKey, Signer};

use crate::card::Card;
use crate::public_half;
use crate::signer::PivSigner;
use crate::slot::Slot;
use crate::transport::Readers;
use crate::uri::PivUri;
use crate::{algorithm, find, objects, pin};

/// Opens exactly one key for signing.
pub(crate) fn open<'a>(
    readers: &'static dyn Readers,
    key: &KeyUri,
    context: &OpenContext<'a>,
) -> Result<Box<dyn Signer + 'a>> {
    let uri = PivUri::parse(key, context)?;
    context.time_left("open the card")?;
    let mut card = find::one(readers, key, &uri, *context)?;
    let (facts, certificate, state) = card.exclusive(|card| {
        let facts = public_half::look_up(card, &uri, true)?;
        let what = card.cannot(&format!("sign with slot {} of", uri.slot()));
        algorithm::for_key(facts.public_key.key_type(), &what)?;
        let policy = facts.policies.pin.unwrap_or_else(|| uri.slot().default_pin_policy());
        let state = match policy {
            PinPolicy::Never => None,
            PinPolicy::Once | PinPolicy::Always => Some(pin::state(card)?),
        };
        Ok((facts.clone(), certificate_of(card, uri.slot(), &facts.public_key)?, state))
    })?;
    let pin = match state {
        Some(state) => {
            let asked = pin::ask(&card, &uri, state)?;
            Some(card.exclusive_selected(|card| pin::prove(card, asked))?)
        }
        None => None,
    };
    let algorithms = algorithm::signs(facts.public_key.key_type());
    let name = name(&card, &uri).to_string();
    let info =
        KeyInfo { certificate, ..KeyInfo::new(name, facts.public_key.clone(), algorithms, Location::Token) };
    Ok(Box::new(PivSigner::new(info, key, readers, card, uri, &facts, pin)?))
}

/// The certificate in the slot, if it is of the slot's key. Signing needs none, so what is wrong with it is no error here; the
/// doctor tells.
fn certificate_of(card: &mut Card<'_>, slot: Slot, key: &PublicKey) -> Result<Option<Vec<u8>>> {
    // A self-issued one tells nobody more than the key does, and keeps Cosign from verifying with the key.
    let speaks = |der: &Vec<u8>| {
        Certificate::from_der(der).is_ok_and(|read| read.public_key() == key && !read.is_self_issued())
    };
    match objects::certificate(card, slot) {
        Ok(der) => Ok(der.filter(speaks)),
        Err(error)
            if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Integrity | ErrorKind::Denied) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The URI that names this card and slot: by serial number, else by reader.
pub(crate) fn name(card: &Card<'_>, uri: &PivUri) -> PivUri {
    let identity = card.identity();
    PivUri {
        slot: Some(uri.slot()),
        serial: identity.serial,
        reader: identity.serial.is_none().then(|| identity.reader.clone()),
        ..PivUri::default()
    }
}

/// The public half of exactly one key, without a login.
pub(crate) fn public_key(
    readers: &'static dyn Readers,
    key: &KeyUri,
    context: &OpenContext<'_>,
) -> Result<PublicKey> {
    let uri = PivUri::parse(key, context)?;
    context.time_left("open the card")?;
    let mut card = find::one(readers, key, &uri, *context)?;
    let facts = card.exclusive(|card| public_half::look_up(card, &uri, false))?;
    if algorithm::signs(facts.public_key.key_type()).is_empty() {
        return Err(
            Error::new(ErrorKind::Unsupported, format!("cannot use {key}")).why("its key signs nothing here")
        );
    }
    Ok(facts.public_key)
}
