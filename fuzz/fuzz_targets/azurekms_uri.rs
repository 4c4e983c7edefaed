//! Any Azure URI parses or is refused; what parses prints in a form that parses to the same, and its parts are no paths.
#![no_main]

use countersign_azurekms::AzureUri;
use countersign_core::KeyUri;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let parse = |text: &str| AzureUri::parse(&KeyUri::parse(text)?);
    if let Ok(uri) = parse(&format!("azurekms://{text}")) {
        assert_eq!(parse(&uri.to_string()).expect("the printed form parses"), uri);
        assert!(!uri.key.contains(['%', '?', '.', '@', '/']));
        assert!(uri.version.is_none_or(|version| !version.contains(['%', '?', '.', '@', '/'])));
        assert!(!uri.host.contains(['/', '@', '%', '?', '#']));
    }
});
