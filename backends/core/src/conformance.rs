//! The suite that every backend passes against its rig: whatever a key store is, its keys behave alike.
//!
//! A backend's test fills in a [`Rig`] and calls [`run`]. What the suite finds is compared with the backend's checked-in
//! `capabilities.txt`: an algorithm or ability that appears or disappears fails until that file says so too.

mod world;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::digest::HashAlgorithm;
use crate::error::ErrorKind;
use crate::input::Input;
use crate::key_uri::KeyUri;
use crate::signer::Signer;
use crate::{Ability, Algorithm, Cancellation};

pub use world::World;

/// Threads that sign with one signer at once.
const THREADS: usize = 32;

/// A key store with known keys.
pub struct Rig<'a> {
    /// The backend under test.
    pub backend: &'a dyn Backend,
    /// The key URIs to sign with, one or more a key type.
    pub keys: Vec<String>,
    /// The password or PIN that opens them.
    pub secret: Vec<u8>,
    /// A URI under which [`Ability::List`] finds all of the above.
    pub list: Option<String>,
    /// A URI of the right form that names nothing.
    pub missing: String,
    /// A URI that names several keys, where the grammar allows one.
    pub ambiguous: Option<String>,
    /// One of the keys that needs the secret, to be opened with a wrong one.
    pub locked: Option<String>,
    /// The content of `capabilities.txt`.
    pub capabilities: &'a str,
}

/// A rig, and the variables that lead to it.
struct Suite<'a> {
    rig: &'a Rig<'a>,
    variables: &'a [(&'a str, &'a str)],
}

impl<'a> std::ops::Deref for Suite<'a> {
    type Target = Rig<'a>;

    fn deref(&self) -> &Rig<'a> {
        self.rig
    }
}

impl Suite<'_> {
    fn world(&self, secret: &[u8]) -> World {
        let world = World::with_secret(secret);
        self.variables.iter().fold(world, |world, (name, value)| world.set(name, value))
    }
}

/// Runs every check; panics with the key and algorithm at the first that fails.
pub fn run(rig: &Rig<'_>) {
    run_with(rig, &[]);
}

/// The same for a store that environment variables lead to: names and values.
pub fn run_with(rig: &Rig<'_>, variables: &[(&str, &str)]) {
    let rig = &Suite { rig, variables };
    let mut found: BTreeSet<String> =
        rig.backend.abilities().iter().map(|ability| format!("ability {}", ability.name())).collect();
    for uri in &rig.keys {
        let world = rig.world(&rig.secret);
        let signer = open(rig, uri, &world);
        assert!(world.asked() <= 1, "{uri}: asked {} times for one secret", world.asked());
        for algorithm in every_algorithm_signs(uri, &*signer) {
            found.insert(format!("sign {algorithm}"));
        }
        public_key_is_the_signers(rig, uri, &*signer);
        many_threads_sign_at_once(uri, &*signer);
    }
    listed_keys_open(rig);
    abilities_are_there(rig);
    missing_and_ambiguous_keys_are_told_apart(rig);
    a_wrong_secret_is_tried_once(rig);
    a_finished_context_opens_nothing(rig);
    let written: BTreeSet<String> = rig
        .capabilities
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    assert_eq!(found, written, "capabilities.txt says otherwise than the rig (left: found, right: written)");
}

fn parse(uri: &str) -> KeyUri {
    KeyUri::parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}"))
}

fn open<'a>(rig: &Suite<'_>, uri: &str, world: &'a World) -> Box<dyn Signer + 'a> {
    rig.backend.open_signer(&parse(uri), &world.context()).unwrap_or_else(|error| panic!("{uri}: {error}"))
}

/// Signs with every algorithm of the key and refuses every other before the store is asked.
fn every_algorithm_signs(uri: &str, signer: &dyn Signer) -> Vec<Algorithm> {
    let message = b"countersign conformance";
    let able = &signer.info().algorithms;
    let key_type = signer.info().public_key.key_type();
    // A service may bind a key to another algorithm than its type's default.
    let default = key_type.default_algorithm();
    let expected = if able.contains(&default) { Some(&default) } else { able.first() };
    assert!(expected.is_some() && able.first() == expected, "{uri}: the default comes first");
    for algorithm in Algorithm::all() {
        let digest = algorithm.hash().map(|hash| hash.digest(message));
        let hashes_itself = signer.info().hashes_itself.contains(&algorithm);
        let input = digest.as_ref().map_or(Input::Message(message), |digest| {
            if hashes_itself { Input::Hashed(digest, message) } else { Input::Digest(digest) }
        });
        let signed = signer.sign(algorithm, input);
        if able.contains(&algorithm) {
            let signature = signed.unwrap_or_else(|error| panic!("{uri}, {algorithm}: {error}"));
            let verified = signer.info().public_key.verify(algorithm, input, signature.bytes());
            verified.unwrap_or_else(|error| panic!("{uri}, {algorithm}: {error}"));
            let other = HashAlgorithm::Sha256.digest(b"something else");
            let wrong = digest.as_ref().map_or(Input::Message(b"something else"), |_| Input::Digest(&other));
            let refused = signer.info().public_key.verify(algorithm, wrong, signature.bytes());
            assert!(refused.is_err(), "{uri}, {algorithm}: another artifact verifies");
        } else {
            let error =
                signed.err().unwrap_or_else(|| panic!("{uri}: signs with {algorithm} without saying so"));
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{uri}, {algorithm}");
        }
    }
    able.clone()
}

