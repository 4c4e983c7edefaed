//! E.2 29: what a service may return in place of its key's signature. None of it may leave; each scheme's `faults.rs` asks.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::world::World;

/// Wrong signatures by P-256 over the right file in DER, each with what it is. `own` and `other` are keys of the service.
pub(super) fn der(world: &World, own: &str, other: &str) -> Vec<(&'static str, Vec<u8>)> {
    let (own, other) = (signature(world, own), signature(world, other));
    vec![
        ("of another key", other),
        ("cut short", own[..own.len() - 1].to_vec()),
        ("with a byte after it", [&own[..], &[0]].concat()),
        ("its halves without DER", halves(&own)),
        ("zeros", vec![0x30, 6, 2, 1, 0, 2, 1, 0]),
        ("nothing", Vec::new()),
    ]
}

/// The same where a service returns the two halves, 32 bytes each.
pub(super) fn raw(world: &World, own: &str, other: &str) -> Vec<(&'static str, Vec<u8>)> {
    let (own, other) = (signature(world, own), signature(world, other));
    let half = halves(&own);
    vec![
        ("of another key", halves(&other)),
        ("cut short", half[..63].to_vec()),
        ("with a byte before it", [&[0], &half[..]].concat()),
        ("with a byte after it", [&half[..], &[0]].concat()),
        ("its halves the wrong way round", [&half[32..], &half[..32]].concat()),
        ("in DER", own),
        ("zeros", vec![0; 64]),
        ("nothing", Vec::new()),
    ]
}

/// A changed answer: `field` of its JSON has another text.
pub(super) fn with_field(field: &'static str, text: String) -> impl Fn(String) -> String {
    move |body| {
        let mut json: Value = serde_json::from_str(&body).unwrap();
        assert!(json[field].is_string(), "{body}");
        json[field] = text.clone().into();
        json.to_string()
    }
}

/// A sound one, from a bundle.
fn signature(world: &World, key: &str) -> Vec<u8> {
    world.ok(&["sign-blob", "--tlog-upload=false", "--yes", "--key", key, "--bundle", "sound.json", "blob"]);
    let bundle: Value = serde_json::from_slice(&fs::read(world.path("sound.json")).unwrap()).unwrap();
    STANDARD.decode(bundle["messageSignature"]["signature"].as_str().unwrap()).unwrap()
}

/// `r` and `s` of an Ecdsa-Sig-Value (RFC 3279 2.2.3), each 32 bytes wide.
fn halves(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut number = || {
        let length = usize::from(rest[1]);
        let (bytes, after) = rest[2..].split_at(length);
        rest = after;
        let bytes = &bytes[length.saturating_sub(32)..];
        [&vec![0; 32 - bytes.len()][..], bytes].concat()
    };
    let r = number();
    [r, number()].concat()
}
