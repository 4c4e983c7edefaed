//! Any Vault URI parses or is refused; what parses prints in a form that parses to the same, and walks through no path.
#![no_main]

use countersign_core::KeyUri;
use countersign_hashivault::VaultUri;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let parse = |text: &str| VaultUri::parse(&KeyUri::parse(text)?);
    if let Ok(uri) = parse(&format!("hashivault://{text}")) {
        assert_eq!(parse(&uri.to_string()).expect("the printed form parses"), uri);
        let segments = [&uri.mount, &uri.namespace].into_iter().flatten().flat_map(|path| path.split('/'));
        assert!(segments.into_iter().all(|segment| !["", ".", ".."].contains(&segment)));
        assert!(!uri.key.contains(['/', '%', '?']));
    }
});
