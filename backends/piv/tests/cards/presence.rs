//! Which card is meant, and what is said when it is not there, not alone, held by another program, or pulled out.

use std::time::{Duration, Instant};

use countersign_core::conformance::World;
use countersign_core::context::Event;
use countersign_core::error::ErrorKind;
use countersign_core::{Backend, KeyUri, OpenContext};
use countersign_piv::{PivBackend, Reader, Readers, Transport, TransportError};

use crate::rig::{PIN, Rig, says, sign};

fn uri(text: &str) -> KeyUri {
    KeyUri::parse(text).unwrap()
}

#[test]
fn two_cards_are_told_apart_by_serial_or_reader() {
    let rig = Rig::with(&["5.4.3", "5.7.1"]);
    for card in &rig.cards {
        card.control("key 9c p256 pin=never");
    }
    let world = World::with_secret(PIN);
    let error = rig.refusal(&uri("piv:slot=9c"), &world.context());
    says(&error, ErrorKind::Ambiguous, "serial=");
    for card in &rig.cards {
        assert!(error.to_string().contains(&format!("serial={}", card.serial)), "{error}");
        assert!(error.to_string().contains(card.reader()), "{error}");
        let by_serial = rig.open(&uri(&format!("piv:slot=9c;serial={}", card.serial)), &world).unwrap();
        let reader = card.reader().replace(' ', "%20");
        let by_reader = rig.open(&uri(&format!("piv:slot=9c;reader={reader}")), &world).unwrap();
        assert_eq!(by_serial.info().public_key, by_reader.info().public_key);
        assert!(by_reader.info().uri.ends_with(&format!("serial={}", card.serial)));
    }
    let error = rig.refusal(&uri("piv:slot=9c;serial=1"), &world.context());
    says(&error, ErrorKind::NotPresent, &format!("serial={}", rig.cards[1].serial));
    assert_eq!(rig.cards.iter().map(|card| card.pins_sent()).sum::<usize>(), 0);
    // A PIN goes to the card that is named, and to no other.
    rig.cards[1].control("key 9a p256");
    let named = uri(&format!("piv:slot=9a;serial={}", rig.cards[1].serial));
    sign(&*rig.open(&named, &world).unwrap(), "a").unwrap();
    assert_eq!((rig.cards[0].pins_sent(), rig.cards[1].pins_sent()), (0, 1));
}

#[test]
fn an_empty_slot_and_an_empty_reader_are_named() {
    let rig = Rig::new("5.7.1");
    let world = World::with_secret(PIN);
    says(&rig.refusal(&rig.uri("9c"), &world.context()), ErrorKind::NotFound, "the slot is empty");
    rig.card().remove();
    says(&rig.refusal(&rig.uri("9c"), &world.context()), ErrorKind::NotPresent, "no reader has a card");
    assert_eq!(world.asked(), 0);
}

#[test]
fn a_card_that_another_program_holds_is_named_as_such() {
    let rig = Rig::with(&["5.4.3", "5.4.3"]);
    rig.cards[0].control("key 9c p256 pin=never");
    rig.cards[1].hold(true);
    let world = World::with_secret(PIN);
    // Which of two is meant cannot be said while one does not answer; by its serial number the other can be used.
    says(&rig.refusal(&uri("piv:slot=9c"), &world.context()), ErrorKind::Ambiguous, "does not answer");
    rig.open(&rig.uri("9c"), &world).unwrap();
    rig.cards[0].hold(true);
    says(&rig.refusal(&rig.uri("9c"), &world.context()), ErrorKind::Busy, "scdaemon");
    let rig = Rig::new("5.4.3");
    rig.card().hold(true);
    says(&rig.refusal(&uri("piv:slot=9c"), &world.context()), ErrorKind::Busy, "scdaemon");
}

#[test]
fn wait_waits_for_the_card_and_says_so_once() {
    let rig = Rig::new("5.4.3");
    rig.card().control("key 9e p256");
    rig.card().remove();
    let world = World::with_secret(PIN);
    let context = OpenContext { wait_for_device: true, ..world.context() };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(150));
            rig.card().control("insert");
        });
        let signer = rig.backend.open_signer(&rig.uri("9e"), &context).unwrap();
        sign(&*signer, "a").unwrap();
    });
    let waited = Event::WaitingForDevice(format!("YubiKey {}", rig.card().serial));
    assert_eq!(world.events().iter().filter(|event| **event == waited).count(), 1);
}

#[test]
fn a_wait_ends_at_the_deadline() {
    let rig = Rig::new("5.4.3");
    rig.card().remove();
    let world = World::with_secret(PIN);
    let deadline = Some(Instant::now() + Duration::from_millis(100));
    let context = OpenContext { wait_for_device: true, deadline, ..world.context() };
    assert_eq!(rig.refusal(&rig.uri("9c"), &context).kind(), ErrorKind::Timeout);
}

