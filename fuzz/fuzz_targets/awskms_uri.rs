//! Any AWS URI parses or is refused; what parses prints in a form that parses to the same, and its key is no path.
#![no_main]

use countersign_awskms::AwsUri;
use countersign_core::KeyUri;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let parse = |text: &str| AwsUri::parse(&KeyUri::parse(text)?);
    if let Ok(uri) = parse(&format!("awskms://{text}")) {
        assert_eq!(parse(&uri.to_string()).expect("the printed form parses"), uri);
        assert!(!uri.key.contains(['%', '?', '.', '@']));
        assert!(uri.host.is_none_or(|host| !host.contains(['/', '@', '%', '?'])));
    }
});
