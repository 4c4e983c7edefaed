//! Opening: from a URI to one token, one login, one key. Everything is settled before a PIN is asked for.

use std::sync::Arc;

use countersign_core::context::Limit;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::signer::{KeyInfo, Location};
use countersign_core::{KeyUri, OpenContext, PublicKey, Signer};
use cryptoki::object::ObjectClass;
use cryptoki::session::Session;

use crate::certificate;
use crate::errors::failed;
use crate::object;
use crate::opened::{self, Opened, Purpose};
use crate::signer::{Pkcs11Signer, Place, Way, algorithms};
use crate::uri::Pkcs11Uri;

/// Set to anything but empty or `0`: certificates on the token are not looked at.
pub(crate) const IGNORE_CERTIFICATE: &str = "COSIGN_PKCS11_IGNORE_CERTIFICATE";

/// Whether certificates may stand in for public key objects.
pub(crate) fn with_certificate(context: &OpenContext<'_>) -> bool {
    context.environment.variable(IGNORE_CERTIFICATE).is_none_or(|value| value.is_empty() || value == "0")
}

/// Opens exactly one key for signing.
pub(crate) fn open(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Box<dyn Signer>> {
    let parsed = Pkcs11Uri::parse(uri)?;
    if parsed.object.is_none() && parsed.id.is_none() && parsed.token.is_none() && parsed.serial.is_none() {
        return Err(Error::new(ErrorKind::BadUri, format!("cannot sign with {uri}"))
            .why("it names neither a token nor a key")
            .hint("list the keys with: countersign keys list pkcs11:"));
    }
    let parsed = Arc::new(parsed);
    let (opened, pin) = opened::open(&parsed, Purpose::Use, context)?.login(&parsed, context)?;
    let (named, with_certificate, limit) = (uri.to_string(), with_certificate(context), Limit::of(context));
    opened.finish("find the key on the token", context, move |opened| {
        let Opened { module, token, session } = opened;
        let key = object::private_key(&session, &parsed, &token)?;
        let marks = object::marks(&session, &key)?;
        if !marks.signs {
            return Err(Error::new(ErrorKind::Denied, format!("cannot sign with {named}"))
                .why("the key was made without the permission to sign (CKA_SIGN)")
                .hint("use another key: keys list shows them"));
        }
        let public_key = object::public_half(&session, &key, with_certificate)?;
        let mechanisms = module
            .get_mechanism_list(token.slot)
            .map_err(|cause| failed("cannot ask the token for its mechanisms", cause))?;
        let able = algorithms(public_key.key_type(), &mechanisms, marks.always_authenticate);
        if able.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, format!("cannot sign with {named}")).why(
                format!(
                    "the token has no mechanism that signs with {} keys (CKM_ECDSA, CKM_RSA_PKCS, CKM_EDDSA and their kin)",
                    public_key.key_type()
                ),
            ));
        }
        let hashed = able.iter().filter(|(_, way)| *way == Way::Message).map(|(algorithm, _)| *algorithm);
        let info = KeyInfo {
            hashes_itself: hashed.collect(),
            certificate: certificate(&session, &key, &public_key, with_certificate)?,
            ..KeyInfo::new(
                key.uri(&token, &parsed).to_string(),
                public_key,
                able.iter().map(|(algorithm, _)| *algorithm).collect(),
                Location::Token,
            )
        };
        let key_uri = Pkcs11Uri { token: None, serial: None, ..key.uri(&token, &Pkcs11Uri::default()) };
        let place = Place { module, token: token.uri(), key: key_uri, pin, marks };
        Ok(Box::new(Pkcs11Signer::new(info, place, session, key.handle, limit)) as Box<dyn Signer>)
    })
}

/// What a bundle carries for those who trust the certificate's issuer. A self-issued one tells them nothing, and keeps
/// Cosign from verifying with the key.
fn certificate(
    session: &Session,
    key: &object::Object,
    public_key: &PublicKey,
    with_certificate: bool,
) -> Result<Option<Vec<u8>>> {
    if !with_certificate {
        return Ok(None);
    }
    let found = certificate::beside(session, key, public_key)?;
    let issued = found.into_iter().map(|(_, certificate)| certificate).find(|one| !one.is_self_issued());
    Ok(issued.map(|certificate| certificate.der().to_vec()))
}

/// The public half, without a login unless the token hides it.
pub(crate) fn public_key(uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey> {
    let uri = Arc::new(Pkcs11Uri::parse(uri)?);
    let with_certificate = with_certificate(context);
    let wanted = Arc::clone(&uri);
    let act = "find the public key on the token";
    let (opened, key) = opened::open(&uri, Purpose::Use, context)?.work(act, context, move |opened| {
        let key = shown(&opened.session, &wanted, with_certificate)?;
        if key.is_none() && !opened.token.needs_login() {
            return Err(missing(&opened.session));
        }
        Ok(key)
    })?;
    if let Some(key) = key {
        return Ok(key);
    }
    opened.announce_login(context);
    let (opened, _) = opened.login(&uri, context)?;
    opened.finish(act, context, move |opened| {
        let Opened { token, session, .. } = opened;
        if let Some(key) = shown(&session, &uri, with_certificate)? {
            return Ok(key);
        }
        let key = object::private_key(&session, &uri, &token)?;
        object::public_half(&session, &key, with_certificate)
    })
}

/// What the token shows now: public objects and certificates, or a visible private key's own public half.
fn shown(session: &Session, uri: &Pkcs11Uri, with_certificate: bool) -> Result<Option<PublicKey>> {
    if let Some(key) = object::visible(session, uri, with_certificate)? {
        return Ok(Some(key));
    }
    let mut private = object::find(session, ObjectClass::PRIVATE_KEY, uri)?;
    if private.len() != 1 {
        return Ok(None);
    }
    object::read(session, &private.remove(0))
}

pub(crate) fn missing(session: &Session) -> Error {
    let there = object::find(session, ObjectClass::PUBLIC_KEY, &Pkcs11Uri::default()).unwrap_or_default();
    let labels: Vec<_> =
        there.iter().map(|object| String::from_utf8_lossy(&object.label).into_owned()).collect();
    let error =
        Error::new(ErrorKind::NotFound, "cannot find the public key").why("the token has none of that name");
    if labels.is_empty() { error } else { error.hint(format!("it has: {}", labels.join(", "))) }
}
