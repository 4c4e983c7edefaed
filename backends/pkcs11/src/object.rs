//! Objects on a token: finds the keys that a URI means, pairs them with their public halves, reads these in all their
//! forms.

use countersign_core::encoding;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::hexadecimal::hex;
use countersign_core::{KeyType, PublicKey};
use cryptoki::object::{
    Attribute, AttributeType, CertificateType, KeyType as TokenKeyType, ObjectClass, ObjectHandle,
};
use cryptoki::session::Session;
use der::Decode;
use der::asn1::{ObjectIdentifier, PrintableStringRef};

use crate::errors::failed;
use crate::token::Token;
use crate::uri::{ObjectType, Pkcs11Uri};

/// PKCS#11 v3.0 2.3.10 and RFC 8032: how `CKA_EC_PARAMS` names the curve of Ed25519 as text.
pub(crate) const EDWARDS25519: &str = "edwards25519";

/// An object as it is listed and chosen by.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) handle: ObjectHandle,
    pub(crate) class: ObjectClass,
    pub(crate) id: Vec<u8>,
    pub(crate) label: Vec<u8>,
}

impl Object {
    /// The URI that names it on its token.
    pub(crate) fn uri(&self, token: &Token, module: &Pkcs11Uri) -> Pkcs11Uri {
        Pkcs11Uri {
            object: Some(self.label.clone()).filter(|label| !label.is_empty()),
            id: Some(self.id.clone()).filter(|id| !id.is_empty()),
            module_path: module.module_path.clone(),
            module_name: module.module_name.clone(),
            ..token.uri()
        }
    }

    /// What its other halves are found by: its id, or its label where it has no id.
    pub(crate) fn twin(&self) -> Pkcs11Uri {
        Pkcs11Uri {
            id: Some(self.id.clone()).filter(|id| !id.is_empty()),
            object: Some(self.label.clone()).filter(|_| self.id.is_empty()),
            ..Pkcs11Uri::default()
        }
    }
}

/// Every object of a class that has the URI's label and id.
pub(crate) fn find(session: &Session, class: ObjectClass, uri: &Pkcs11Uri) -> Result<Vec<Object>> {
    let mut template = vec![Attribute::Class(class), Attribute::Token(true)];
    template.extend(uri.object.clone().map(Attribute::Label));
    template.extend(uri.id.clone().map(Attribute::Id));
    if class == ObjectClass::CERTIFICATE {
        template.push(Attribute::CertificateType(CertificateType::X_509));
    }
    let handles = session
        .find_objects(&template)
        .map_err(|cause| failed("cannot search the token's objects", cause))?;
    handles
        .into_iter()
        .map(|handle| {
            let found = attributes(session, handle, &[AttributeType::Id, AttributeType::Label])?;
            let (mut id, mut label) = (Vec::new(), Vec::new());
            for attribute in found {
                match attribute {
                    Attribute::Id(bytes) => id = bytes,
                    Attribute::Label(bytes) => label = bytes,
                    _ => {}
                }
            }
            Ok(Object { handle, class, id, label })
        })
        // Modules may ignore parts of a template: what they return is compared again, whole.
        .filter(|object: &Result<Object>| {
            object.as_ref().map_or(true, |object| {
                uri.object.as_ref().is_none_or(|label| *label == object.label)
                    && uri.id.as_ref().is_none_or(|id| *id == object.id)
            })
        })
        .collect()
}

/// The one private key that the URI means, in a session that may see private objects.
///
/// # Errors
/// [`ErrorKind::Ambiguous`] with the candidates, [`ErrorKind::NotFound`] with what excluded the last.
pub(crate) fn private_key(session: &Session, uri: &Pkcs11Uri, token: &Token) -> Result<Object> {
    if let Some(kind) = uri.kind.filter(|kind| *kind != ObjectType::Private) {
        return Err(Error::new(ErrorKind::NotFound, "cannot find a private key")
            .why(format!("type={} excludes all", kind.name()))
            .hint("leave type out, or write type=private"));
    }
    let mut found = find(session, ObjectClass::PRIVATE_KEY, uri)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(none(session, uri, token)?),
        count => {
            let uris: Vec<_> = found.iter().map(|object| object.uri(token, uri).to_string()).collect();
            Err(Error::new(ErrorKind::Ambiguous, "cannot choose a private key")
                .why(format!("{count} match: {}", uris.join(", ")))
                .hint("use the URI of one of them; keys that share label and id need another id"))
        }
    }
}

/// Says which attribute excluded the last key, and what is there.
fn none(session: &Session, uri: &Pkcs11Uri, token: &Token) -> Result<Error> {
    let all = find(session, ObjectClass::PRIVATE_KEY, &Pkcs11Uri::default())?;
    let with_id = all.iter().any(|object| uri.id.as_ref().is_some_and(|id| *id == object.id));
    let with_label = all.iter().any(|object| uri.object.as_ref().is_some_and(|label| *label == object.label));
    let why = match (with_id, with_label) {
        _ if all.is_empty() => "the token shows none at all",
        (true, false) if uri.object.is_some() => "the key with this id has another label",
        (false, true) if uri.id.is_some() => "the keys with this label have another id",
        (true, true) => "no key has both this label and this id",
        _ if uri.object.is_some() => "no private key has this label",
        _ => "no private key has this id",
    };
    let there: Vec<_> = all.iter().map(|object| object.uri(token, uri).to_string()).collect();
    let error = Error::new(ErrorKind::NotFound, "cannot find a private key").why(why);
    Ok(if there.is_empty() { error } else { error.hint(format!("there are: {}", there.join(", "))) })
}

