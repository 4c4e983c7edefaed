//! Deleting a key from a token: the private half first, then what belongs to it.

use std::sync::Arc;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{KeyUri, OpenContext};
use cryptoki::object::ObjectClass;

use crate::errors::failed;
use crate::object::{self, Object};
use crate::opened::{self, Opened, Purpose};
use crate::uri::Pkcs11Uri;

/// Deletes exactly one private key with its public key object and certificates, and names what went.
pub(crate) fn delete(uri: &KeyUri, sure: bool, context: &OpenContext<'_>) -> Result<Vec<String>> {
    let parsed = Arc::new(Pkcs11Uri::parse(uri)?);
    let what = format!("cannot delete {uri}");
    if parsed.object.is_none() && parsed.id.is_none() {
        return Err(Error::new(ErrorKind::BadUri, what)
            .why("it names no key")
            .hint("add object=NAME or id=%XX: keys list shows URIs that name one key"));
    }
    let (opened, _) = opened::open(&parsed, Purpose::Change, context)?.login(&parsed, context)?;
    let wanted = Arc::clone(&parsed);
    let (opened, objects) =
        opened.work("find the key on the token", context, move |opened| belongings(opened, &wanted))?;
    let names: Vec<String> = objects
        .iter()
        .map(|object| format!("{} {}", class(object), object.uri(&opened.token, &parsed)))
        .collect();
    let question = format!("Delete these for ever: {}?", names.join(", "));
    if !sure && !context.prompt.confirm(&question)? {
        return Err(Error::new(ErrorKind::Denied, what)
            .why("deleting was not confirmed, so all is as it was")
            .hint(format!("pass -y to delete {}", names.join(" and "))));
    }
    opened.finish("delete the key", context, move |opened| {
        for (done, object) in objects.iter().enumerate() {
            opened.session.destroy_object(object.handle).map_err(|cause| {
                let gone = if done == 0 {
                    "nothing was deleted".to_owned()
                } else {
                    format!("deleted before: {}", names[..done].join(", "))
                };
                failed(format!("cannot delete the {} ({gone})", names[done]), cause)
            })?;
        }
        Ok(names)
    })
}

/// The private key, and the public objects that are surely its own: same id and label, or the same key.
fn belongings(opened: &Opened, uri: &Pkcs11Uri) -> Result<Vec<Object>> {
    let session = &opened.session;
    let key = object::private_key(session, uri, &opened.token)?;
    // Another private key of the same id would lose its public half.
    let alone = object::find(session, ObjectClass::PRIVATE_KEY, &key.twin())?.len() == 1;
    let own = object::public_half(session, &key, true).ok();
    let mut objects = vec![key.clone()];
    for class in [ObjectClass::PUBLIC_KEY, ObjectClass::CERTIFICATE] {
        for found in object::find(session, class, &key.twin())? {
            let same_name = (&found.id, &found.label) == (&key.id, &key.label);
            let same_key = own.is_some() && object::read(session, &found).ok().flatten() == own;
            if same_key || (alone && same_name) {
                objects.push(found);
            }
        }
    }
    Ok(objects)
}

fn class(object: &Object) -> &'static str {
    match object.class {
        ObjectClass::PRIVATE_KEY => "private key",
        ObjectClass::PUBLIC_KEY => "public key",
        _ => "certificate",
    }
}
