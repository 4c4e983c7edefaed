//! A card that answers anything: opening, listing, making a key and attesting end in a result, never in a panic, and no
//! signature of such a card leaves unverified.
#![no_main]

use std::sync::Mutex;
use std::time::{Duration, Instant};

use countersign_core::conformance::World;
use countersign_core::{Attester, Backend, HashAlgorithm, Input, KeyStore, KeyType, KeyUri, OpenContext};
use countersign_piv::{Exchange, PivBackend, Reader, Readers, Transport, TransportError};

/// What the card says next: answers of a length byte and so many bytes.
static ANSWERS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct OneReader;
struct Card;

impl Readers for OneReader {
    fn list(&self) -> Result<Vec<Reader>, TransportError> {
        Ok(vec![Reader { name: "reader".into(), has_card: true }])
    }

    fn connect(&self, _: &str) -> Result<Box<dyn Transport>, TransportError> {
        Ok(Box::new(Card))
    }

    fn wait(&self, _: Duration) {}
}

impl Transport for Card {
    fn exclusive(&mut self, work: &mut dyn FnMut(&mut dyn Exchange)) -> Result<(), TransportError> {
        work(self);
        Ok(())
    }
}

impl Exchange for Card {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut answers = ANSWERS.lock().expect("one thread at a time");
        let Some(length) = answers.first().map(|byte| usize::from(*byte)) else {
            return Err(TransportError::NoCard);
        };
        let length = length.min(answers.len() - 1);
        Ok(answers.drain(..=length).skip(1).collect())
    }
}

libfuzzer_sys::fuzz_target!(|answers: &[u8]| {
    static READERS: OneReader = OneReader;
    let backend = PivBackend::with_readers(&READERS);
    let world = World::with_secret(b"123456").confirming();
    let deadline = Some(Instant::now() + Duration::from_secs(1));
    let context = OpenContext { deadline, ..world.context() };
    let uri = KeyUri::parse("piv:slot=9a").expect("a good URI");
    let again = || *ANSWERS.lock().expect("one thread at a time") = answers.to_vec();
    again();
    if let Ok(signer) = backend.open_signer(&uri, &context) {
        let digest = HashAlgorithm::Sha256.digest(b"fuzz");
        // An answer that verifies would be a forgery.
        assert!(signer.sign(KeyType::P256.default_algorithm(), Input::Digest(&digest)).is_err());
    }
    again();
    let _ = backend.list(&uri, &context);
    again();
    let _ = backend.generate(&uri, KeyType::P256.default_algorithm(), true, &context);
    again();
    if let Ok(chain) = backend.attest(&uri, &context) {
        assert!(backend.verify_attestation(&chain, &[]).is_err());
    }
});
