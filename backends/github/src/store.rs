//! Makes, imports and lists keys: three secrets, which nobody can read back. So what is there is never replaced unasked, and what
//! cannot be undone is told.

use countersign_core::backend::Created;
use countersign_core::context::SecretPurpose;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::{self, LocalKey};
use countersign_core::{Algorithm, KeyStore, KeySummary, KeyUri, Location, OpenContext, Secret};

use crate::GithubBackend;
use crate::client::{Github, Name, Sealer};
use crate::uri::GithubUri;

/// In the order of writing: the private key last of what signing needs, so that a break leaves the old key or a complete new one,
/// but for its password.
const NAMES: [Name; 3] = [Name::Password, Name::PrivateKey, Name::PublicKey];

pub(crate) fn connect<'a>(uri: &KeyUri, context: &OpenContext<'a>) -> Result<Github<'a>> {
    Github::new(GithubUri::parse(uri)?, context)
}

impl KeyStore for GithubBackend {
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

/// The one key that an owner can have; GitHub tells that it is there, not which it is.
fn list(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
    let github = connect(uri, context)?;
    if !github.has(Name::PrivateKey)? {
        // No secret, or no permission: this asks again in a way that tells.
        github.sealer()?;
        return Ok(Vec::new());
    }
    Ok(vec![KeySummary {
        uri: uri.to_string(),
        public_key: None,
        location: Location::File,
        notes: vec!["secrets of Actions: nobody can read them back".to_owned()],
        label: None,
        id: None,
    }])
}

/// Where the three secrets go, and which were there before.
struct Place<'c, 'a> {
    uri: &'c KeyUri,
    github: Github<'a>,
    sealer: Sealer,
    context: &'c OpenContext<'a>,
    was_there: [bool; 3],
}

impl<'c, 'a> Place<'c, 'a> {
    fn claim(uri: &'c KeyUri, overwrite: bool, context: &'c OpenContext<'a>) -> Result<Self> {
        let github = connect(uri, context)?;
        // First, since its answer tells a missing repository from a missing secret.
        let sealer = github.sealer()?;
        let mut was_there = [false; 3];
        for (was, name) in was_there.iter_mut().zip(NAMES) {
            *was = github.has(name)?;
            if *was && !overwrite {
                return Err(Error::new(ErrorKind::Denied, format!("cannot make a key in {uri}"))
                    .why(format!("there is a secret {} already", name.text()))
                    .hint("use the key that is there, or pass -y to overwrite it: nobody can bring it back, and what it signed must then be verified with a saved public key"));
            }
        }
        Ok(Self { uri, github, sealer, context, was_there })
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
            if let Err(error) = self.github.write(&self.sealer, name, value) {
                return Err(self.undo(at, error));
            }
        }
        Ok(Created {
            uri: self.uri.to_string(),
            public_key,
            private_path: format!("secret {} of {}", Name::PrivateKey.text(), self.uri),
            public_path: format!("secret {} of {}", Name::PublicKey.text(), self.uri),
        })
    }

    /// Takes away what is new, up to the write that failed, which may have come through. What was overwritten is told.
    fn undo(&self, failed: usize, error: Error) -> Error {
        let mut stays = Vec::new();
        for (name, was) in NAMES.into_iter().zip(self.was_there).take(failed + 1) {
            if was || self.github.remove(name).is_err() {
                stays.push(name.text());
            }
        }
        if stays.is_empty() {
            return error;
        }
        error.hint(format!(
            "make the key again with -y: {} there may be new while the rest is old, and do not fit together",
            stays.join(", ")
        ))
    }
}
