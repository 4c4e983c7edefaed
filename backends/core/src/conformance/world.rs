//! A world for tests: a fixed secret, no terminal, variables by hand, every question counted.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use crate::context::{Clock, Environment, Event, Events, Prompt, SecretPurpose};
use crate::error::Result;
use crate::{Cancellation, OpenContext, Secret, TrustLevel};

/// Hands out contexts and remembers what was asked of it.
#[derive(Default)]
pub struct World {
    secret: Vec<u8>,
    variables: HashMap<String, OsString>,
    confirms: bool,
    asked: AtomicUsize,
    events: Mutex<Vec<Event>>,
    cancellation: Cancellation,
}

impl World {
    /// A world whose every password and PIN is `secret`.
    pub fn with_secret(secret: &[u8]) -> Self {
        Self { secret: secret.to_vec(), ..Self::default() }
    }

    /// Answers every yes-or-no question with yes.
    pub fn confirming(mut self) -> Self {
        self.confirms = true;
        self
    }

    /// Sets an environment variable of this world.
    pub fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// How often a secret was asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().map(|events| events.clone()).unwrap_or_default()
    }

    /// A context of this world, without deadline, trusted.
    pub fn context(&self) -> OpenContext<'_> {
        OpenContext {
            environment: self,
            prompt: self,
            events: self,
            clock: self,
            deadline: None,
            cancellation: &self.cancellation,
            trust: TrustLevel::Operator,
            allow_final_pin_try: false,
            wait_for_device: false,
            max_rate: None,
        }
    }
}

impl Environment for World {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }
}

impl Prompt for World {
    fn secret(&self, _object: &str, _purpose: SecretPurpose) -> Result<Secret> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(Secret::new(self.secret.clone()))
    }

    fn command(&self, _words: &[String]) -> Result<Secret> {
        Err(crate::Error::new(crate::ErrorKind::Denied, "this world runs no commands"))
    }

    fn confirm(&self, _question: &str) -> Result<bool> {
        Ok(self.confirms)
    }
}

impl Events for World {
    fn event(&self, event: Event) {
        if let Ok(mut events) = self.events.lock() {
            events.push(event);
        }
    }
}

impl Clock for World {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}