/// Reads attributes; those that the object does not have are left out.
pub(crate) fn attributes(
    session: &Session,
    handle: ObjectHandle,
    wanted: &[AttributeType],
) -> Result<Vec<Attribute>> {
    session
        .get_attributes(handle, wanted)
        .map_err(|cause| failed("cannot read an object of the token", cause))
}

/// The public half beside a private key: its public object, its certificate, what the private key itself tells.
pub(crate) fn public_half(session: &Session, key: &Object, with_certificate: bool) -> Result<PublicKey> {
    if let Some(public_key) = visible(session, &key.twin(), with_certificate)? {
        return Ok(public_key);
    }
    read(session, key)?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "cannot find the public half of the key")
            .why("there is no public key object and no certificate with its id, and the private key does not tell it")
            .hint("put the public key or a certificate on the token under the same id")
    })
}

/// The one public key that public objects and certificates of this name hold.
pub(crate) fn visible(
    session: &Session,
    uri: &Pkcs11Uri,
    with_certificate: bool,
) -> Result<Option<PublicKey>> {
    let classes = match uri.kind {
        Some(ObjectType::Public) => &[ObjectClass::PUBLIC_KEY][..],
        Some(ObjectType::Certificate) => &[ObjectClass::CERTIFICATE],
        None | Some(ObjectType::Private) if with_certificate => {
            &[ObjectClass::PUBLIC_KEY, ObjectClass::CERTIFICATE]
        }
        None | Some(ObjectType::Private) => &[ObjectClass::PUBLIC_KEY],
        Some(ObjectType::SecretKey | ObjectType::Data) => &[],
    };
    for class in classes {
        let mut keys: Vec<(PublicKey, Object)> = Vec::new();
        for object in find(session, *class, uri)? {
            if let Some(key) = read(session, &object)?
                && keys.iter().all(|(other, _)| *other != key)
            {
                keys.push((key, object));
            }
        }
        if keys.len() > 1 {
            let names: Vec<_> = keys
                .iter()
                .map(|(key, object)| format!("{} (id {})", key.key_type(), hex(&object.id)))
                .collect();
            return Err(Error::new(ErrorKind::Ambiguous, "cannot choose a public key")
                .why(format!("{} match: {}", keys.len(), names.join(", ")))
                .hint("add the id of one of them to the URI: keys list shows URIs that name one key"));
        }
        if let Some((key, _)) = keys.pop() {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// The public key in an object of any class; `None` when the object does not tell.
pub(crate) fn read(session: &Session, object: &Object) -> Result<Option<PublicKey>> {
    if object.class == ObjectClass::CERTIFICATE {
        let found = attributes(session, object.handle, &[AttributeType::Value])?;
        return match found.into_iter().next() {
            Some(Attribute::Value(der)) => PublicKey::from_certificate_der(&der).map(Some),
            _ => Ok(None),
        };
    }
    let wanted = [
        AttributeType::KeyType,
        AttributeType::EcParams,
        AttributeType::EcPoint,
        AttributeType::Modulus,
        AttributeType::PublicExponent,
        AttributeType::PublicKeyInfo,
    ];
    let mut kind = None;
    let [mut parameters, mut point, mut modulus, mut exponent, mut spki] = [const { Vec::new() }; 5];
    for attribute in attributes(session, object.handle, &wanted)? {
        match attribute {
            Attribute::KeyType(found) => kind = Some(found),
            Attribute::EcParams(bytes) => parameters = bytes,
            Attribute::EcPoint(bytes) => point = bytes,
            Attribute::Modulus(bytes) => modulus = bytes,
            Attribute::PublicExponent(bytes) => exponent = bytes,
            Attribute::PublicKeyInfo(bytes) => spki = bytes,
            _ => {}
        }
    }
    if kind == Some(TokenKeyType::RSA) && !modulus.is_empty() && !exponent.is_empty() {
        return PublicKey::from_rsa_numbers(&modulus, &exponent).map(Some);
    }
    if let Some(key_type) = curve(kind, &parameters).filter(|_| !point.is_empty()) {
        return PublicKey::from_parts(key_type, encoding::public_point(key_type, &point)?).map(Some);
    }
    if spki.is_empty() { Ok(None) } else { PublicKey::from_spki_der(&spki).map(Some) }
}

/// PKCS#11 v3.0 2.3.3 and 2.3.10: the curve as an OID, or as text for Edwards curves.
fn curve(kind: Option<TokenKeyType>, parameters: &[u8]) -> Option<KeyType> {
    let oid = ObjectIdentifier::from_der(parameters).ok();
    if kind == Some(TokenKeyType::EC_EDWARDS) {
        let text = PrintableStringRef::from_der(parameters).ok();
        let named = text.is_some_and(|text| text.as_str() == EDWARDS25519);
        return (named || oid == Some(encoding::ED25519)).then_some(KeyType::Ed25519);
    }
    oid.filter(|_| kind == Some(TokenKeyType::EC)).and_then(encoding::curve)
}

/// Marks of a private key that decide how it signs.
pub(crate) struct Marks {
    pub(crate) signs: bool,
    pub(crate) always_authenticate: bool,
}

pub(crate) fn marks(session: &Session, key: &Object) -> Result<Marks> {
    let mut marks = Marks { signs: true, always_authenticate: false };
    for attribute in
        attributes(session, key.handle, &[AttributeType::Sign, AttributeType::AlwaysAuthenticate])?
    {
        match attribute {
            Attribute::Sign(signs) => marks.signs = signs,
            Attribute::AlwaysAuthenticate(always) => marks.always_authenticate = always,
            _ => {}
        }
    }
    Ok(marks)
}
