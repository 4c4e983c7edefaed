//! Makes, imports and lists keys: three variables, all of them or none.

use countersign_core::backend::Created;
use countersign_core::context::SecretPurpose;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::{self, LocalKey};
use countersign_core::{Algorithm, KeyStore, KeySummary, KeyUri, Location, OpenContext, PublicKey, Secret};

use crate::GitlabBackend;
use crate::client::{Gitlab, Name};
use crate::signer::connect;

/// In the order of writing: whoever finds the public half finds all.
const NAMES: [Name; 3] = [Name::Password, Name::PrivateKey, Name::PublicKey];

impl KeyStore for GitlabBackend {
    fn list(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        list(uri, context).map_err(|error| error.for_key(uri))
    }

    fn generate(
        &self,
        uri: &KeyUri,
        algorithm: Algorithm,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        let make = || Place::claim(uri, overwrite, context)?.fill(&LocalKey::generate(algorithm.key_type())?);
        make().map_err(|error| error.for_key(uri))
    }

    fn import(
        &self,
        uri: &KeyUri,
        key: &LocalKey,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        let import = || Place::claim(uri, overwrite, context)?.fill(key);
        import().map_err(|error| error.for_key(uri))
    }
}

/// The one key that an owner can have.
fn list(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
    let gitlab = connect(uri, context)?;
    if gitlab.read(Name::PrivateKey)?.is_none() {
        return Ok(Vec::new());
    }
    let public_key = match gitlab.read(Name::PublicKey)? {
        Some(content) => PublicKey::from_pem_or_der(content.expose()).ok(),
        None => None,
    };
    Ok(vec![KeySummary {
        uri: uri.to_string(),
        public_key,
        location: Location::File,
        notes: vec![format!("variables of a {}", gitlab.owner())],
        label: None,
        id: None,
    }])
}

/// Where the three variables go, and what was there before.
struct Place<'c, 'a> {
    uri: &'c KeyUri,
    gitlab: Gitlab<'a>,
    context: &'c OpenContext<'a>,
    before: [Option<Secret>; 3],
}

impl<'c, 'a> Place<'c, 'a> {
    fn claim(uri: &'c KeyUri, overwrite: bool, context: &'c OpenContext<'a>) -> Result<Self> {
        let gitlab = connect(uri, context)?;
        let mut before = [None, None, None];
        for (was, name) in before.iter_mut().zip(NAMES) {
            *was = gitlab.read(name)?;
            if was.is_some() && !overwrite {
                return Err(Error::new(ErrorKind::Denied, format!("cannot make a key in {uri}"))
                    .why(format!("the {} has a variable {} already", gitlab.owner(), name.text()))
                    .hint("sign with the key that is there, or pass -y to overwrite it: what it signed must then be verified with a saved public key"));
            }
        }
        Ok(Self { uri, gitlab, context, before })
    }

    fn fill(self, key: &LocalKey) -> Result<Created> {
        let password = self.context.prompt.secret(&self.uri.to_string(), SecretPurpose::Protect)?;
        let sealed = local_key::seal(key, &password)?;
        let public_key = key.public_key().clone();
        let values = [
            password,
            Secret::new(sealed.as_bytes().to_vec()),
            Secret::new(public_key.to_pem().into_bytes()),
        ];
        for (at, (name, value)) in NAMES.into_iter().zip(&values).enumerate() {
            if let Err(error) = self.gitlab.write(name, value, self.before[at].is_some()) {
                return Err(self.undo(at, error));
            }
        }
        Ok(Created {
            uri: self.uri.to_string(),
            public_key,
            private_path: format!("variable {} of {}", Name::PrivateKey.text(), self.uri),
            public_path: format!("variable {} of {}", Name::PublicKey.text(), self.uri),
        })
    }

    /// A third of a key is no key: brings back what was there, up to the write that failed, which may have come through.
    fn undo(&self, failed: usize, error: Error) -> Error {
        let mut stays = Vec::new();
        for (name, was) in NAMES.into_iter().zip(&self.before).take(failed + 1) {
            let undone = match was {
                Some(was) => self.gitlab.write(name, was, true).is_ok(),
                None => self.gitlab.remove(name).is_ok() || matches!(self.gitlab.read(name), Ok(None)),
            };
            if !undone {
                stays.push(name.text());
            }
        }
        if stays.is_empty() {
            return error;
        }
        error.hint(format!("look at {} there: it could not be brought back to what it was", stays.join(", ")))
    }
}
