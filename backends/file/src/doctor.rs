//! `keys doctor` for a file: is it there, what is it, who can read it, what will it ask for.

use countersign_core::algorithm;
use countersign_core::backend::{Finding, Severity};
use countersign_core::error::{Error, ErrorKind};
use countersign_core::local_key::{self, LocalKey};
use countersign_core::{KeyUri, OpenContext, PublicKey};

use crate::client::load;
use crate::signer::readable_by_others;
use crate::uri::{self, Place};

/// Looks at the key without asking for its password.
pub(crate) fn diagnose(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(uri, context, found) {
        found(error.into());
    }
}

fn look(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<(), Error> {
    let mut good = |text: String| found(Finding::good(text));
    let place = uri::parse(uri, context)?;
    let content = load(&place, context)?;
    good(format!("{uri} can be read"));
    let Ok(form) = local_key::form(content.expose()) else {
        let key = PublicKey::from_pem_or_der(content.expose())?;
        good(format!("it holds a public {} key, {}", key.key_type(), key.fingerprint()));
        found(Finding {
            severity: Severity::Warning,
            text: "it verifies; it does not sign".to_owned(),
            hint: Some("signing needs the private half, as in cosign.key".to_owned()),
        });
        return Ok(());
    };
    good(format!("it holds a private key in the form {}", form.name()));
    let describe = |key: &LocalKey| {
        format!(
            "it is a {} key, {}; it signs with {}",
            key.public_key().key_type(),
            key.public_key().fingerprint(),
            algorithm::names(&key.algorithms())
        )
    };
    // Stops at the password, so that nothing is asked: everything before it was read and found sound.
    let stop = || Err(Error::new(ErrorKind::PinRequired, "it is encrypted"));
    match local_key::parse(content.expose(), stop) {
        Ok(key) => {
            good(describe(&key));
            found(Finding {
                severity: Severity::Warning,
                text: "it is not encrypted: who reads the file signs as you".to_owned(),
                hint: Some(format!("encrypt it with: countersign import-key-pair --key {uri}")),
            });
        }
        Err(error) if error.kind() == ErrorKind::PinRequired => {
            good("it is encrypted, and its password hashing cost is within limits".to_owned());
        }
        Err(error) => return Err(error),
    }
    match place {
        Place::Path(path) if readable_by_others(&path) => found(Finding {
            severity: Severity::Warning,
            text: "other users can read the file".to_owned(),
            hint: Some(format!("run: chmod 600 {}", path.display())),
        }),
        Place::Path(_) => found(Finding::good("only its owner can read the file")),
        Place::Variable(_) => {}
    }
    Ok(())
}
