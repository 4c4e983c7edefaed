//! A card that answers anything at all: whatever it says, there is an error or a checked answer, and an end.

use std::sync::{Arc, Mutex};

use countersign_core::conformance::World;
use countersign_core::{Backend, KeyStore, KeyUri};
use proptest::prelude::*;

use super::*;
use crate::transport::{Exchange, Reader, Readers};
use crate::{PivBackend, attestation, objects, public_half};

/// Answers with what it was given, in turn, and then with nothing.
#[derive(Clone)]
struct Script(Arc<Mutex<Vec<Vec<u8>>>>);

impl Script {
    fn new(mut answers: Vec<Vec<u8>>) -> Self {
        answers.reverse();
        Self(Arc::new(Mutex::new(answers)))
    }
}

impl Transport for Script {
    fn exclusive(&mut self, work: &mut dyn FnMut(&mut dyn Exchange)) -> Result<(), TransportError> {
        work(self);
        Ok(())
    }
}

impl Exchange for Script {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, TransportError> {
        Ok(self.0.lock().unwrap().pop().unwrap_or_default())
    }
}

impl Readers for Script {
    fn list(&self) -> Result<Vec<Reader>, TransportError> {
        Ok(vec![Reader { name: "script".to_owned(), has_card: true }])
    }
    fn connect(&self, _: &str) -> Result<Box<dyn Transport>, TransportError> {
        Ok(Box::new(self.clone()))
    }
    fn wait(&self, _: Duration) {}
}

fn ok(data: &[u8]) -> Vec<u8> {
    [data, &[0x90, 0]].concat()
}

/// SELECT, version, serial number.
fn introduction(firmware: [u8; 3]) -> Vec<Vec<u8>> {
    vec![ok(&[0x61, 0]), ok(&firmware), ok(&[0, 0, 0, 7])]
}

fn recognise(answers: Vec<Vec<u8>>) -> Result<Option<Identity>> {
    let world = World::with_secret(b"123456");
    let card = Card::recognise(Box::new(Script::new(answers)), "script", world.context())?;
    Ok(card.map(|card| card.identity().clone()))
}

#[test]
fn a_card_is_what_it_says() {
    let yubikey = recognise(introduction([5, 4, 3])).unwrap().unwrap();
    assert_eq!((yubikey.firmware, yubikey.serial), (Some(Firmware(5, 4, 3)), Some(7)));
    let silent = recognise(vec![ok(&[0x61, 0]), ok(&[5, 4, 3]), vec![0x6a, 0x82]]).unwrap().unwrap();
    assert_eq!(silent.serial, None, "a serial number that is hidden");
    // The crate `yubikey` panics at a card of another maker that agrees to everything.
    for plain in [ok(&[]), vec![0x6d, 0], vec![0x6e, 0], vec![0x6a, 0x81]] {
        assert_eq!(recognise(vec![ok(&[0x61, 0]), plain]).unwrap().unwrap().firmware, None);
    }
    assert!(recognise(vec![vec![0x6a, 0x82]]).unwrap().is_none(), "no PIV application");
}

#[test]
fn answers_of_the_wrong_length_are_refused() {
    for answers in [
        vec![ok(&[0x61, 0]), ok(&[5])],
        vec![ok(&[0x61, 0]), ok(&[5, 4, 3, 0])],
        vec![ok(&[0x61, 0]), ok(&[5, 4, 3]), ok(&[0, 0, 7])],
        vec![ok(&[0x61, 0]), ok(&[5, 4, 3]), ok(&[0, 0, 0, 0, 7])],
        vec![ok(&[0x61])],
        vec![ok(&[0x61, 0, 0])],
        vec![vec![0x90]],
        vec![vec![1, 2, 3]],
    ] {
        assert_eq!(recognise(answers.clone()).unwrap_err().kind(), ErrorKind::Integrity, "{answers:?}");
    }
    assert_eq!(recognise(Vec::new()).unwrap_err().kind(), ErrorKind::NotPresent);
}

#[test]
fn an_answer_in_parts_has_an_end() {
    let mut answers = introduction([5, 4, 3]);
    answers.extend(std::iter::repeat_n([&[0; 256][..], &[0x61, 0]].concat(), 1000));
    assert_reading_fails(answers);
    let mut answers = introduction([5, 4, 3]);
    answers.extend(std::iter::repeat_n(vec![0x61, 0], 1000));
    assert_reading_fails(answers);
}

fn assert_reading_fails(answers: Vec<Vec<u8>>) {
    let world = World::default();
    let mut card =
        Card::recognise(Box::new(Script::new(answers)), "script", world.context()).unwrap().unwrap();
    let read = card.exclusive(|card| objects::certificate(card, crate::Slot::SIGNATURE));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Integrity);
}

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let status = prop_oneof![
        Just(vec![0x90, 0x00]),
        Just(vec![0x61, 0x10]),
        Just(vec![0x63, 0xc2]),
        Just(vec![0x69, 0x82]),
        Just(vec![0x6a, 0x82]),
        Just(vec![0x6d, 0x00]),
        proptest::collection::vec(any::<u8>(), 0..3),
    ];
    let value = proptest::collection::vec(any::<u8>(), 0..80);
    let tag = prop_oneof![
        Just(0x53),
        Just(0x7c),
        Just(0x7f49),
        Just(0x70),
        Just(0x04),
        Just(0x01),
        Just(0x61),
        0_u32..0xff
    ];
    let wrapped = (tag.clone(), tag, value.clone())
        .prop_map(|(outer, inner, value)| tlv::element(outer, &tlv::element(inner, &value)));
    (prop_oneof![value, wrapped], status).prop_map(|(data, status)| [data, status].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_answers_end_in_an_error_or_a_checked_answer(
        firmware in 3_u8..6, answers in proptest::collection::vec(answer(), 0..30),
    ) {
        let script = |answers: &Vec<Vec<u8>>| {
            let start = vec![ok(&[0x61, 0]), ok(&[firmware, 4, 3]), ok(&[0, 0, 0, 7]), ok(&[0, 0, 0, 7]), ok(&[0x61, 0])];
            let start = start.into_iter().take(if firmware == 5 { 3 } else { 5 });
            Script::new(start.chain(answers.iter().cloned()).collect())
        };
        let world = World::with_secret(b"123456");
        let mut card = Card::recognise(Box::new(script(&answers)), "script", world.context()).unwrap().unwrap();
        let uri = crate::PivUri::default();
        let _ = card.exclusive(|card| {
            let _ = public_half::look_up(card, &uri, true);
            let _ = objects::certificate(card, crate::Slot::SIGNATURE);
            let _ = attestation::certificate(card, crate::Slot::SIGNATURE);
            crate::pin::state(card)
        });
        let backend = PivBackend::with_readers(Box::leak(Box::new(script(&answers))));
        let uri = KeyUri::parse("piv:slot=9c").unwrap();
        if let Ok(signer) = backend.open_signer(&uri, &world.context()) {
            let algorithm = signer.info().algorithms[0];
            if let Some(hash) = algorithm.hash() {
                let _ = signer.sign(algorithm, countersign_core::Input::Digest(&hash.digest(b"text")));
            }
        }
        let _ = backend.list(&uri, &world.context());
    }
}
