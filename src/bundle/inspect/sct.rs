//! Describes the promises of certificate transparency logs that a certificate embeds.

use std::time::Duration;

use x509_cert::der::Decode;
use x509_cert::der::asn1::OctetStringRef;

use super::outline::{Outline, hex, present, unreadable};
use super::timestamp::utc;

const TRUNCATED: &str = "it ends early";

/// RFC 6962 3.2, version 1.
struct Sct<'a> {
    log_id: &'a [u8],
    since_epoch: Duration,
    extensions_len: usize,
    signature_len: usize,
}

pub(super) fn describe(outline: &mut Outline, extension_der: &[u8]) {
    const LABEL: &str = "Signed Certificate Timestamps";
    let list = match OctetStringRef::from_der(extension_der) {
        Ok(list) => list,
        Err(cause) => return outline.line(LABEL, unreadable(cause)),
    };
    match parse_list(list.as_bytes()) {
        Err(why) => outline.line(LABEL, unreadable(why)),
        Ok(scts) => outline.group(LABEL, scts.len(), |outline| {
            for (index, sct) in scts.iter().enumerate() {
                outline.group(&format!("Signed Certificate Timestamp [{index}]"), "", |outline| {
                    describe_one(outline, sct);
                });
            }
        }),
    }
}

fn describe_one(outline: &mut Outline, sct: &Sct<'_>) {
    outline.line("Version", "v1");
    outline.line("Log ID", hex(sct.log_id));
    outline.line("Timestamp", utc(sct.since_epoch));
    match sct.extensions_len {
        0 => outline.line("Extensions", "none"),
        len => outline.line("Extensions", format!("{len} bytes")),
    }
    outline.line("Signature", present(sct.signature_len));
}

/// RFC 6962 3.3: a list of lists in the TLS presentation language (RFC 5246 4), lengths in two bytes.
fn parse_list(mut bytes: &[u8]) -> Result<Vec<Sct<'_>>, &'static str> {
    let mut list = take_vector(&mut bytes)?;
    expect_end(bytes)?;
    let mut scts = Vec::new();
    while !list.is_empty() {
        scts.push(parse_one(take_vector(&mut list)?)?);
    }
    Ok(scts)
}

fn parse_one(mut bytes: &[u8]) -> Result<Sct<'_>, &'static str> {
    if take(&mut bytes, 1)? != [0] {
        return Err("of another version than v1");
    }
    let log_id = take(&mut bytes, 32)?;
    let millis = take(&mut bytes, 8)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    let extensions_len = take_vector(&mut bytes)?.len();
    take(&mut bytes, 2)?; // the hash and signature algorithm
    let signature_len = take_vector(&mut bytes)?.len();
    expect_end(bytes)?;
    Ok(Sct { log_id, since_epoch: Duration::from_millis(millis), extensions_len, signature_len })
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], &'static str> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(TRUNCATED)?;
    *bytes = rest;
    Ok(taken)
}

fn take_vector<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let len = take(bytes, 2)?.iter().fold(0, |value, byte| value << 8 | usize::from(*byte));
    take(bytes, len)
}

fn expect_end(rest: &[u8]) -> Result<(), &'static str> {
    if rest.is_empty() { Ok(()) } else { Err("bytes follow its end") }
}
