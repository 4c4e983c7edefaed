//! What is tried again, how often and after how long.
//!
//! Only what may succeed later: no connection, 429, 5xx. A refusal is never repeated. Three more tries at most, with pauses
//! that double and jitter, so that many callers do not come back in step; the service's `Retry-After` goes before ours.

use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use super::Answer;
use crate::context::OpenContext;
use crate::error::Result;

/// Tries after the first.
const MAX_RETRIES: u32 = 3;

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest `Retry-After` that is waited for; a service that asks for more is believed, and the call fails.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How often a pause looks whether the user gave up.
const TICK: Duration = Duration::from_millis(50);

/// 429 (RFC 6585 4) and the server errors that pass: 500, 502, 503, 504 (RFC 9110 15.6).
pub fn default_is_transient(answer: &Answer) -> bool {
    matches!(answer.status, 429 | 500 | 502 | 503 | 504)
}

/// How long to wait before the next try; `None` when there is none.
pub(super) fn pause(tried: u32, retry_after: Option<Duration>) -> Option<Duration> {
    if tried >= MAX_RETRIES {
        return None;
    }
    let longest = FIRST_PAUSE * 2u32.pow(tried);
    match retry_after {
        Some(asked) if asked > MAX_RETRY_AFTER => None,
        // Never sooner than asked, and not all at the same moment.
        Some(asked) => Some(asked + longest.mul_f64(random_share() / 2.0)),
        None => Some(longest.mul_f64(0.5 + random_share() / 2.0)),
    }
}

/// Between 0 and 1.
fn random_share() -> f64 {
    let mut bytes = [0; 2];
    // Without randomness the pauses are merely the same for all.
    let _ = SystemRandom::new().fill(&mut bytes);
    f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX)
}

/// Sleeps on the calling thread until the pause is over, the deadline passes or the user gives up.
pub(super) fn sleep(pause: Duration, act: &str, context: &OpenContext<'_>) -> Result<()> {
    let end = Instant::now() + pause;
    loop {
        let left = context.time_left(act)?;
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Ok(());
        }
        std::thread::sleep(rest.min(TICK).min(left.unwrap_or(TICK)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_follow_the_service() {
        for (tried, most) in [(0, 200), (1, 400), (2, 800)] {
            let pause = pause(tried, None).unwrap();
            assert!(pause <= Duration::from_millis(most) && pause >= Duration::from_millis(most / 2));
        }
        assert_eq!(pause(3, None), None);
        assert!(pause(0, Some(Duration::from_secs(2))).unwrap() >= Duration::from_secs(2));
        assert_eq!(pause(0, Some(Duration::from_secs(3600))), None);
    }
}
