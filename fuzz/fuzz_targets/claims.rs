//! Claims about images in the older layout.

#![no_main]

use countersign::verify::Claims;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Claims::parse(bytes);
});
