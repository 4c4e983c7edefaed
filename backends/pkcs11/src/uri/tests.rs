//! The cases of the grammar, each accept with its refusals, and what holds for any text.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Pkcs11Uri> {
    Pkcs11Uri::parse(&KeyUri::parse(text)?)
}

fn read(text: &str) -> Pkcs11Uri {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The URI is refused with this kind, and cause and hint together have these words.
fn refused(text: &str, kind: ErrorKind, words: &[&str]) {
    let error = parse(text).expect_err(text);
    assert_eq!(error.kind(), kind, "{text}: {error}");
    let said = format!("{error}\n{}", error.next_step().unwrap_or(""));
    for word in words {
        assert!(said.contains(word), "{text}: {word:?} is not in {said:?}");
    }
}

#[test]
fn reads_every_attribute() {
    let uri = read(
        "pkcs11:type=private;id=%00%01%ff;object=release;library-version=2.40;library-description=d;\
         library-manufacturer=m;slot-description=sd;slot-manufacturer=sm;slot-id=7;model=v2;serial=01;\
         manufacturer=Snake%20Oil,%20Inc.;token=ci?module-path=/a%20b.so&pin-value=1234",
    );
    let text = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(uri.token, text("ci"));
    assert_eq!(uri.manufacturer, text("Snake Oil, Inc."));
    assert_eq!((uri.serial, uri.model), (text("01"), text("v2")));
    assert_eq!(uri.slot_id, Some(7));
    assert_eq!((uri.slot_manufacturer, uri.slot_description), (text("sm"), text("sd")));
    assert_eq!((uri.library_manufacturer, uri.library_description), (text("m"), text("d")));
    assert_eq!(uri.library_version, Some((2, 40)));
    assert_eq!((uri.object, uri.id), (text("release"), Some(vec![0, 1, 0xff])));
    assert_eq!(uri.kind, Some(ObjectType::Private));
    assert_eq!(uri.module_path, Some("/a b.so".into()));
    assert_eq!(uri.pin, Some(UriPin::Value(Secret::new(b"1234".to_vec()))));
    assert_eq!(read("pkcs11:?module-name=softhsm2").module_name.as_deref(), Some("softhsm2"));
    for kind in ObjectType::ALL {
        assert_eq!(read(&format!("pkcs11:type={}", kind.name())).kind, Some(kind));
    }
}

#[test]
fn an_empty_uri_matches_everything_and_an_empty_value_only_what_is_empty() {
    for text in ["pkcs11:", "pkcs11:?"] {
        assert_eq!(read(text), Pkcs11Uri::default());
    }
    assert_eq!(read("pkcs11:token=").token, Some(Vec::new()));
    assert_eq!(read("pkcs11:?pin-value=").pin, Some(UriPin::Value(Secret::new(Vec::new()))));
}

#[test]
fn values_are_split_first_and_decoded_once() {
    for (value, bytes) in [
        ("release+key", &b"release+key"[..]),
        ("a%2Bb", b"a+b"),
        ("a%3Bb", b"a;b"),
        ("a%3bb", b"a;b"),
        ("a&b=c", b"a&b=c"),
        ("%E2%82%AC", "€".as_bytes()),
        ("€", "€".as_bytes()),
        ("a b\"<>^`{|}\\/", b"a b\"<>^`{|}\\/"),
        (":[]@!$'()*+,=&", b":[]@!$'()*+,=&"),
        ("%2520", b"%20"),
        ("%FF%00", b"\xff\0"),
        ("token=x", b"token=x"),
    ] {
        assert_eq!(read(&format!("pkcs11:object={value}")).object.unwrap(), bytes, "{value}");
    }
    assert_eq!(read("pkcs11:id=7370").id.unwrap(), b"7370", "digits are ASCII, not hexadecimal");
    let long = "x".repeat(33);
    assert_eq!(read(&format!("pkcs11:token={long}")).token.unwrap().len(), 33, "no match is no error");
    assert_eq!(read("pkcs11:?module-path=/a?b/c|d").module_path, Some("/a?b/c|d".into()));
    assert_eq!(read("pkcs11:object=a?").object.unwrap(), b"a");
}

#[test]
fn accepts_what_cosign_prints() {
    let uri = read("pkcs11:;slot-id=0;id=%01%0a;object=a&b?module-path=/usr/lib/m.so&pin-value=1234");
    assert_eq!((uri.slot_id, uri.id), (Some(0), Some(vec![1, 10])));
    assert_eq!(uri.object.unwrap(), b"a&b");
    refused("pkcs11:;token=a", ErrorKind::BadUri, &["at byte 7"]);
    refused("pkcs11:;;slot-id=1", ErrorKind::BadUri, &["at byte 7"]);
}

#[test]
fn refuses_broken_syntax_and_says_where() {
    for (text, words) in [
        ("pkcs11:token=a;", &["at byte 15", "\";\""][..]),
        ("pkcs11:token=a;;object=b", &["at byte 15"]),
        ("pkcs11:token=a?module-name=b&", &["at byte 29", "\"&\""]),
        ("pkcs11:token=a?&module-name=b", &["at byte 15"]),
        ("pkcs11:token", &["at byte 7", "no \"=\"", "%3B"]),
        ("pkcs11:?module-name", &["at byte 8", "%26"]),
        ("pkcs11:=a", &["at byte 7"]),
        ("pkcs11:tok%65n=a", &["at byte 7", "letters, digits"]),
        ("pkcs11:id=%7f%", &["\"id\" at byte 7", "the % at byte 13", "%25"]),
        ("pkcs11:token=ci;id=%zz", &["\"id\" at byte 16", "the % at byte 19"]),
        ("pkcs11:id=%é", &["the % at byte 10"]),
        ("pkcs11:id=%+1", &["the % at byte 10"]),
        ("pkcs11:token=a#b", &["at byte 14", "%23"]),
        ("pkcs11:?module-name=a;pin-value=1", &["\"module-name\" at byte 8", "%3B"]),
        ("pkcs11://token=a", &["slashes"]),
        ("pkcs11:token=a;token=b", &["\"token\" at byte 15", "contradicting"]),
        ("pkcs11:?pin-value=1&pin-value=1", &["contradicting"]),
        ("pkcs11:?pin-value=1&pin-source=/p", &["pin-value", "\"pin-source\" at byte 20", "contradicting"]),
        ("pkcs11:?module-name=a&module-path=/a", &["module-name", "\"module-path\"", "contradicting"]),
        ("pkcs11:pin-value=1234", &["\"pin-value\" at byte 7", "after the \"?\""]),
        ("pkcs11:pin-source=/p", &["after the \"?\""]),
        ("pkcs11:module-path=/m", &["after the \"?\""]),
        ("pkcs11:?token=a", &["before the \"?\"", "pkcs11:token="]),
    ] {
        refused(text, ErrorKind::BadUri, words);
    }
}

#[test]
fn refuses_values_that_are_none() {
    for (name, values) in [
        ("slot-id", &["", "foo", "+5", "-1", "0x1", "1 ", "18446744073709551616"][..]),
        ("library-version", &["", "foo", "1.bar", "3.", ".3", ".", "1.2.3", "256", "1.256", "+1", "1.-2"]),
        ("type", &["", "fobbar", "Private", "certificate", "secretkey", "%ff"]),
    ] {
        for value in values {
            refused(&format!("pkcs11:{name}={value}"), ErrorKind::BadUri, &[name, "at byte 7"]);
        }
    }
    for (text, version) in [("3", (3, 0)), ("1.23", (1, 23)), ("255.255", (255, 255)), ("0.01", (0, 1))] {
        assert_eq!(read(&format!("pkcs11:library-version={text}")).library_version, Some(version));
    }
    assert_eq!(read("pkcs11:slot-id=18446744073709551615").slot_id, Some(u64::MAX));
    refused("pkcs11:type=certificate", ErrorKind::BadUri, &["public, private, cert, secret-key, data"]);
    for path in ["", "m.so", "./m.so", "../m", "/m%00"] {
        refused(&format!("pkcs11:?module-path={path}"), ErrorKind::BadUri, &["\"module-path\" at byte 8"]);
    }
    refused("pkcs11:?module-path=m.so", ErrorKind::BadUri, &["absolute", "whole path"]);
    for name in ["", ".", "..", "a/b", "/a", "..%2Fa", "%00", "%ff"] {
        refused(&format!("pkcs11:?module-name={name}"), ErrorKind::BadUri, &["\"module-name\" at byte 8"]);
    }
}

#[test]
fn refuses_unknown_attributes_and_names_the_one_meant() {
    for (text, hint) in [
        ("pkcs11:label=a", "did you mean object=?"),
        ("pkcs11:cert=a", "did you mean type=cert?"),
        ("pkcs11:Token=a", "did you mean token=?"),
        ("pkcs11:tokn=a", "did you mean token=?"),
        ("pkcs11:slot_id=1", "did you mean slot-id=?"),
        ("pkcs11:ID=a", "did you mean id=?"),
        ("pkcs11:object-type=cert", "did you mean type=?"),
        ("pkcs11:?PIN-VALUE=1", "did you mean pin-value=?"),
        ("pkcs11:?pinfile=/p", "did you mean pin-source=?"),
        ("pkcs11:?modulepath=/p", "did you mean module-path=?"),
        ("pkcs11:x-foo=a", "the attributes are token, manufacturer"),
        ("pkcs11:object=a;vendor-aaa=b", "the attributes are"),
        ("pkcs11:object=a?vendor-bbb=b&vendor-bbb=c", "the attributes are"),
    ] {
        refused(text, ErrorKind::Unsupported, &["unknown", "at byte", hint]);
    }
    refused("pkcs11:object=a;x-foo=b", ErrorKind::Unsupported, &["\"x-foo\" at byte 16"]);
}

#[test]
fn reads_the_forms_of_pin_source() {
    let file = |path: &str| PinSource::File(path.into());
    let words = |words: &[&str]| PinSource::Command(words.iter().map(|word| (*word).to_owned()).collect());
    for (value, source) in [
        ("file:/etc/token", file("/etc/token")),
        ("file:/a?b", file("/a?b")),
        ("file:///a%20b", file("/a b")),
        ("file:///a b", file("/a b")),
        ("file://localhost/a", file("/a")),
        ("file:%2Fa", file("/a")),
        ("/run/pin", file("/run/pin")),
        ("/a%25b", file("/a%b")),
        ("/a%2520b", file("/a%20b")),
        ("env:CI_PIN", PinSource::Variable("CI_PIN".to_owned())),
        ("|/bin/pass%20x", words(&["/bin/pass", "x"])),
        ("%7C/bin/pass x  -y", words(&["/bin/pass", "x", "-y"])),
        ("|/bin/sh -c 'echo $A'", words(&["/bin/sh", "-c", "'echo", "$A'"])),
    ] {
        assert_eq!(
            read(&format!("pkcs11:?pin-source={value}")).pin.unwrap(),
            UriPin::Source(source),
            "{value}"
        );
    }
}

#[test]
fn refuses_other_forms_of_pin_source_and_lists_the_known_without_the_value() {
    for value in [
        "",
        "13579",
        "run/pin",
        "file:",
        "file:run/pin",
        "file://host/run",
        "file://localhostx/r",
        "env:",
        "env:A/B",
        "env:1A",
        "env://A",
        "|",
        "|pass x",
        "| /bin/pass",
        "builtin-dialog",
        "https://a/b",
        "FILE:/a",
    ] {
        let text = format!("pkcs11:?pin-source={value}");
        refused(&text, ErrorKind::Unsupported, &["\"pin-source\" at byte 8", "env:NAME", "pin-value="]);
        let error = parse(&text).unwrap_err();
        let ours = error.cause().unwrap().replace("file: URI", "").replace("what follows env: is", "");
        assert!(value.len() < 5 || !ours.contains(value), "{value}: {ours}");
    }
    for value in ["file:/a%25b", "file:///a%2520b", "/a%00b", "|/bin/a%00", "|/bin/%ff"] {
        refused(&format!("pkcs11:?pin-source={value}"), ErrorKind::BadUri, &["\"pin-source\" at byte 8"]);
    }
}

#[test]
fn prints_one_form_without_the_pin() {
    for (text, shown) in [
        ("pkcs11:", "pkcs11:"),
        ("pkcs11:?pin-value=1234", "pkcs11:"),
        (
            "pkcs11:type=cert;id=a%01;object=a+b&c;library-version=3;slot-id=007;token=%41 €?pin-source=/p",
            "pkcs11:token=A%20%E2%82%AC;slot-id=7;library-version=3.0;object=a%2Bb%26c;id=%61%01;type=cert",
        ),
        ("pkcs11:token=?module-path=/a:b/c+d", "pkcs11:token=?module-path=/a:b/c%2Bd"),
        ("pkcs11:?module-name=soft%20hsm", "pkcs11:?module-name=soft%20hsm"),
    ] {
        assert_eq!(read(text).to_string(), shown);
    }
}

/// Every URI that can be parsed, apart from its PIN.
fn any_uri() -> impl Strategy<Value = Pkcs11Uri> {
    let bytes = || prop::option::weighted(0.4, prop::collection::vec(any::<u8>(), 0..12));
    let module = prop::option::weighted(
        0.5,
        prop_oneof![
            "/[^\\x00-\\x1f\\x7f]{0,20}".prop_map(|path| (Some(PathBuf::from(path)), None)),
            "[^/\\x00]{1,12}"
                .prop_filter("no directory", |name| name != "." && name != "..")
                .prop_map(|name| (None, Some(name))),
        ],
    );
    let texts = prop::collection::vec(bytes(), 10);
    let kind = prop::option::of(prop::sample::select(&ObjectType::ALL[..]));
    (texts, any::<Option<u64>>(), any::<Option<(u8, u8)>>(), kind, module).prop_map(
        |(mut texts, slot_id, library_version, kind, module)| {
            let mut next = || texts.pop().flatten();
            let (module_path, module_name) = module.unwrap_or_default();
            Pkcs11Uri {
                token: next(),
                manufacturer: next(),
                serial: next(),
                model: next(),
                slot_id,
                slot_manufacturer: next(),
                slot_description: next(),
                library_manufacturer: next(),
                library_description: next(),
                library_version,
                object: next(),
                id: next(),
                kind,
                module_path,
                module_name,
                pin: None,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn what_is_printed_parses_back_equal(uri in any_uri()) {
        let shown = uri.to_string();
        prop_assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()));
        prop_assert_eq!(parse(&shown).unwrap(), uri, "{}", shown);
    }

    #[test]
    fn any_text_parses_or_is_refused(
        text in "\\PC{0,60}|((token|id|object|type|slot-id|library-version|x)=[-a-f0-9%.&]{0,6};?){0,4}\
                 (\\?((pin-value|pin-source|module-path|module-name)=(file:|env:|\\|)?[/a-z%0-9?;]{0,8}&?){0,3})?"
    ) {
        if let Ok(mut uri) = parse(&format!("pkcs11:{text}")) {
            let again = parse(&uri.to_string()).unwrap();
            uri.pin = None;
            prop_assert_eq!(again, uri);
        }
    }

    /// In whatever way the URI around it is wrong, with every character that may stand raw in the value.
    #[test]
    fn a_pin_never_shows(pin in "[A-Z0-9!$'()*+,=:@\\[\\]|?/~]{3,12}", at in 0..10_usize) {
        let pin = format!("Q{pin}Q");
        let text = [
            format!("pkcs11:token=a?pin-value={pin}"),
            format!("pkcs11:token=a?pin-value={pin}&module-name=m"),
            format!("pkcs11:token=a?pin-value={pin}&pin-value={pin}"),
            format!("pkcs11:token=a?pin-value={pin}&pin-source=/a"),
            format!("pkcs11:token=a?pin-value={pin}%zz"),
            format!("pkcs11:token=a?pin-value={pin};module-name=m"),
            format!("pkcs11:token=a;;?pin-value={pin}"),
            format!("pkcs11:token=a?pin-value={pin}&label=x"),
            format!("pkcs11:token=a;pin-value={}?module-name=m", pin.replace('?', "&")),
            format!("pkcs11:token=a?Pin-Value={pin}"),
        ][at].clone();
        let shown = match parse(&text) {
            Ok(uri) => format!("{uri} {uri:?}"),
            Err(error) => format!("{error} {error:?} {:?} {:?}", error.next_step(), error.key()),
        };
        // A piece of it is as bad: nothing between the marks shows, and they are found nowhere else.
        prop_assert!(!shown.contains('Q'), "{} shows {}", text, shown);
    }
}

/// RFC 7512 2.3: a raw `&` ends the value, so what follows may be the rest of a PIN and is not shown.
#[test]
fn the_rest_of_a_pin_with_a_raw_mark_never_shows() {
    for rest in
        ["&hidden=9", "&hidden=9;8", "&hidden", "&hidden%", "&=hidden", "&hid.den=1&object=x", ";hidden=9"]
    {
        let uri = KeyUri::parse(&format!("pkcs11:object=x?pin-value=12{rest}")).unwrap();
        let error = Pkcs11Uri::parse(&uri).unwrap_err();
        let said = format!("{error} {:?} {uri} {uri:?}", error.next_step());
        assert!(!said.contains("hid"), "{rest}: {said}");
    }
}
