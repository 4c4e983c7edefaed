//! The public half of a slot's key and its policies: from metadata, certificate, attestation or a file, in that order.

use std::path::Path;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::limits::MAX_KEY_FILE_BYTES;
use countersign_core::{OpenContext, PublicKey, bounded};

use crate::attestation;
use crate::card::Card;
use crate::metadata::{self, Policies};
use crate::objects;
use crate::slot::Slot;
use crate::uri::PivUri;

/// What is known of a key without a login.
#[derive(Debug, Clone)]
pub(crate) struct KeyFacts {
    pub(crate) public_key: PublicKey,
    pub(crate) policies: Policies,
    /// Where the public half was found.
    pub(crate) source: &'static str,
}

/// Looks a key up. `with_policies`: an attestation is asked for where nothing cheaper tells the policies; it costs the card one
/// signature.
pub(crate) fn look_up(card: &mut Card<'_>, uri: &PivUri, with_policies: bool) -> Result<KeyFacts> {
    let slot = uri.slot();
    let context = card.context();
    let found = on_card(card, slot, with_policies)?;
    let named = uri.public_key.as_deref().map(|path| from_file(path, &context)).transpose()?;
    match (found, named) {
        (Some(found), Some(named)) if found.public_key != named => {
            Err(Error::new(ErrorKind::Integrity, card.cannot(&format!("use slot {slot} of")))
                .why(format!("the file in public-key= holds another key than its {} tells", found.source))
                .hint("leave public-key= out, or name the right file or slot"))
        }
        (Some(found), _) => Ok(found),
        (None, Some(public_key)) => {
            Ok(KeyFacts { public_key, policies: Policies::default(), source: "file" })
        }
        (None, None) => Err(nothing(card, slot)),
    }
}

/// What the card itself tells; `None` where it tells of no key.
pub(crate) fn on_card(card: &mut Card<'_>, slot: Slot, with_policies: bool) -> Result<Option<KeyFacts>> {
    if metadata::has_metadata(card) {
        return match metadata::key(card, slot)? {
            None => Ok(None),
            Some(found) => match found.public_key {
                Some(public_key) => {
                    Ok(Some(KeyFacts { public_key, policies: found.policies, source: "metadata" }))
                }
                None => Err(Error::new(ErrorKind::Unsupported, card.cannot(&format!("use slot {slot} of")))
                    .why("the key in it is of a type that signs nothing here, X25519 or RSA-1024")),
            },
        };
    }
    let certified = match objects::certified_key(card, slot) {
        Ok(key) => key,
        // A certificate that we cannot read stands in nobody's way.
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        Err(error) => return Err(error),
    };
    let attested =
        if with_policies || certified.is_none() { attestation::of_slot(card, slot)? } else { None };
    match (certified, attested) {
        (Some(certified), Some(attested))
            if attested.public_key.as_ref().is_some_and(|key| *key != certified) =>
        {
            Err(Error::new(ErrorKind::KeyState, card.cannot(&format!("use slot {slot} of")))
                .why("the certificate in the slot is of another key than the one in it")
                .hint("put the right certificate into the slot, or delete the old one"))
        }
        (Some(public_key), attested) => {
            let policies = attested.map_or_else(Policies::default, |attested| attested.policies);
            Ok(Some(KeyFacts { public_key, policies, source: "certificate" }))
        }
        (None, Some(attested)) => Ok(attested.public_key.map(|public_key| KeyFacts {
            public_key,
            policies: attested.policies,
            source: "attestation",
        })),
        (None, None) => Ok(None),
    }
}

fn from_file(path: &Path, context: &OpenContext<'_>) -> Result<PublicKey> {
    let bytes = bounded::read(path, MAX_KEY_FILE_BYTES, context.deadline)
        .map_err(|cause| Error::io("read the public key in", path.display(), cause))?;
    PublicKey::from_pem_or_der(&bytes)
        .map_err(|error| error.within(format!("cannot use the public key in {}", path.display())))
}

fn nothing(card: &Card<'_>, slot: Slot) -> Error {
    let error = Error::new(ErrorKind::NotFound, card.cannot(&format!("find a key in slot {slot} of")));
    if metadata::has_metadata(card) {
        error.why("the slot is empty").hint("list the card's keys with: countersign keys list piv:")
    } else if card.identity().firmware.is_some() {
        error
            .why("it has neither a certificate nor a key that was made on the device")
            .hint("for an imported key, add a certificate to the slot or ?public-key=FILE to the URI")
    } else {
        error
            .why("the slot has no certificate, and such a card tells of its key in no other way")
            .hint("add a certificate to the slot, or ?public-key=FILE to the URI")
    }
}
