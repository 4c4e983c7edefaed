//! Listing the keys of cards, making and deleting them, and the certificates beside them.

use countersign_core::backend::{Created, KeySummary, TokenSummary};
use countersign_core::device::{NewKey, PinPolicy, TouchPolicy};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::LocalKey;
use countersign_core::signer::Location;
use countersign_core::{Algorithm, KeyStore, KeyUri, OpenContext, PublicKey, Secret};
use der::Decode;
use x509_cert::Certificate;

use crate::PivBackend;
use crate::card::Card;
use crate::make::Source;
use crate::metadata::{self, Policies};
use crate::slot::Slot;
use crate::uri::PivUri;
use crate::{attestation, client, find, keys, make, management, objects, public_half};

impl KeyStore for PivBackend {
    fn list(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        self.list_keys(uri, context).map_err(|error| error.for_key(uri))
    }

    fn tokens(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<TokenSummary>> {
        let parsed = PivUri::parse(uri, context)?;
        let mut seen = find::look(self.readers, &parsed, *context).map_err(|error| error.for_key(uri))?;
        if let (true, Some(_)) = (seen.cards.is_empty(), seen.troubles.first()) {
            return Err(seen.troubles.remove(0).for_key(uri));
        }
        let place =
            |reader: &str| seen.readers.iter().position(|other| other.name == reader).unwrap_or_default();
        Ok(seen
            .cards
            .iter()
            .map(|card| {
                let identity = card.identity();
                TokenSummary {
                    slot: place(&identity.reader) as u64,
                    label: identity.reader.clone(),
                    manufacturer: if identity.firmware.is_some() { "Yubico".into() } else { String::new() },
                    model: match identity.firmware {
                        Some(firmware) => format!("YubiKey, firmware {firmware}"),
                        None => "PIV card".to_owned(),
                    },
                    serial: identity.serial.map(|serial| serial.to_string()).unwrap_or_default(),
                }
            })
            .collect())
    }

    fn generate(
        &self,
        uri: &KeyUri,
        algorithm: Algorithm,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        let key = NewKey { algorithm, pin_policy: None, touch_policy: None, management_key: None };
        make::make_key(self.readers, uri, &key, Source::Made, overwrite, context)
            .map_err(|error| error.for_key(uri))
    }

    fn import(
        &self,
        uri: &KeyUri,
        key: &LocalKey,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        let pkcs8 = Secret::new(key.to_pkcs8()?.to_vec());
        let algorithm = key.public_key().key_type().default_algorithm();
        let new = NewKey { algorithm, pin_policy: None, touch_policy: None, management_key: None };
        let source = Source::Imported(&pkcs8, key.public_key());
        make::make_key(self.readers, uri, &new, source, overwrite, context)
            .map_err(|error| error.for_key(uri))
    }

    fn delete(&self, uri: &KeyUri, sure: bool, context: &OpenContext<'_>) -> Result<Vec<String>> {
        self.delete_key(uri, sure, context).map_err(|error| error.for_key(uri))
    }

    fn certificate(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Option<Vec<u8>>> {
        let parsed = PivUri::parse(uri, context)?;
        find::one(self.readers, uri, &parsed, *context)
            .and_then(|mut card| card.exclusive(|card| objects::certificate(card, parsed.slot())))
            .map_err(|error| error.for_key(uri))
    }

    fn import_certificate(
        &self,
        uri: &KeyUri,
        certificate: &[u8],
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<String> {
        self.put_certificate(uri, certificate, overwrite, context).map_err(|error| error.for_key(uri))
    }
}

impl PivBackend {
    fn list_keys(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        let parsed = PivUri::parse(uri, context)?;
        context.time_left("look for cards")?;
        let mut seen = find::look(self.readers, &parsed, *context)?;
        if seen.cards.is_empty() {
            // Says why there is none.
            find::one(self.readers, uri, &parsed, OpenContext { wait_for_device: false, ..*context })?;
        }
        let mut keys = Vec::new();
        for card in &mut seen.cards {
            let slots: Vec<Slot> = parsed.slot.map_or_else(|| Slot::all().collect(), |slot| vec![slot]);
            for slot in slots {
                let uri = client::name(card, &PivUri { slot: Some(slot), ..PivUri::default() });
                keys.extend(card.exclusive(|card| summary(card, slot, uri.to_string()))?);
            }
        }
        Ok(keys)
    }

    fn delete_key(&self, uri: &KeyUri, sure: bool, context: &OpenContext<'_>) -> Result<Vec<String>> {
        let parsed = PivUri::parse(uri, context)?;
        let slot = parsed.slot();
        let mut card = find::one(self.readers, uri, &parsed, *context)?;
        let what = card.cannot(&format!("delete the key in slot {slot} of"));
        keys::check_delete(&card, slot)?;
        let Some(occupant) = card.exclusive(|card| keys::occupant(card, slot))? else {
            return Err(Error::new(ErrorKind::NotFound, what).why("the slot is empty"));
        };
        let question =
            format!("delete {occupant} and its certificate in slot {slot} of {}, for ever?", card.identity());
        if !sure && !context.prompt.confirm(&question)? {
            return Err(Error::new(ErrorKind::Denied, what)
                .why("it was not confirmed")
                .hint("pass -f to be sure"));
        }
        let opening = management::gather(&mut card, &parsed, None)?;
        card.exclusive_selected(|card| {
            management::open(card, opening)?;
            let mut gone = Vec::new();
            if occupant != "a certificate" {
                keys::delete(card, slot)?;
                gone.push(format!("{occupant} in slot {slot} of {}", card.identity()));
            }
            if objects::read(card, slot.certificate_object(), "look for the certificate of")?.is_some() {
                objects::put_certificate(card, slot, None).map_err(|error| {
                    error.within(format!("the key in slot {slot} is deleted, its certificate is not"))
                })?;
                gone.push(format!("the certificate in slot {slot} of {}", card.identity()));
            }
            Ok(gone)
        })
    }

    fn put_certificate(
        &self,
        uri: &KeyUri,
        der: &[u8],
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<String> {
        let parsed = PivUri::parse(uri, context)?;
        let slot = parsed.slot();
        let certified = PublicKey::from_certificate_der(der)?;
        let mut card = find::one(self.readers, uri, &parsed, *context)?;
        let what = card.cannot(&format!("write the certificate in slot {slot} of"));
        let there = card.exclusive(|card| {
            check_fits(card, &parsed, &certified, &what)?;
            objects::read(card, slot.certificate_object(), "look for the certificate of")
        })?;
        let question = format!("replace the certificate in slot {slot} of {}?", card.identity());
        if there.is_some() && !overwrite && !context.prompt.confirm(&question)? {
            return Err(Error::new(ErrorKind::Denied, what)
                .why("the slot has a certificate, which is kept")
                .hint("pass -f to replace it"));
        }
        let opening = management::gather(&mut card, &parsed, None)?;
        card.exclusive_selected(|card| {
            management::open(card, opening)?;
            objects::put_certificate(card, slot, Some(der))?;
            // What the card has now is what counts.
            match objects::certificate(card, slot)? {
                Some(written) if written == der => Ok(client::name(card, &parsed).to_string()),
                _ => Err(card
                    .garbled(&format!("write the certificate in slot {slot} of"), "it has another one now")),
            }
        })
    }
}

/// Refuses a certificate of another key than the slot's. Where the card does not tell the key but by the certificate that is
/// to be replaced, and no file names it, nothing can be compared.
fn check_fits(card: &mut Card<'_>, uri: &PivUri, certified: &PublicKey, what: &str) -> Result<()> {
    let slot = uri.slot();
    let key = if metadata::has_metadata(card) || uri.public_key.is_some() {
        match public_half::look_up(card, uri, false) {
            Ok(facts) => Some(facts.public_key),
            Err(error) => return Err(error),
        }
    } else {
        attestation::of_slot(card, slot)?.and_then(|attested| attested.public_key)
    };
    match key {
        Some(key) if key != *certified => Err(Error::new(ErrorKind::Integrity, what)
            .why("the certificate is of another key than the one in the slot")
            .hint("ask for a certificate with this key's own request")),
        Some(_) => Ok(()),
        None => {
            card.context().events.event(countersign_core::context::Event::Warning(format!(
                "{} does not tell its key in slot {slot}: whether the certificate fits it is not checked",
                card.identity()
            )));
            Ok(())
        }
    }
}

/// One slot of a list; `None` where it is empty.
fn summary(card: &mut Card<'_>, slot: Slot, uri: String) -> Result<Option<KeySummary>> {
    let certificate = objects::certificate(card, slot);
    let mut notes = Vec::new();
    if let Some(firmware) = card.identity().firmware {
        notes.push(format!("firmware {firmware}"));
    }
    let mut made = None;
    let found = match public_half::on_card(card, slot, true) {
        Ok(None) => return Ok(None),
        Ok(Some(facts)) => Some(facts),
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::KeyState) => {
            notes.push(error.to_string());
            None
        }
        Err(error) => return Err(error),
    };
    if metadata::has_metadata(card) {
        made = metadata::key(card, slot)?.and_then(|key| key.generated);
    }
    if let Some(facts) = &found {
        notes.extend(policy_notes(facts.policies));
        if facts.source == "attestation" {
            made = Some(true);
        }
    }
    notes.extend(made.map(|made| if made { "made on the device" } else { "imported" }.to_owned()));
    match certificate {
        Ok(Some(der)) => notes.push(match Certificate::from_der(&der) {
            Ok(certificate) => format!("certificate {}", certificate.tbs_certificate.subject),
            Err(_) => "a certificate that cannot be read".to_owned(),
        }),
        Ok(None) => {}
        Err(error) => notes.push(error.to_string()),
    }
    Ok(Some(KeySummary {
        uri,
        public_key: found.map(|facts| facts.public_key),
        location: Location::Token,
        notes,
        label: None,
        id: Some(vec![slot.number()]),
    }))
}

/// Policies for people.
pub(crate) fn policy_notes(policies: Policies) -> Vec<String> {
    let pin = policies.pin.map(|policy| format!("PIN {}", pin_word(policy)));
    let touch = policies.touch.map(|policy| format!("touch {}", touch_word(policy)));
    pin.into_iter().chain(touch).collect()
}

pub(crate) fn pin_word(policy: PinPolicy) -> &'static str {
    match policy {
        PinPolicy::Never => "never",
        PinPolicy::Once => "once",
        PinPolicy::Always => "always",
    }
}

pub(crate) fn touch_word(policy: TouchPolicy) -> &'static str {
    match policy {
        TouchPolicy::Never => "never",
        TouchPolicy::Always => "always",
        TouchPolicy::Cached => "cached",
    }
}
