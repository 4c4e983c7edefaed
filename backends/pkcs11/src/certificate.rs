//! Certificates on a token: the one beside a key, and putting one there.

use std::sync::Arc;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Certificate, KeyUri, OpenContext, PublicKey};
use cryptoki::object::{Attribute, AttributeType, CertificateType, ObjectClass};
use cryptoki::session::Session;

use crate::client::missing;
use crate::errors::failed;
use crate::object::{self, Object};
use crate::opened::{self, Purpose};
use crate::uri::Pkcs11Uri;

/// The certificates that share a key's id, or its label where it has no id, and hold that key. The one that began to
/// be valid last comes first: it replaced the others.
pub(crate) fn beside(
    session: &Session,
    key: &Object,
    public_key: &PublicKey,
) -> Result<Vec<(Object, Certificate)>> {
    let mut fitting = Vec::new();
    for found in object::find(session, ObjectClass::CERTIFICATE, &key.twin())? {
        let value = object::attributes(session, found.handle, &[AttributeType::Value])?.pop();
        if let Some(Attribute::Value(der)) = value
            && let Ok(certificate) = Certificate::from_der(&der)
            && certificate.public_key() == public_key
        {
            fitting.push((found, certificate));
        }
    }
    fitting.sort_by_key(|(_, certificate)| std::cmp::Reverse(certificate.not_before()));
    Ok(fitting)
}

/// The one key that a URI means, as its public object shows it without a login.
fn shown(session: &Session, uri: &Pkcs11Uri) -> Result<(Object, PublicKey)> {
    let mut keys = Vec::new();
    for found in object::find(session, ObjectClass::PUBLIC_KEY, uri)? {
        if let Some(key) = object::read(session, &found)? {
            keys.push((found, key));
        }
    }
    match keys.len() {
        1 => Ok(keys.remove(0)),
        0 => Err(missing(session)),
        count => Err(Error::new(ErrorKind::Ambiguous, "cannot choose a key")
            .why(format!("{count} public keys match"))
            .hint("add an id to the URI: keys list shows URIs that name one key")),
    }
}

/// The newest certificate beside the key, in DER.
pub(crate) fn read(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Option<Vec<u8>>> {
    let parsed = Arc::new(Pkcs11Uri::parse(uri)?);
    let opened = opened::open(&parsed, Purpose::Use, context)?;
    opened.finish("read a certificate on the token", context, move |opened| {
        let (key, public_key) = shown(&opened.session, &parsed)?;
        let found = beside(&opened.session, &key, &public_key)?;
        Ok(found.into_iter().next().map(|(_, certificate)| certificate.der().to_vec()))
    })
}

/// Puts a certificate beside its key. One that is there already is replaced: the new one is written first.
pub(crate) fn import(uri: &KeyUri, der: &[u8], overwrite: bool, context: &OpenContext<'_>) -> Result<String> {
    let parsed = Arc::new(Pkcs11Uri::parse(uri)?);
    let what = format!("cannot put the certificate beside {uri}");
    let certificate = Certificate::from_der(der)?;
    let opened = opened::open(&parsed, Purpose::Change, context)?;
    let (wanted, refusal, given) = (Arc::clone(&parsed), what.clone(), certificate.clone());
    let (opened, (key, old)) = opened.work("look at the token", context, move |opened| {
        let (key, public_key) = shown(&opened.session, &wanted)?;
        if *given.public_key() != public_key {
            return Err(Error::new(ErrorKind::KeyState, refusal)
                .why(format!(
                    "it is for the key {}, not for {}",
                    given.public_key().fingerprint(),
                    public_key.fingerprint()
                ))
                .hint("name the key that the certificate was issued for"));
        }
        let old = beside(&opened.session, &key, &public_key)?;
        Ok((key, old))
    })?;
    if let Some((_, old)) = old.first() {
        if old.der() == certificate.der() {
            return Ok(key.uri(&opened.token, &parsed).to_string());
        }
        let there = format!("one for \"{}\" is there already", old.subject());
        let question = format!("{uri}: {there}. Replace the certificate?");
        if !overwrite && !context.prompt.confirm(&question)? {
            return Err(Error::new(ErrorKind::Denied, what)
                .why(format!("{there}, and replacing it was not confirmed"))
                .hint("pass -y to replace it"));
        }
    }
    let (opened, _) = opened.login(&parsed, context)?;
    opened.finish("write a certificate to the token", context, move |opened| {
        let [subject, issuer, serial] = certificate.names_der()?;
        let template = [
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Label(key.label.clone()),
            Attribute::Id(key.id.clone()),
            Attribute::Subject(subject),
            Attribute::Issuer(issuer),
            Attribute::SerialNumber(serial),
            Attribute::Value(certificate.der().to_vec()),
        ];
        opened.session.create_object(&template).map_err(|cause| failed(what, cause))?;
        for (object, _) in old {
            opened.session.destroy_object(object.handle).map_err(|cause| {
                failed("the new certificate was written, but the old one cannot be removed", cause)
            })?;
        }
        Ok(key.uri(&opened.token, &parsed).to_string())
    })
}
