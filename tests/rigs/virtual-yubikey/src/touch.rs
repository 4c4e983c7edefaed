//! The touch sensor, and the finger.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the finger does when the card asks for touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchBehaviour {
    /// Presses at once.
    Immediate,
    /// Presses after this time, counted from when the card asks.
    After(Duration),
    /// Does not press: after `Config::touch_timeout` the card answers 6982, as a YubiKey does.
    Never,
}

/// A handle on a card's sensor, for use while the card waits in another thread.
#[derive(Clone, Debug)]
pub struct Sensor {
    behaviour: Arc<Mutex<TouchBehaviour>>,
}

impl Sensor {
    pub(crate) fn new(behaviour: TouchBehaviour) -> Self {
        Self { behaviour: Arc::new(Mutex::new(behaviour)) }
    }

    /// Changes what the finger does, for a wait that is under way too.
    pub fn set(&self, behaviour: TouchBehaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    fn behaviour(&self) -> TouchBehaviour {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the finger; false when the time is over.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let began = Instant::now();
        loop {
            match self.behaviour() {
                TouchBehaviour::Immediate => return true,
                TouchBehaviour::After(delay) if delay <= timeout && began.elapsed() >= delay => return true,
                TouchBehaviour::After(_) | TouchBehaviour::Never => {}
            }
            if began.elapsed() >= timeout {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