#[test]
fn a_batch_goes_on_after_a_reset_and_after_the_card_was_put_back() {
    for slot in ["9a", "9c", "9e"] {
        let rig = Rig::new("5.4.3");
        rig.card().control(&format!("key {slot} p256"));
        let world = World::with_secret(PIN);
        let signer = rig.open(&rig.uri(slot), &world).unwrap();
        sign(&*signer, "a").unwrap();
        rig.card().reset_by_another();
        sign(&*signer, "b").unwrap();
        rig.card().remove();
        rig.card().insert();
        sign(&*signer, "c").unwrap();
        assert!(world.asked() <= 1, "the PIN that was right is kept");
    }
}

#[test]
fn a_card_that_stays_out_says_what_was_done() {
    let rig = Rig::new("5.4.3");
    rig.card().control("key 9a p256");
    let world = World::with_secret(PIN);
    let signer = rig.open(&rig.uri("9a"), &world).unwrap();
    for text in ["a", "b"] {
        sign(&*signer, text).unwrap();
    }
    rig.card().control("fault removed on=87");
    let error = sign(&*signer, "c").unwrap_err();
    says(&error, ErrorKind::NotPresent, "2 signatures were made before");
    rig.card().insert();
    sign(&*signer, "c").unwrap();
}

#[test]
fn another_card_in_its_place_does_not_sign() {
    let rig = Rig::new("plain");
    rig.card().control("key 9e p256 certificate");
    let world = World::with_secret(PIN);
    let signer = rig.open(&uri("piv:slot=9e"), &world).unwrap();
    sign(&*signer, "a").unwrap();
    // A card without serial number is known by its reader only: the key then shows that it is another.
    rig.card().control("new");
    crate::rig::until(|| rig.backend.public_key(&uri("piv:slot=9e"), &world.context()).is_err());
    rig.card().control("key 9e p256 certificate");
    assert_eq!(sign(&*signer, "b").unwrap_err().kind(), ErrorKind::Integrity);
}

#[test]
fn another_program_between_two_signatures_costs_no_question() {
    const SELECT_OPENPGP_LIKE: &[u8] = &[0, 0xa4, 4, 0, 8, 0xa0, 0, 0, 5, 0x27, 0x47, 0x11, 0x17];
    const SELECT_PIV: &[u8] = &[0, 0xa4, 4, 0, 5, 0xa0, 0, 0, 3, 8];
    for slot in ["9a", "9c", "9e"] {
        for other in [SELECT_OPENPGP_LIKE, SELECT_PIV] {
            let rig = Rig::new("5.7.1");
            rig.card().control(&format!("key {slot} p256"));
            let world = World::with_secret(PIN);
            let signer = rig.open(&rig.uri(slot), &world).unwrap();
            sign(&*signer, "a").unwrap();
            assert!(rig.card().transmit(other).ends_with(&[0x90, 0]));
            sign(&*signer, "b").unwrap_or_else(|error| panic!("{slot}: {error}"));
            assert!(world.asked() <= 1);
        }
    }
}

/// Readers of a machine on which something is missing.
struct Broken(TransportError);

impl Readers for Broken {
    fn list(&self) -> Result<Vec<Reader>, TransportError> {
        Err(self.0.clone())
    }
    fn connect(&self, _: &str) -> Result<Box<dyn Transport>, TransportError> {
        Err(self.0.clone())
    }
    fn wait(&self, _: Duration) {}
}

#[test]
fn a_machine_without_library_service_or_reader_is_told_what_to_install() {
    struct Nothing;
    impl Readers for Nothing {
        fn list(&self) -> Result<Vec<Reader>, TransportError> {
            Ok(Vec::new())
        }
        fn connect(&self, _: &str) -> Result<Box<dyn Transport>, TransportError> {
            Err(TransportError::NoReader)
        }
        fn wait(&self, _: Duration) {}
    }
    let refusal = |readers: &'static dyn Readers, kind, words| {
        let world = World::with_secret(PIN);
        let opened = PivBackend::with_readers(readers).open_signer(&uri("piv:slot=9c"), &world.context());
        says(&opened.err().unwrap(), kind, words);
    };
    refusal(&Broken(TransportError::NoLibrary), ErrorKind::Unavailable, "libpcsclite1");
    refusal(&Broken(TransportError::NoService), ErrorKind::Unavailable, "start it: systemctl start pcscd");
    refusal(&Nothing, ErrorKind::NotPresent, "there is no reader");
}
