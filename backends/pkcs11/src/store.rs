//! Listing keys, with URIs that can be pasted back, and making them on the token.

use std::sync::Arc;

use countersign_core::backend::{Created, KeySummary, TokenSummary};
use countersign_core::encoding;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::LocalKey;
use countersign_core::signer::Location;
use countersign_core::{Algorithm, KeyStore, KeyType, KeyUri, OpenContext};
use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::Session;
use der::Encode;
use der::asn1::PrintableStringRef;

use crate::Pkcs11Backend;
use crate::client::with_certificate;
use crate::errors::failed;
use crate::object::{self, Object};
use crate::opened::{self, Opened, Purpose, open_session, within};
use crate::uri::Pkcs11Uri;
use crate::{certificate, delete, module, token};

impl KeyStore for Pkcs11Backend {
    fn list(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        list(uri, context).map_err(|error| error.for_key(uri))
    }

    fn tokens(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<TokenSummary>> {
        let path = module::find(&Pkcs11Uri::parse(uri)?, context)?;
        let tokens =
            within(context.deadline, "list the tokens", move || Ok(token::scan(&module::load(&path)?)?.0))?;
        let text = |text: &str| token::unpadded(text).to_owned();
        let summary = |token: token::Token| {
            let info = token.info.as_ref();
            TokenSummary {
                slot: token.slot.id(),
                label: info.map_or_else(String::new, |info| text(info.label())),
                manufacturer: info.map_or_else(String::new, |info| text(info.manufacturer_id())),
                model: info.map_or_else(String::new, |info| text(info.model())),
                serial: info.map_or_else(String::new, |info| text(info.serial_number())),
            }
        };
        Ok(tokens.into_iter().map(summary).collect())
    }

    fn generate(
        &self,
        uri: &KeyUri,
        algorithm: Algorithm,
        _overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        generate(uri, algorithm, context).map_err(|error| error.for_key(uri))
    }

    fn import(&self, uri: &KeyUri, _: &LocalKey, _: bool, _: &OpenContext<'_>) -> Result<Created> {
        Err(Error::new(ErrorKind::Unsupported, format!("cannot import a key into {uri}"))
            .why("keys of a token are made on it"))
    }

    fn delete(&self, uri: &KeyUri, sure: bool, context: &OpenContext<'_>) -> Result<Vec<String>> {
        delete::delete(uri, sure, context).map_err(|error| error.for_key(uri))
    }

    fn certificate(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Option<Vec<u8>>> {
        certificate::read(uri, context).map_err(|error| error.for_key(uri))
    }

    fn import_certificate(
        &self,
        uri: &KeyUri,
        certificate: &[u8],
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<String> {
        certificate::import(uri, certificate, overwrite, context).map_err(|error| error.for_key(uri))
    }
}

/// Every signing key of every token that the URI leaves. Without a login a key shows by its public key object; one
/// whose private half alone shows is listed too.
fn list(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
    let parsed = Pkcs11Uri::parse(uri)?;
    let path = module::find(&parsed, context)?;
    within(context.deadline, "list the keys", move || list_in(&module::load(&path)?, &parsed))
}

fn list_in(module: &Pkcs11, parsed: &Pkcs11Uri) -> Result<Vec<KeySummary>> {
    let mut keys = Vec::new();
    for token in token::matching(module, parsed)? {
        let session = open_session(module, &token)?;
        let mut objects: Vec<Object> = object::find(&session, ObjectClass::PUBLIC_KEY, parsed)?;
        for private in object::find(&session, ObjectClass::PRIVATE_KEY, parsed)? {
            if objects.iter().all(|other| (&other.id, &other.label) != (&private.id, &private.label)) {
                objects.push(private);
            }
        }
        for found in objects {
            // One key that cannot be read hides no other.
            let (public_key, notes) = match object::read(&session, &found) {
                Ok(key) => (key, Vec::new()),
                Err(error) => (None, vec![error.to_string()]),
            };
            keys.push(KeySummary {
                uri: found.uri(&token, parsed).to_string(),
                public_key,
                location: Location::Token,
                notes,
                label: Some(String::from_utf8_lossy(&found.label).into_owned()),
                id: Some(found.id.clone()),
            });
        }
    }
    Ok(keys)
}

/// Makes a key pair whose private half never leaves the token. Label or id come from the URI.
fn generate(uri: &KeyUri, algorithm: Algorithm, context: &OpenContext<'_>) -> Result<Created> {
    let parsed = Arc::new(Pkcs11Uri::parse(uri)?);
    let what = format!("cannot make a key in {uri}");
    let Some(label) = parsed.object.clone().filter(|label| !label.is_empty()) else {
        return Err(Error::new(ErrorKind::BadUri, what)
            .why("the URI gives the key no label")
            .hint("add object=NAME to it"));
    };
    let (opened, _) = opened::open(&parsed, Purpose::Make, context)?.login(&parsed, context)?;
    let with_certificate = with_certificate(context);
    opened.finish("make a key on the token", context, move |opened| {
        make(&opened, &parsed, label, algorithm, with_certificate, &what)
    })
}

fn make(
    opened: &Opened,
    uri: &Pkcs11Uri,
    label: Vec<u8>,
    algorithm: Algorithm,
    with_certificate: bool,
    what: &str,
) -> Result<Created> {
    let session = &opened.session;
    refuse_existing(session, uri, what)?;
    let id = match uri.id.clone().filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => free_id(session)?,
    };
    let shared = [Attribute::Token(true), Attribute::Label(label.clone()), Attribute::Id(id.clone())];
    let (mechanism, kind) = recipe(algorithm.key_type())?;
    let mut public = vec![Attribute::Private(false), Attribute::Verify(true)];
    public.extend(kind);
    public.extend(shared.iter().cloned());
    let mut private = vec![
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    private.extend(shared);
    let (_, key) =
        session.generate_key_pair(&mechanism, &public, &private).map_err(|cause| failed(what, cause))?;
    let key = Object { handle: key, class: ObjectClass::PRIVATE_KEY, id, label };
    let public_key = object::public_half(session, &key, with_certificate)?;
    let made = key.uri(&opened.token, uri).to_string();
    Ok(Created { uri: made.clone(), public_key, private_path: made.clone(), public_path: made })
}

/// A second key of the same name would make every URI of the first ambiguous.
fn refuse_existing(session: &Session, uri: &Pkcs11Uri, what: &str) -> Result<()> {
    let same_label = Pkcs11Uri { object: uri.object.clone(), ..Pkcs11Uri::default() };
    let same_id = Pkcs11Uri { id: uri.id.clone(), ..Pkcs11Uri::default() };
    for (name, wanted) in [("label", Some(same_label)), ("id", uri.id.is_some().then_some(same_id))] {
        let Some(wanted) = wanted else { continue };
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            if !object::find(session, class, &wanted)?.is_empty() {
                return Err(Error::new(ErrorKind::Denied, what)
                    .why(format!("the token has a key with this {name} already"))
                    .hint("choose another, or delete the old key with the vendor's tool"));
            }
        }
    }
    Ok(())
}

/// The smallest one-byte id that nothing on the token bears.
fn free_id(session: &Session) -> Result<Vec<u8>> {
    let mut taken = Vec::new();
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY, ObjectClass::CERTIFICATE] {
        taken
            .extend(object::find(session, class, &Pkcs11Uri::default())?.into_iter().map(|object| object.id));
    }
    (1..=u8::MAX).map(|byte| vec![byte]).find(|id| !taken.contains(id)).ok_or_else(|| {
        Error::new(ErrorKind::BadUri, "cannot choose an id for the key")
            .why("all of one byte are taken")
            .hint("add id=%XX%XX to the URI")
    })
}

/// The mechanism that makes a key of this type, and what the public template says of it.
fn recipe(key_type: KeyType) -> Result<(Mechanism<'static>, Vec<Attribute>)> {
    let internal = |cause: der::Error| Error::internal(format!("cannot encode a curve's name: {cause}"));
    if let Some(curve) = encoding::curve_oid(key_type) {
        let parameters = curve.to_der().map_err(internal)?;
        return Ok((Mechanism::EccKeyPairGen, vec![Attribute::EcParams(parameters)]));
    }
    if let Some(bits) = key_type.rsa_bits() {
        let exponent = Attribute::PublicExponent(vec![1, 0, 1]);
        return Ok((
            Mechanism::RsaPkcsKeyPairGen,
            vec![Attribute::ModulusBits((bits as u64).into()), exponent],
        ));
    }
    // Ed25519: as the text that both old and new modules take.
    let name =
        PrintableStringRef::new(object::EDWARDS25519).and_then(|name| name.to_der()).map_err(internal)?;
    Ok((Mechanism::EccEdwardsKeyPairGen, vec![Attribute::EcParams(name)]))
}
