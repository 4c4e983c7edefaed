//! The owner's thread: order, silence, deadlines.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign_core::Cancellation;

use super::*;

const SLEEP: Duration = Duration::from_millis(900);

/// Answers with what it was sent; `s` first means silence before.
struct Echo;

impl Transport for Echo {
    fn exclusive(&mut self, work: &mut dyn FnMut(&mut dyn Exchange)) -> Result<(), TransportError> {
        work(self);
        Ok(())
    }
}

impl Exchange for Echo {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransportError> {
        if apdu.first() == Some(&b's') {
            std::thread::sleep(SLEEP);
        }
        Ok(apdu.to_vec())
    }
}

fn bytes(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.into())
}

#[test]
fn commands_are_answered_in_order_within_a_transaction_only() {
    let cancellation = Cancellation::default();
    let patience = Patience { deadline: None, cancellation: &cancellation };
    let mut link = Link::new(Box::new(Echo));
    assert!(link.transmit(bytes("a"), patience, &mut || ()).is_err());
    for _ in 0..3 {
        link.begin(patience, &mut || ()).unwrap();
        for text in ["a", "b"] {
            assert_eq!(link.transmit(bytes(text), patience, &mut || ()).unwrap(), text.as_bytes());
        }
        assert!(link.begin(patience, &mut || ()).is_err());
        link.end(patience).unwrap();
    }
}

#[test]
fn silence_is_told_once_and_only_if_there_is_any() {
    let cancellation = Cancellation::default();
    let patience = Patience { deadline: None, cancellation: &cancellation };
    let mut link = Link::new(Box::new(Echo));
    link.begin(patience, &mut || ()).unwrap();
    let told = AtomicUsize::new(0);
    let mut silent = || {
        told.fetch_add(1, Ordering::SeqCst);
    };
    link.transmit(bytes("quick"), patience, &mut silent).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 0);
    let mut silent = || {
        told.fetch_add(1, Ordering::SeqCst);
    };
    link.transmit(bytes("slow"), patience, &mut silent).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[test]
fn a_silent_card_is_given_up_at_the_deadline_and_when_cancelled() {
    let cancellation = Cancellation::default();
    let forever = Patience { deadline: None, cancellation: &cancellation };
    let mut link = Link::new(Box::new(Echo));
    link.begin(forever, &mut || ()).unwrap();
    let short = Patience { deadline: Some(Instant::now() + Duration::from_millis(50)), ..forever };
    assert!(matches!(link.transmit(bytes("slow"), short, &mut || ()), Err(LinkError::GivenUp)));
    // The answer that comes late must not be taken for the next one's.
    std::thread::sleep(SLEEP);
    assert!(matches!(link.transmit(bytes("a"), forever, &mut || ()), Err(LinkError::Stuck)));

    let mut link = Link::new(Box::new(Echo));
    link.begin(forever, &mut || ()).unwrap();
    cancellation.cancel();
    assert!(matches!(link.transmit(bytes("slow"), forever, &mut || ()), Err(LinkError::GivenUp)));
}

#[test]
fn the_connection_ends_with_the_link() {
    struct Watched(&'static Mutex<bool>);
    impl Transport for Watched {
        fn exclusive(&mut self, work: &mut dyn FnMut(&mut dyn Exchange)) -> Result<(), TransportError> {
            work(&mut Echo);
            Ok(())
        }
    }
    impl Drop for Watched {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
        }
    }
    static DROPPED: Mutex<bool> = Mutex::new(false);
    let cancellation = Cancellation::default();
    let mut link = Link::new(Box::new(Watched(&DROPPED)));
    link.begin(Patience { deadline: None, cancellation: &cancellation }, &mut || ()).unwrap();
    drop(link);
    assert!(*DROPPED.lock().unwrap());
}