fn public_key_is_the_signers(rig: &Suite<'_>, uri: &str, signer: &dyn Signer) {
    let world = rig.world(&rig.secret);
    let key = rig.backend.public_key(&parse(uri), &world.context());
    let key = key.unwrap_or_else(|error| panic!("{uri}: {error}"));
    assert_eq!(key, signer.info().public_key, "{uri}");
}

fn many_threads_sign_at_once(uri: &str, signer: &dyn Signer) {
    let algorithm = *signer.info().algorithms.first().expect("a key signs something");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let message = format!("message {thread}");
                let digest = algorithm.hash().map(|hash| hash.digest(message.as_bytes()));
                let input = digest.as_ref().map_or(Input::Message(message.as_bytes()), |digest| {
                    Input::Hashed(digest, message.as_bytes())
                });
                signer
                    .sign(algorithm, input)
                    .unwrap_or_else(|error| panic!("{uri}, thread {thread}: {error}"));
            });
        }
    });
}

/// Every listed URI can be pasted back and opens the key it was listed with.
fn listed_keys_open(rig: &Suite<'_>) {
    let (Some(uri), Some(store)) = (&rig.list, rig.backend.key_store()) else { return };
    let world = rig.world(&rig.secret);
    let listed = store.list(&parse(uri), &world.context()).unwrap_or_else(|error| panic!("{uri}: {error}"));
    assert_eq!(world.asked(), 0, "{uri}: listing asks for a secret");
    assert_eq!(listed.len(), rig.keys.len(), "{uri}: {listed:?}");
    for key in listed {
        let world = rig.world(&rig.secret);
        let signer = open(rig, &key.uri, &world);
        if let Some(public_key) = key.public_key {
            assert_eq!(public_key, signer.info().public_key, "{}", key.uri);
        }
    }
}

fn abilities_are_there(rig: &Suite<'_>) {
    let abilities = rig.backend.abilities();
    let stored = abilities.iter().any(|ability| !matches!(ability, Ability::Attest));
    assert_eq!(rig.backend.key_store().is_some(), stored, "abilities and key_store() disagree");
    assert_eq!(rig.backend.attester().is_some(), abilities.contains(&Ability::Attest));
}

fn missing_and_ambiguous_keys_are_told_apart(rig: &Suite<'_>) {
    let world = rig.world(&rig.secret);
    let refusal = |uri: &str| {
        let opened = rig.backend.open_signer(&parse(uri), &world.context());
        opened.err().unwrap_or_else(|| panic!("{uri}: opens"))
    };
    let error = refusal(&rig.missing);
    assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotPresent), "{}: {error}", rig.missing);
    assert_eq!(world.asked(), 0, "{}: asks for the secret of a key that is not there", rig.missing);
    if let Some(uri) = &rig.ambiguous {
        assert_eq!(refusal(uri).kind(), ErrorKind::Ambiguous, "{uri}");
    }
}

fn a_wrong_secret_is_tried_once(rig: &Suite<'_>) {
    let Some(uri) = &rig.locked else { return };
    let world = rig.world(b"certainly wrong");
    let opened = rig.backend.open_signer(&parse(uri), &world.context());
    let error = opened.err().unwrap_or_else(|| panic!("{uri}: opens with a wrong secret"));
    assert!(matches!(error.kind(), ErrorKind::WrongPin { .. }), "{uri}: {error}");
    assert_eq!(world.asked(), 1, "{uri}: a wrong secret is asked for once");
    assert!(!format!("{error:?}").contains("certainly wrong"), "{uri}: the error shows the secret");
}

fn a_finished_context_opens_nothing(rig: &Suite<'_>) {
    let Some(uri) = rig.keys.first() else { return };
    let world = rig.world(&rig.secret);
    let cancelled = Cancellation::default();
    cancelled.cancel();
    let past = Instant::now().checked_sub(Duration::from_secs(1));
    for context in [
        crate::OpenContext { cancellation: &cancelled, ..world.context() },
        crate::OpenContext { deadline: past, ..world.context() },
    ] {
        let opened = rig.backend.open_signer(&parse(uri), &context);
        let error = opened.err().unwrap_or_else(|| panic!("{uri}: opens after the end"));
        assert_eq!(error.kind(), ErrorKind::Timeout, "{uri}: {error}");
    }
}
