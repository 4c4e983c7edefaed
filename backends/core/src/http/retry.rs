//! What is tried again, how often and after how long.
//!
//! Only what may succeed later: no connection, 429, 5xx. A refusal is never repeated. Three more tries at most, with pauses
//! that double and jitter, so that many callers do not come back in step; the service's `Retry-After` goes before ours.

use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use jiff::civil;
use jiff::tz::TimeZone;

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

/// The forms of a date, the last two obsolete and to be read all the same (RFC 9110 5.6.7).
const DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// What the header `Retry-After` asks for: seconds or a date (RFC 9110 10.2.3). A date counts from the same answer's header
/// `Date`, so that clocks that differ change nothing; without one, and for anything else, `None`. A time that has passed is
/// no wait.
pub fn parse_retry_after(retry_after: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let text = retry_after?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let wait = parse_date(text)?.checked_sub(parse_date(date?.trim())?)?;
    Some(Duration::from_secs(wait.try_into().unwrap_or(0)))
}

/// Seconds since 1970.
fn parse_date(text: &str) -> Option<i64> {
    let parsed = DATES.iter().find_map(|form| civil::DateTime::strptime(form, text).ok())?;
    Some(TimeZone::UTC.to_timestamp(parsed).ok()?.as_second())
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

    #[test]
    fn retry_after_is_seconds_or_a_date_of_three_forms() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let seconds = |text, date| parse_retry_after(Some(text), date).map(|wait| wait.as_secs());
        assert_eq!(
            (seconds("0", None), seconds("120", date), seconds(" 7 ", None)),
            (Some(0), Some(120), Some(7))
        );
        for later in
            ["Sun, 06 Nov 1994 08:50:07 GMT", "Sunday, 06-Nov-94 08:50:07 GMT", "Sun Nov  6 08:50:07 1994"]
        {
            assert_eq!(seconds(later, date), Some(30), "{later}");
            assert_eq!(seconds(later, None), None, "no clock of ours is asked");
        }
        // What has passed, and what is far away: the latter is not waited for, as with seconds.
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:07 GMT", date), Some(0));
        let far = parse_retry_after(Some("Thu, 31 Dec 9998 23:59:59 GMT"), date);
        assert!(far.is_some() && pause(0, far).is_none());
        assert_eq!(pause(0, parse_retry_after(Some("Sun, 06 Nov 1994 08:50:38 GMT"), date)), None);
        for junk in [
            "",
            "-1",
            "1.5",
            "soon",
            "99999999999999999999999",
            "Mon, 06 Nov 1994 08:50:07 GMT",
            "Sun, 31 Feb 1994 08:50:07 GMT",
            "Sun, 06 Nov 1994 08:50:07 CET",
            "Sun, 06 Nov 1994 08:50:07 GMT and more",
        ] {
            assert_eq!(seconds(junk, date), None, "{junk}");
        }
        assert_eq!(parse_retry_after(None, date), None);
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT", Some("yesterday")), None);
    }
}
