//! Makes, imports and lists keys: one secret with three fields.

use countersign_core::backend::Created;
use countersign_core::context::SecretPurpose;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::{self, LocalKey};
use countersign_core::{Algorithm, KeyStore, KeySummary, KeyUri, Location, OpenContext, PublicKey};

use crate::KubernetesBackend;
use crate::client::{Cluster, KEY, Object, PASSWORD, PUBLIC_KEY};
use crate::signer::connect;
use crate::uri::SecretUri;

impl KeyStore for KubernetesBackend {
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

/// The one key that a secret can have.
fn list(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
    let Some(object) = connect(uri, context)?.read()? else { return Ok(Vec::new()) };
    if object.field(KEY)?.is_none() {
        return Ok(Vec::new());
    }
    let public = object.field(PUBLIC_KEY)?;
    let public_key = public.and_then(|content| PublicKey::from_pem_or_der(content.expose()).ok());
    let notes = if object.is_immutable() { vec!["immutable".to_owned()] } else { Vec::new() };
    Ok(vec![KeySummary {
        uri: uri.to_string(),
        public_key,
        location: Location::File,
        notes,
        label: None,
        id: None,
    }])
}

/// Where the secret goes, and what was there before.
struct Place<'c, 'a> {
    uri: &'c KeyUri,
    cluster: Cluster<'a>,
    context: &'c OpenContext<'a>,
    before: Option<Object>,
}

impl<'c, 'a> Place<'c, 'a> {
    fn claim(uri: &'c KeyUri, overwrite: bool, context: &'c OpenContext<'a>) -> Result<Self> {
        let cluster = connect(uri, context)?;
        let before = cluster.read()?;
        if before.is_some() && !overwrite {
            return Err(Error::new(ErrorKind::Denied, format!("cannot make a key in {uri}"))
                .why("the secret exists")
                .hint("sign with the key that is there, or pass -y to overwrite it: what it signed must then be verified with a saved public key"));
        }
        Ok(Self { uri, cluster, context, before })
    }

    fn fill(self, key: &LocalKey) -> Result<Created> {
        let password = self.context.prompt.secret(&self.uri.to_string(), SecretPurpose::Protect)?;
        let sealed = local_key::seal(key, &password)?;
        let public_key = key.public_key().clone();
        // Other fields of the secret stay, as with Cosign.
        let mut object = match &self.before {
            Some(before) => before.clone(),
            None => Object::new(&SecretUri::parse(self.uri)?),
        };
        object.set(KEY, sealed.as_bytes());
        object.set(PUBLIC_KEY, public_key.to_pem().as_bytes());
        object.set(PASSWORD, password.expose());
        match &self.before {
            None => self.cluster.create(&object)?,
            Some(before) if before.is_immutable() => self.recreate(before, &object)?,
            // The server refuses it when somebody changed the secret since it was read.
            Some(_) => self.cluster.replace(&object)?,
        }
        Ok(Created {
            uri: self.uri.to_string(),
            public_key,
            private_path: format!("field {KEY} of {}", self.uri),
            public_path: format!("field {PUBLIC_KEY} of {}", self.uri),
        })
    }

    /// An immutable secret is changed by making it anew; if that fails the old one comes back.
    fn recreate(&self, before: &Object, object: &Object) -> Result<()> {
        self.cluster.remove()?;
        let Err(error) = self.cluster.create(&object.anew()) else { return Ok(()) };
        match self.cluster.create(&before.anew()) {
            Ok(()) => Err(error),
            Err(_) => Err(error
                .hint(format!("{} was removed and could not be brought back: its key is lost", self.uri))),
        }
    }
}
