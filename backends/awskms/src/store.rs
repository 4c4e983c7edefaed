//! Listing keys and making them.

use aws_sdk_kms::types::AliasListEntry;
use countersign_core::backend::{Created, KeySummary};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::LocalKey;
use countersign_core::{Algorithm, KeyStore, KeyUri, Location, OpenContext, Scheme};

use crate::AwskmsBackend;
use crate::client::Kms;
use crate::signer::{Opened, canonical, connect, fetch, spec_name};
use crate::uri::AwsUri;

impl KeyStore for AwskmsBackend {
    fn list(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        list(uri, context).map_err(|error| error.for_key(uri))
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
            .why("keys of KMS are made there")
            .hint("make one with: countersign generate-key-pair --kms awskms:///alias/NAME"))
    }
}

/// The signing keys of the region, or the one key that the URI names. One call for each key, two for the lists.
fn list(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
    let parsed = AwsUri::parse(uri)?;
    let kms = Kms::new(&parsed, context)?;
    let act = format!("list the keys of {uri}");
    if !parsed.key.is_empty() {
        let opened = fetch(&parsed, &kms, &act)?;
        let label = parsed.is_alias().then(|| parsed.key.clone());
        return Ok(vec![summary(&parsed, opened, label)]);
    }
    let aliases = kms.aliases(&act)?;
    let mut keys = Vec::new();
    for arn in kms.keys(&act)? {
        let names = names(&aliases, &arn);
        // AWS's own keys for its services: none of them signs for others.
        if names.iter().any(|name| name.starts_with("alias/aws/")) {
            continue;
        }
        let named = canonical(&parsed, &arn);
        let label = Some(names.join(", ")).filter(|names| !names.is_empty());
        match fetch(&named, &kms, &act) {
            Ok(opened) => keys.push(summary(&parsed, opened, label)),
            // It encrypts, or authenticates: nothing to sign with.
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::KeyState) => {
                let note = if error.kind() == ErrorKind::Denied {
                    "may not be read"
                } else {
                    error.cause().unwrap_or("cannot be used now")
                };
                keys.push(KeySummary {
                    uri: named.to_string(),
                    public_key: None,
                    location: Location::Service,
                    notes: label.iter().cloned().chain([note.to_owned()]).collect(),
                    label,
                    id: None,
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}

fn names(aliases: &[AliasListEntry], arn: &str) -> Vec<String> {
    let of = |alias: &&AliasListEntry| {
        alias.target_key_id.as_ref().is_some_and(|id| arn.ends_with(&format!(":key/{id}")))
    };
    aliases.iter().filter(of).filter_map(|alias| alias.alias_name.clone()).collect()
}

fn summary(uri: &AwsUri, opened: Opened, label: Option<String>) -> KeySummary {
    KeySummary {
        uri: canonical(uri, &opened.arn).to_string(),
        public_key: Some(opened.public_key),
        location: Location::Service,
        notes: label.iter().cloned().collect(),
        label,
        id: None,
    }
}

/// Makes a key under a new alias: four calls. An alias that exists is never moved.
fn generate(uri: &KeyUri, algorithm: Algorithm, context: &OpenContext<'_>) -> Result<Created> {
    let parsed = AwsUri::parse(uri)?;
    let act = format!("make the key {uri}");
    let what = format!("cannot {act}");
    if !parsed.key.starts_with("alias/") {
        return Err(Error::new(ErrorKind::BadUri, what)
            .why("KMS chooses a new key's id; an alias names it")
            .hint("write awskms:///alias/NAME"));
    }
    if parsed.key.starts_with("alias/aws/") {
        return Err(Error::new(ErrorKind::BadUri, what).why("aliases under alias/aws/ are AWS's own"));
    }
    if algorithm.scheme() == Scheme::Ed25519ph {
        return Err(
            Error::new(ErrorKind::Unsupported, what).why(format!("{algorithm} is not offered with KMS"))
        );
    }
    let (parsed, kms) = connect(uri, context)?;
    match kms.public_key(&parsed.key, &act) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if matches!(error.kind(), ErrorKind::KeyState | ErrorKind::Unsupported) => {
            return Err(exists(&what, uri));
        }
        Err(error) => return Err(error),
        Ok(_) => return Err(exists(&what, uri)),
    }
    let arn = kms.create(spec_name(algorithm.key_type()), &act)?;
    kms.name(&parsed.key, &arn, &act).map_err(|error| {
        let why = error.cause().unwrap_or("the alias was not made").to_owned();
        let hint = format!(
            "the key {arn} was made and has no alias: name it with aws kms create-alias, or drop it with: aws kms \
             schedule-key-deletion --key-id {arn}"
        );
        Error::new(error.kind(), what.clone()).why(why).hint(hint)
    })?;
    let opened = fetch(&canonical(&parsed, &arn), &kms, &act)?;
    let uri = parsed.to_string();
    let path = canonical(&parsed, &arn).to_string();
    Ok(Created { uri: uri.clone(), public_key: opened.public_key, private_path: path, public_path: uri })
}

fn exists(what: &str, uri: &KeyUri) -> Error {
    Error::new(ErrorKind::Denied, what).why("the alias exists").hint(format!(
        "print its public half with: countersign public-key --key '{uri}', or choose another name"
    ))
}
