//! Lists, makes and imports key files: `PREFIX.key` in Cosign's encrypted form and `PREFIX.pub`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use countersign_core::backend::Created;
use countersign_core::context::SecretPurpose;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::limits::MAX_KEY_FILE_BYTES;
use countersign_core::local_key::{self, LocalKey};
use countersign_core::whole_file::{self, WriteOptions};
use countersign_core::{Algorithm, KeyStore, KeySummary, KeyUri, Location, OpenContext, PublicKey};

use crate::FileBackend;
use crate::client::load;
use crate::errors::unreadable;
use crate::uri::{self, Place};

/// The most entries a listed directory may have: a key folder has dozens, a home folder thousands.
const MAX_DIRECTORY_ENTRIES: usize = 10_000;

impl KeyStore for FileBackend {
    fn list(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        let Place::Path(path) = uri::parse(uri, context)? else {
            return Ok(summary(uri, context)?.into_iter().collect());
        };
        if !path.is_dir() {
            return Ok(summary(uri, context)?.into_iter().collect());
        }
        let failed = |cause| unreadable(path.display(), cause);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)?.take(MAX_DIRECTORY_ENTRIES) {
            let entry = entry.map_err(failed)?;
            let metadata = entry.metadata().map_err(failed)?;
            if metadata.is_file() && metadata.len() <= MAX_KEY_FILE_BYTES {
                paths.push(entry.path());
            }
        }
        paths.sort();
        let mut keys = Vec::new();
        for path in paths {
            // A file that cannot be read or is no key is not part of the list.
            let Some(uri) = path.to_str().and_then(|text| KeyUri::parse(text).ok()) else { continue };
            keys.extend(summary(&uri, context).ok().flatten());
        }
        Ok(keys)
    }

    fn generate(
        &self,
        uri: &KeyUri,
        algorithm: Algorithm,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        let target = Target::claim(uri, overwrite, context)?;
        let key = LocalKey::generate(algorithm.key_type())?;
        target.write(&key, context)
    }

    fn import(
        &self,
        uri: &KeyUri,
        key: &LocalKey,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created> {
        Target::claim(uri, overwrite, context)?.write(key, context)
    }
}

/// One file as a row; `None` when it is no private key.
fn summary(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Option<KeySummary>> {
    let place = uri::parse(uri, context)?;
    let content = load(&place, context)?;
    let Ok(form) = local_key::form(content.expose()) else { return Ok(None) };
    let mut public_key = None;
    if form.is_plain() {
        // Never asked: the form carries no password.
        let refuse = || Err(Error::new(ErrorKind::PinRequired, "a plain key asks for no password"));
        public_key = local_key::parse(content.expose(), refuse).ok().map(|key| key.public_key().clone());
    } else if let Place::Path(path) = &place {
        // An encrypted key shows its public half only in the file beside it.
        let public = Place::Path(path.with_extension("pub"));
        public_key =
            load(&public, context).ok().and_then(|content| PublicKey::from_pem_or_der(content.expose()).ok());
    }
    Ok(Some(KeySummary {
        uri: uri.to_string(),
        public_key,
        location: Location::File,
        notes: vec![form.name().to_owned()],
        label: None,
        id: None,
    }))
}

/// The two files of a new key, none of them there or free to be replaced.
struct Target {
    private: PathBuf,
    public: PathBuf,
    overwrite: bool,
}

impl Target {
    fn claim(uri: &KeyUri, overwrite: bool, context: &OpenContext<'_>) -> Result<Self> {
        let Place::Path(prefix) = uri::parse(uri, context)? else {
            return Err(Error::new(ErrorKind::Unsupported, format!("cannot make a key in {uri}"))
                .why("a variable cannot be written"));
        };
        let with = |ending: &str| {
            let mut name = OsString::from(&prefix);
            name.push(ending);
            PathBuf::from(name)
        };
        let mut target = Self { private: with(".key"), public: with(".pub"), overwrite };
        let existing: Vec<&Path> = [&*target.private, &*target.public]
            .into_iter()
            .filter(|path| path.symlink_metadata().is_ok())
            .collect();
        if !existing.is_empty() && !overwrite {
            let names: Vec<_> = existing.iter().map(|path| path.display().to_string()).collect();
            let names = names.join(" and ");
            if !context
                .prompt
                .confirm(&format!("{names} already exists. Overwrite it? The old key is lost"))?
            {
                return Err(Error::new(ErrorKind::Denied, format!("cannot write {names}"))
                    .why("it exists and overwriting was not confirmed")
                    .hint("choose another --output-key-prefix, or pass -y to overwrite"));
            }
            target.overwrite = true;
        }
        Ok(target)
    }

    fn write(self, key: &LocalKey, context: &OpenContext<'_>) -> Result<Created> {
        let shown = self.private.display().to_string();
        let password = context.prompt.secret(&shown, SecretPurpose::Protect)?;
        let sealed = local_key::seal(key, &password)?;
        let public_key = key.public_key().clone();
        let options = WriteOptions { mode: 0o600, overwrite: self.overwrite, flush: true };
        whole_file::write(&self.private, sealed.as_bytes(), options)?;
        let pem = public_key.to_pem();
        if let Err(error) =
            whole_file::write(&self.public, pem.as_bytes(), WriteOptions { mode: 0o644, ..options })
        {
            // Half a pair is no pair. What was overwritten cannot be brought back, so the new key stays then.
            if !self.overwrite {
                let _ = std::fs::remove_file(&self.private);
            }
            return Err(error);
        }
        Ok(Created {
            uri: shown.clone(),
            public_key,
            private_path: shown,
            public_path: self.public.display().to_string(),
        })
    }
}
