//! Any PKCS#11 URI parses or is refused; what parses prints in a form that parses to the same.
#![no_main]

use countersign_core::KeyUri;
use countersign_pkcs11::Pkcs11Uri;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let parse = |text: &str| Pkcs11Uri::parse(&KeyUri::parse(text)?);
    if let Ok(uri) = parse(&format!("pkcs11:{text}")) {
        let shown = uri.to_string();
        let back = parse(&shown).expect("the canonical form parses");
        assert_eq!(back.to_string(), shown);
    }
});
