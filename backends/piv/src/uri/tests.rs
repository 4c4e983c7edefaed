//! URIs that are read, and those that are refused: each with its reason, none with its secrets.

use countersign_core::conformance::World;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<PivUri> {
    PivUri::parse(&KeyUri::parse(text).unwrap(), &World::default().context())
}

#[test]
fn reads_every_attribute() {
    let uri = parse("piv:slot=9a;serial=5551234;reader=Yubico%20YubiKey%20%3B1?pin-source=file:/run/pin&public-key=a%26b.pub&pin-policy=once&touch-policy=cached").unwrap();
    let expected = PivUri {
        slot: Slot::parse("9a"),
        serial: Some(5_551_234),
        reader: Some("Yubico YubiKey ;1".to_owned()),
        pin: Some(PinSource::File("/run/pin".into())),
        public_key: Some("a&b.pub".into()),
        pin_policy: Some(PinPolicy::Once),
        touch_policy: Some(TouchPolicy::Cached),
    };
    assert_eq!(uri, expected);
    for name in ["9c", "9C", "signature"] {
        assert_eq!(parse(&format!("yubikey:slot={name}")).unwrap().slot(), Slot::SIGNATURE);
    }
    assert_eq!(parse("piv:").unwrap().slot(), Slot::SIGNATURE);
    assert_eq!(parse("piv:pin-source=env:A_1").unwrap().pin, Some(PinSource::Variable("A_1".to_owned())));
    for form in ["/p/a", "file:///p/a", "file://localhost/p/a", "file:/p/a"] {
        assert_eq!(
            parse(&format!("piv:pin-source={form}")).unwrap().pin,
            Some(PinSource::File("/p/a".into()))
        );
    }
    let command = Some(PinSource::Command(vec!["/bin/pass".to_owned(), "piv".to_owned()]));
    assert_eq!(parse("piv:?pin-source=|/bin/pass%20%20piv").unwrap().pin, command);
}

#[test]
fn prints_what_reads_back_to_the_same_key() {
    for text in ["piv:slot=9c;serial=1", "piv:slot=82;reader=A%20%C3%A9%3B%26%3F%231", "piv:slot=9e"] {
        let uri = parse(text).unwrap();
        assert_eq!(uri.to_string(), text);
        assert_eq!(parse(&uri.to_string()).unwrap(), uri);
    }
    let secretive = parse("piv:slot=9c?pin-source=|/bin/echo%20123456").unwrap();
    assert_eq!(secretive.to_string(), "piv:slot=9c");
}

#[test]
fn refuses_what_it_does_not_understand() {
    for (text, kind, words) in [
        ("piv:slot=9b", ErrorKind::BadUri, "no slot"),
        ("piv:slot=f9", ErrorKind::BadUri, "no slot"),
        ("piv:slot=", ErrorKind::BadUri, "no slot"),
        ("piv:serial=", ErrorKind::BadUri, "decimal"),
        ("piv:serial=+1", ErrorKind::BadUri, "decimal"),
        ("piv:serial=4294967296", ErrorKind::BadUri, "decimal"),
        ("piv:serial=0x10", ErrorKind::BadUri, "decimal"),
        ("piv:slot=9a;slot=9c", ErrorKind::BadUri, "twice"),
        ("piv:slot=9a?slot=9a", ErrorKind::BadUri, "twice"),
        ("piv:label=x", ErrorKind::Unsupported, "no such attribute"),
        ("piv:Slot=9a", ErrorKind::Unsupported, "no such attribute"),
        ("piv:pin-value=123456", ErrorKind::Unsupported, "no such attribute"),
        ("piv:slot=9a;", ErrorKind::BadUri, "missing"),
        ("piv:;slot=9a", ErrorKind::BadUri, "missing"),
        ("piv:slot=9a&serial=1", ErrorKind::BadUri, "no slot"),
        ("piv:9a", ErrorKind::BadUri, "no \"=\""),
        ("piv:=9a", ErrorKind::BadUri, "name"),
        ("piv:reader=", ErrorKind::BadUri, "empty"),
        ("piv:reader=a%zz", ErrorKind::BadUri, "hexadecimal"),
        ("piv:reader=a%", ErrorKind::BadUri, "hexadecimal"),
        ("piv:reader=%ff", ErrorKind::BadUri, "UTF-8"),
        ("piv:reader=a%0Ab", ErrorKind::BadUri, "control"),
        ("piv:slot=9a#x", ErrorKind::BadUri, "raw"),
        ("piv://slot=9a", ErrorKind::BadUri, "slashes"),
        ("piv:pin-policy=often", ErrorKind::BadUri, "PIN policy"),
        ("piv:touch-policy=once", ErrorKind::BadUri, "touch policy"),
        ("piv:pin-source=123456", ErrorKind::Unsupported, "no form"),
        ("piv:pin-source=env:1A", ErrorKind::Unsupported, "name of a variable"),
        ("piv:pin-source=|pass", ErrorKind::Unsupported, "absolute"),
        ("piv:pin-source=file:pin", ErrorKind::Unsupported, "absolute path"),
        ("piv:pin-source=file:/a%2525b", ErrorKind::BadUri, "twice"),
        ("piv:public-key=", ErrorKind::BadUri, "empty"),
    ] {
        let error = parse(text).unwrap_err();
        let whole = format!("{error} / {}", error.next_step().unwrap_or_default());
        assert_eq!(error.kind(), kind, "{text}: {whole}");
        assert!(whole.contains(words), "{text}: {whole}");
    }
}

#[test]
fn a_secret_in_the_wrong_place_does_not_show() {
    for text in
        ["piv:pin-value=135790", "piv:pin=135790", "piv:pin-value=13;5790", "yubikey:slot=9c?pin=135790"]
    {
        let error = parse(text).unwrap_err();
        let shown = format!("{error:?} {:?} {:?}", error.next_step(), error.key());
        assert!(!shown.contains("135790") && !shown.contains("5790"), "{shown}");
    }
    // The value of pin-source= is no secret, unless a PIN was put there; the reason at least does not repeat it.
    let error = parse("piv:pin-source=135790").unwrap_err();
    assert!(!error.cause().unwrap().contains("135790"));
}

#[test]
fn data_may_not_say_where_a_pin_comes_from() {
    let world = World::default();
    let context = OpenContext { trust: TrustLevel::Data, ..world.context() };
    let parse = |text: &str| PivUri::parse(&KeyUri::parse(text).unwrap(), &context);
    for source in ["env:PIN", "/run/pin", "|/bin/pass"] {
        assert_eq!(parse(&format!("piv:?pin-source={source}")).unwrap_err().kind(), ErrorKind::Denied);
    }
    parse("piv:slot=9c;serial=1").unwrap();
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(piv|yubikey):[ -~é]{0,60}") {
        if let Ok(uri) = KeyUri::parse(&text)
            && let Ok(parsed) = PivUri::parse(&uri, &World::default().context())
        {
            let again = parse(&parsed.to_string()).unwrap();
            prop_assert_eq!((again.slot(), again.serial, again.reader), (parsed.slot(), parsed.serial, parsed.reader));
        }
    }
}
