//! Putting a key into a slot, made there or elsewhere: everything that can be refused is refused before the card is changed.

use countersign_core::backend::Created;
use countersign_core::context::Event;
use countersign_core::device::NewKey;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyUri, OpenContext, PublicKey, Secret};

use crate::card::Card;
use crate::keys::{self, Guard};
use crate::slot::Slot;
use crate::transport::Readers;
use crate::uri::PivUri;
use crate::{client, find, management, objects};

/// Where the key comes from.
pub(crate) enum Source<'a> {
    /// The card makes it.
    Made,
    /// PKCS#8 DER, unencrypted, and its public half.
    Imported(&'a Secret, &'a PublicKey),
}

pub(crate) fn make_key(
    readers: &'static dyn Readers,
    key_uri: &KeyUri,
    key: &NewKey,
    source: Source<'_>,
    overwrite: bool,
    context: &OpenContext<'_>,
) -> Result<Created> {
    let uri = PivUri::parse(key_uri, context)?;
    let slot = uri.slot();
    let guard = guard(&uri, key, key_uri)?;
    context.time_left("open the card")?;
    let mut card = find::one(readers, key_uri, &uri, *context)?;
    let what = card.cannot(&match source {
        Source::Made => format!("make a key in slot {slot} of"),
        Source::Imported(..) => format!("import a key into slot {slot} of"),
    });
    let key_type = key.algorithm.key_type();
    keys::check(&card, key_type, guard, &what)?;
    if matches!(source, Source::Imported(..)) {
        keys::check_import(&card, &what)?;
    }
    let occupant = card.exclusive(|card| keys::occupant(card, slot))?;
    if let Some(occupant) = occupant.as_ref().filter(|_| !overwrite) {
        let question = format!("slot {slot} of {} has {occupant}: replace it, for ever?", card.identity());
        if !context.prompt.confirm(&question)? {
            return Err(Error::new(ErrorKind::Denied, what)
                .why(format!("the slot has {occupant}, which is kept"))
                .hint("choose another slot, or pass -f to replace it"));
        }
    }
    let opening = management::gather(&mut card, &uri, key.management_key.as_ref())?;
    let public_key = card.exclusive_selected(|card| {
        management::open(card, opening)?;
        let public_key = match source {
            Source::Made => keys::generate(card, slot, key_type, guard)?,
            Source::Imported(pkcs8, public_key) => {
                keys::import(card, slot, key_type, pkcs8.expose(), guard)?;
                public_key.clone()
            }
        };
        forget_certificate(card, slot, &public_key)?;
        Ok(public_key)
    })?;
    // Metadata tell every key, an attestation those that were made on the device, and nothing the rest.
    let is_imported = matches!(source, Source::Imported(..));
    if !card.identity().since(5, 3, 0) && (is_imported || !card.identity().since(4, 3, 0)) {
        context.events.event(Event::Warning(format!(
            "{} does not tell a key's public half later: keep the one printed now, or put a certificate into the slot",
            card.identity()
        )));
    }
    let made = client::name(&card, &uri).to_string();
    Ok(Created { uri: made.clone(), public_key, private_path: made.clone(), public_path: made })
}

/// Removes a certificate of the key that was there: on cards without metadata it would speak for the new one.
fn forget_certificate(card: &mut Card<'_>, slot: Slot, key: &PublicKey) -> Result<()> {
    if objects::read(card, slot.certificate_object(), "look for the certificate of")?.is_none() {
        return Ok(());
    }
    if objects::certified_key(card, slot).is_ok_and(|certified| certified.as_ref() == Some(key)) {
        return Ok(());
    }
    objects::put_certificate(card, slot, None).map_err(|error| {
        error.within(format!("the new key is in slot {slot}, but the certificate of the old one too"))
    })
}

/// The policies of the request and of the URI, which must not contradict each other.
fn guard(uri: &PivUri, key: &NewKey, key_uri: &KeyUri) -> Result<Guard> {
    fn one<T: PartialEq + Copy>(
        left: Option<T>,
        right: Option<T>,
        name: &str,
        uri: &KeyUri,
    ) -> Result<Option<T>> {
        match (left, right) {
            (Some(left), Some(right)) if left != right => {
                Err(Error::new(ErrorKind::BadUri, format!("cannot make a key in {uri}"))
                    .why(format!("the URI's {name} contradicts the one of the flag"))
                    .hint("leave one of them out"))
            }
            (left, right) => Ok(left.or(right)),
        }
    }
    Ok(Guard {
        pin: one(key.pin_policy, uri.pin_policy, "pin-policy", key_uri)?,
        touch: one(key.touch_policy, uri.touch_policy, "touch-policy", key_uri)?,
    })
}
