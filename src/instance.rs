//! What a Sigstore instance consists of, written down for its verifiers ([`trusted_root`]) and its signers ([`signing_config`]).
//! Each part is described by a [`spec::Spec`].

pub mod signing_config;
pub mod spec;
pub mod trusted_root;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde_json::{Value, json};

/// A time in protobuf's JSON: RFC 3339 in UTC with no fraction, or one of three, six or nine digits.
fn time(time: Timestamp) -> String {
    let precision = match time.subsec_nanosecond() {
        0 => 0,
        nanoseconds if nanoseconds % 1_000_000 == 0 => 3,
        nanoseconds if nanoseconds % 1_000 == 0 => 6,
        _ => 9,
    };
    DateTimePrinter::new().precision(Some(precision)).timestamp_to_string(&time)
}

/// A period in protobuf's JSON.
fn period(start: Timestamp, end: Option<Timestamp>) -> Value {
    let mut period = json!({ "start": time(start) });
    if let Some(end) = end {
        period["end"] = json!(time(end));
    }
    period
}
