//! Listing keys and making them.

use std::time::Duration;

use countersign_core::backend::{Created, KeySummary};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::LocalKey;
use countersign_core::{Algorithm, KeyStore, KeyUri, Location, OpenContext};
use google_cloud_kms_v1::model::crypto_key::CryptoKeyPurpose;
use google_cloud_kms_v1::model::crypto_key_version::{CryptoKeyVersionAlgorithm, CryptoKeyVersionState};

use crate::GcpkmsBackend;
use crate::client::{Kms, incomplete};
use crate::signer::{Opened, connect, fetch, service_name, state_name};
use crate::uri::GcpUri;

/// The first pause while a key is made; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often a pause looks whether the user gave up.
const TICK: Duration = Duration::from_millis(50);

impl KeyStore for GcpkmsBackend {
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
            .why("an import job of Cloud KMS wraps the key first, which is not offered")
            .hint("make one there with: countersign generate-key-pair --kms URI; or see: gcloud kms keys versions import"))
    }
}

/// The signing keys of a ring or location, or the one key that the URI names. Two calls for each key, one for each list.
fn list(uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
    let parsed = GcpUri::parse(uri)?;
    let kms = Kms::new(&parsed, context)?;
    let act = format!("list the keys of {uri}");
    if parsed.key.is_some() {
        return Ok(vec![summary(fetch(&parsed, &kms, &act)?)]);
    }
    let within = |name: &str, parent: &str, word: &str| {
        let end = name.strip_prefix(parent).and_then(|rest| rest.strip_prefix(word));
        let end = end.filter(|end| !end.contains('/')).map(str::to_owned);
        end.ok_or_else(|| incomplete(&act, &format!("the list names {}", name.escape_debug())))
    };
    let location = parsed.location_name();
    let mut rings = Vec::from_iter(parsed.ring.clone());
    if rings.is_empty() {
        for ring in kms.rings(&location, &act)? {
            rings.push(within(&ring.name, &location, "/keyRings/")?);
        }
    }
    let mut found = Vec::new();
    for ring in rings {
        let in_ring = format!("{location}/keyRings/{ring}");
        for key in kms.keys(&in_ring, &act)? {
            if key.purpose != CryptoKeyPurpose::AsymmetricSign {
                continue;
            }
            let name = within(&key.name, &in_ring, "/cryptoKeys/")?;
            let named = GcpUri { ring: Some(ring.clone()), key: Some(name), ..parsed.clone() };
            // What the grammar would refuse never becomes a path.
            let named = GcpUri::parse(&KeyUri::parse(&named.to_string())?)?;
            match fetch(&named, &kms, &act) {
                Ok(opened) => found.push(summary(opened)),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::KeyState | ErrorKind::Denied | ErrorKind::Unsupported
                    ) =>
                {
                    found.push(KeySummary {
                        uri: named.to_string(),
                        public_key: None,
                        location: Location::Service,
                        notes: vec![error.cause().unwrap_or("cannot be used now").to_owned()],
                        label: None,
                        id: None,
                    });
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

fn summary(opened: Opened) -> KeySummary {
    KeySummary {
        uri: opened.uri.to_string(),
        public_key: Some(opened.public_key),
        location: Location::Service,
        notes: vec![opened.algorithm.to_string(), format!("protection {}", opened.protection)],
        label: None,
        id: None,
    }
}

/// Makes a key, and its ring where that is missing, as Cosign does; waits until it can sign.
fn generate(uri: &KeyUri, algorithm: Algorithm, context: &OpenContext<'_>) -> Result<Created> {
    let act = format!("make the key {uri}");
    let what = format!("cannot {act}");
    let (parsed, kms) = connect(uri, context)?;
    let (Some(ring), Some(key)) = (&parsed.ring, &parsed.key) else {
        return Err(incomplete(&act, "no key is named"));
    };
    if parsed.version.is_some() {
        return Err(Error::new(ErrorKind::BadUri, what)
            .why("Cloud KMS numbers the versions of a new key")
            .hint("leave the version out"));
    }
    let Some(name) = service_name(algorithm) else {
        return Err(Error::new(ErrorKind::Unsupported, what)
            .why(format!("Cloud KMS has no keys for {algorithm}"))
            .hint("choose another with --signing-algorithm, as in ecdsa-sha2-256-nistp256"));
    };
    let service = CryptoKeyVersionAlgorithm::from(name);
    let (location, in_ring) = (parsed.location_name(), parsed.ring_name().unwrap_or_default());
    let create = || kms.create_key(&in_ring, key, &service, &act);
    let made = match create() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            kms.create_ring(&location, ring, &act)?;
            create()
        }
        other => other,
    };
    let made = made.map_err(|error| {
        if error.cause().is_some_and(|cause| cause.contains("ALREADY_EXISTS")) {
            error.within(what.clone()).why("the key exists").hint(format!(
                "print its public half with: countersign public-key --key '{uri}', or choose another name"
            ))
        } else {
            error
        }
    })?;
    let expected = parsed.key_name().unwrap_or_default();
    if made.name != expected {
        return Err(incomplete(
            &act,
            &format!("Cloud KMS made another key: expected {expected}, found {}", made.name.escape_debug()),
        ));
    }
    let first = parsed.with_version(1);
    until_enabled(&format!("{expected}/cryptoKeyVersions/1"), &kms, &act)?;
    let opened = fetch(&first, &kms, &act)?;
    Ok(Created {
        uri: parsed.to_string(),
        public_key: opened.public_key,
        private_path: first.to_string(),
        public_path: parsed.to_string(),
    })
}

/// Keys in HSMs and large RSA keys take seconds to be made.
fn until_enabled(version: &str, kms: &Kms<'_>, act: &str) -> Result<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        let found = kms.version(version, act)?;
        if found.state == CryptoKeyVersionState::Enabled {
            return Ok(());
        }
        if found.state != CryptoKeyVersionState::PendingGeneration {
            let why =
                format!("the new key is {} {}", state_name(&found.state), found.generation_failure_reason);
            return Err(
                Error::new(ErrorKind::KeyState, format!("cannot {act}")).why(why.trim_end().to_owned())
            );
        }
        let mut left = pause;
        while !left.is_zero() {
            kms.context().time_left(act)?;
            std::thread::sleep(left.min(TICK));
            left = left.saturating_sub(TICK);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
