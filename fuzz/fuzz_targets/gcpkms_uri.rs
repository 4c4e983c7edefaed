//! Any Cloud KMS URI parses or is refused; what parses prints in a form that parses to the same, and its names are no path tricks.
#![no_main]

use countersign_core::KeyUri;
use countersign_gcpkms::GcpUri;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let parse = |text: &str| GcpUri::parse(&KeyUri::parse(text)?);
    if let Ok(uri) = parse(&format!("gcpkms://{text}")) {
        assert_eq!(parse(&uri.to_string()).expect("the printed form parses"), uri);
        for name in [Some(uri.project), Some(uri.location), uri.ring, uri.key].into_iter().flatten() {
            assert!(!name.is_empty() && name != ".." && !name.contains(['%', '?', '/', '@', '#']));
        }
    }
});
