//! Any PIV URI parses or is refused; what parses prints in a form that names the same key.
#![no_main]

use countersign_core::conformance::World;
use countersign_core::KeyUri;
use countersign_piv::PivUri;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let world = World::default();
    let parse = |text: &str| PivUri::parse(&KeyUri::parse(text)?, &world.context());
    if let Ok(uri) = parse(&format!("piv:{text}")) {
        let shown = uri.to_string();
        if shown.len() <= 8 * 1024 {
            let again = parse(&shown).expect("the printed form parses");
            assert_eq!(again.to_string(), shown);
            assert_eq!((again.serial, again.reader), (uri.serial, uri.reader));
        }
    }
});
