//! No more requests in a second than the user or the service's quota allows, whichever thread sends them.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Hands out moments to send at, evenly spaced.
pub(super) struct Pace {
    between: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(a_second: NonZeroU32) -> Self {
        Self { between: Duration::from_secs(1) / a_second.get(), next: Mutex::new(None) }
    }

    /// How long whoever comes `now` has to wait for the next free moment, which is taken then.
    pub(super) fn take(&self, now: Instant) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = next.map_or(now, |next| next.max(now));
        *next = moment.checked_add(self.between);
        moment.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_evenly_spaced_and_unused_ones_are_not_saved_up() {
        let pace = Pace::new(NonZeroU32::new(10).unwrap());
        let start = Instant::now();
        let ms = Duration::from_millis;
        assert_eq!([(); 4].map(|()| pace.take(start)), [ms(0), ms(100), ms(200), ms(300)]);
        assert_eq!(pace.take(start + ms(350)), ms(50));
        assert_eq!(pace.take(start + ms(9000)), ms(0));
        assert_eq!(pace.take(start + ms(9000)), ms(100));
    }
}
