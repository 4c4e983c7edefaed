//! `keys doctor` for cards: readers, cards, firmware, tries, factory secrets, the slot's key and certificate. Logs in nowhere.

use countersign_core::backend::{Finding, Severity};
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext, algorithm as names};
use der::Decode;
use x509_cert::Certificate;

use crate::card::Card;
use crate::store::policy_notes;
use crate::transport::Readers;
use crate::uri::PivUri;
use crate::{algorithm, find, management, metadata, objects, pin, protected_key, public_half};

type Tell<'a> = &'a mut dyn FnMut(Finding);

pub(crate) fn diagnose(
    readers: &'static dyn Readers,
    uri: &KeyUri,
    context: &OpenContext<'_>,
    found: Tell<'_>,
) {
    if let Err(error) = look(readers, uri, context, found) {
        found(error.into());
    }
}

fn warn(found: Tell<'_>, text: String, hint: &str) {
    found(Finding { severity: Severity::Warning, text, hint: Some(hint.to_owned()) });
}

fn look(
    readers: &'static dyn Readers,
    uri: &KeyUri,
    context: &OpenContext<'_>,
    found: Tell<'_>,
) -> Result<()> {
    let parsed = PivUri::parse(uri, context)?;
    let any = PivUri::default();
    let seen = find::look(readers, &any, *context)?;
    found(Finding::good("the PC/SC library and its service answer"));
    for reader in &seen.readers {
        let holds = if reader.has_card { "has a card" } else { "is empty" };
        found(Finding::good(format!("the reader \"{}\" {holds}", reader.name)));
    }
    for card in &seen.cards {
        let identity = card.identity();
        let firmware = identity.firmware.map_or_else(
            || "no YubiKey: without serial number, metadata and attestation".to_owned(),
            |firmware| format!("firmware {firmware}"),
        );
        found(Finding::good(format!("there is {identity}, {firmware}: {}", find::described(card))));
    }
    for trouble in seen.troubles {
        found(trouble.into());
    }
    drop(seen.cards);
    let mut card = find::one(readers, uri, &parsed, OpenContext { wait_for_device: false, ..*context })?;
    found(Finding::good(format!("the URI means {}", card.identity())));
    card.exclusive(|card| {
        secrets(card, found)?;
        slot(card, &parsed, found)
    })
}

/// Tries of PIN and PUK, and which secrets are still the factory's.
fn secrets(card: &mut Card<'_>, found: Tell<'_>) -> Result<()> {
    let state = pin::state(card)?;
    match (state.left, state.total) {
        (Some(0), _) => found(Finding {
            severity: Severity::Problem,
            text: "its PIN is locked after too many wrong tries".to_owned(),
            hint: Some("set a new PIN with the PUK: countersign piv-tool unblock".to_owned()),
        }),
        (Some(left), Some(total)) if left < total => {
            warn(
                found,
                format!("its PIN has {left} of {total} tries left"),
                "make sure of the PIN: wrong ones lock it",
            );
        }
        (Some(left), _) => found(Finding::good(format!("its PIN has {left} tries left"))),
        (None, _) => {
            warn(found, "it does not tell how many PIN tries are left".to_owned(), "make sure of the PIN")
        }
    }
    let puk = metadata::puk(card)?;
    if let Some((total, left)) = puk.tries {
        match left {
            0 => warn(
                found,
                "its PUK is locked".to_owned(),
                "a locked PIN then needs a reset, which removes every key",
            ),
            left => found(Finding::good(format!("its PUK has {left} of {total} tries left"))),
        }
    }
    let key = metadata::management_key(card)?;
    for (is_default, name, command) in [
        (state.is_default, "PIN", "countersign piv-tool set-pin"),
        (puk.is_default, "PUK", "countersign piv-tool set-puk"),
        (key.is_default, "management key", "countersign piv-tool set-management-key"),
    ] {
        if is_default == Some(true) {
            warn(
                found,
                format!("its {name} is the factory's: everybody knows it"),
                &format!("change it with: {command}"),
            );
        }
    }
    if card.identity().firmware.is_some() {
        let cipher = management::cipher(card)?.name();
        let kept = if protected_key::is_protected(card)? { ", kept on the card behind the PIN" } else { "" };
        found(Finding::good(format!("its management key is a {cipher} key{kept}")));
    }
    Ok(())
}

/// What the slot holds.
fn slot(card: &mut Card<'_>, uri: &PivUri, found: Tell<'_>) -> Result<()> {
    let slot = uri.slot();
    let facts = public_half::look_up(card, uri, true)?;
    let key = &facts.public_key;
    found(Finding::good(format!(
        "slot {slot} has a {} key, {}, known from its {}",
        key.key_type(),
        key.fingerprint(),
        facts.source
    )));
    let able = algorithm::signs(key.key_type());
    if able.is_empty() {
        found(Finding {
            severity: Severity::Problem,
            text: format!("a {} key on a card signs nothing here", key.key_type()),
            hint: None,
        });
    } else {
        found(Finding::good(format!("it signs with {}", names::names(&able))));
    }
    let policies = policy_notes(facts.policies);
    if policies.is_empty() {
        found(Finding::good(format!("its policies are not told: those of slot {slot} are assumed")));
    } else {
        found(Finding::good(format!("its policies: {}", policies.join(", "))));
    }
    match objects::certificate(card, slot) {
        Ok(Some(der)) => match Certificate::from_der(&der) {
            Ok(certificate) => {
                found(Finding::good(format!(
                    "its certificate is of {}",
                    certificate.tbs_certificate.subject
                )));
                let fits =
                    countersign_core::PublicKey::from_certificate_der(&der).is_ok_and(|other| other == *key);
                if !fits {
                    warn(
                        found,
                        format!("the certificate in slot {slot} is of another key"),
                        "put the right certificate into the slot",
                    );
                }
            }
            Err(_) => warn(
                found,
                format!("the certificate in slot {slot} cannot be read"),
                "put the right certificate into the slot",
            ),
        },
        Ok(None) => found(Finding::good(format!("slot {slot} has no certificate; signing needs none"))),
        Err(error) => found(error.into()),
    }
    Ok(())
}
