//! Any PKCS#11 URI parses or is refused; what parses prints in a form that parses to the same.
#![no_main]

use countersign_core::KeyUri;
use countersign_pkcs11::Pkcs11Uri;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let parse = |text: &str| Pkcs11Uri::parse(&KeyUri::parse(text)?);
    if let Ok(mut uri) = parse(&format!("pkcs11:{text}")) {
        let shown = uri.to_string();
        // `%XX` is three bytes for one, so what is printed may be longer than a `KeyUri` may be.
        if shown.len() <= 8 * 1024 {
            uri.pin = None;
            assert_eq!(parse(&shown).expect("the printed form parses"), uri);
        }
    }
});
