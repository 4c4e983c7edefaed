//! Any bytes are a private key or refused. The password is never given: what follows it costs time by design.
#![no_main]

use countersign_core::{Error, ErrorKind, local_key};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = local_key::parse(bytes, || Err(Error::new(ErrorKind::PinRequired, "none given")));
});
