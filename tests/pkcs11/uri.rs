//! `pkcs11:` URIs against the published list and against p11-kit, the parser that most other programs use.
//!
//! Begin with [`DIFFERENCES`]: every way in which the two may part, each with its reason.

use std::fs;
use std::process::{Command, Stdio};

use countersign_core::PinSource;
use countersign_core::error::Result;
use countersign_core::hexadecimal::hex;
use countersign_core::{ErrorKind, KeyUri};
use countersign_pkcs11::{ObjectType, Pkcs11Uri, UriPin};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::support;

fn parse(text: &str) -> Result<Pkcs11Uri> {
    Pkcs11Uri::parse(&KeyUri::parse(text)?)
}

/// What is in the published list under `valid` or `invalid`.
fn published(list: &str) -> Vec<String> {
    let Some(vectors) = support::vectors() else { return Vec::new() };
    let json = fs::read(vectors.join("rfc7512").join("uris.json")).expect("the list");
    let lists: Value = serde_json::from_slice(&json).expect("JSON");
    let uris: Vec<_> =
        lists[list].as_array().expect("a list").iter().map(|uri| uri.as_str().unwrap().to_owned()).collect();
    assert!(!uris.is_empty(), "{list} is empty");
    uris
}

#[test]
fn the_published_uris_parse_or_are_refused_as_the_list_says() {
    for text in published("valid") {
        // Vendors' attributes are good grammar. To skip one could pick another key: they are refused.
        let vendor = ["vendor-aaa=", "attr="].iter().any(|name| text.contains(name));
        match parse(&text) {
            Ok(_) => assert!(!vendor, "{text} parses"),
            Err(error) => assert!(vendor && error.kind() == ErrorKind::Unsupported, "{text}: {error}"),
        }
    }
    for text in published("invalid") {
        assert_eq!(parse(&text).expect_err(&text).kind(), ErrorKind::BadUri, "{text}");
    }
}

/// One URI with what both made of it, and its pieces, split here anew.
struct Case {
    text: String,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    ours: Result<Pkcs11Uri>,
    theirs: Theirs,
}

impl Case {
    fn new(text: &str, theirs: Theirs) -> Self {
        let rest = text.strip_prefix("pkcs11:").expect("the scheme");
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let pieces = |text: &str, mark| {
            let pieces = text.split(mark).filter(|_| !text.is_empty());
            let pair =
                |piece: &str| piece.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            pieces.map(|piece| pair(piece).unwrap_or_else(|| (piece.to_owned(), String::new()))).collect()
        };
        let (path, query) = (pieces(path, ';'), pieces(query, '&'));
        Self { text: text.to_owned(), path, query, ours: parse(text), theirs }
    }

    fn is(&self, kind: ErrorKind) -> bool {
        self.ours.as_ref().is_err_and(|error| error.kind() == kind)
    }

    /// Ours is refused for its grammar, and the refusal has these words.
    fn bad(&self, words: &str) -> bool {
        self.ours
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::BadUri && error.to_string().contains(words))
    }

    fn all(&self) -> impl Iterator<Item = &(String, String)> {
        self.path.iter().chain(&self.query)
    }

    fn has(&self, names: &[&str], value: impl Fn(&str) -> bool) -> bool {
        self.all().any(|(name, text)| names.contains(&name.as_str()) && value(text))
    }

    fn twice(&self, names: &[&str]) -> bool {
        self.all().filter(|(name, _)| names.contains(&name.as_str())).count() > 1
    }

    /// Both read the same, both find an attribute they do not know, or both refuse.
    fn agrees(&self) -> bool {
        match &self.ours {
            Ok(uri) => self.theirs.read() && fields(uri) == self.theirs.fields,
            Err(error) if error.kind() == ErrorKind::Unsupported => !self.theirs.read(),
            Err(_) => self.theirs.refused(),
        }
    }
}

const PATH: [&str; 13] = [
    "token",
    "manufacturer",
    "serial",
    "model",
    "slot-id",
    "slot-manufacturer",
    "slot-description",
    "library-manufacturer",
    "library-description",
    "library-version",
    "object",
    "id",
    "type",
];
const QUERY: [&str; 4] = ["module-path", "module-name", "pin-value", "pin-source"];

/// How many URIs are made up, the same in each run.
const GENERATED: usize = 6_000;

/// A reason, and whether it explains a case.
type Difference = (&'static str, fn(&Case) -> bool);

/// Each reason with what such a URI looks like. A difference that no line explains fails the test, as does a
/// line that explains none.
const DIFFERENCES: [Difference; 17] = [
    ("p11-kit stops at an empty attribute and drops what follows, so that more keys match", |case| {
        let cosign = case.text.starts_with("pkcs11:;slot-id=");
        case.all().any(|(name, value)| name.is_empty() && value.is_empty())
            && (cosign || case.bad("an attribute is missing"))
    }),
    ("a raw # begins a fragment, which RFC 7512 does not have", |case| {
        case.text.contains('#') && case.bad("raw")
    }),
    ("a raw ; separates in a query for Cosign and is text for p11-kit", |case| {
        case.query.iter().any(|(_, value)| value.contains(';')) && case.bad("raw \";\"")
    }),
    ("p11-kit takes the last of a repeated attribute", |case| {
        PATH.iter().chain(&QUERY).any(|name| case.twice(&[name])) && case.bad("it stands twice")
    }),
    ("p11-kit takes two modules and two PINs", |case| {
        (case.twice(&QUERY[..2]) || case.twice(&QUERY[2..])) && case.bad("it stands beside")
    }),
    (
        "p11-kit takes the PIN before the ?, and what else is on the wrong side as unknown or a vendor's",
        |case| {
            case.path.iter().any(|(name, _)| QUERY.contains(&name.as_str())) && case.bad("it belongs after")
                || case.query.iter().any(|(name, _)| PATH.contains(&name.as_str()))
                    && case.bad("it belongs before")
        },
    ),
    ("p11-kit takes names from drafts of the standard", |case| {
        case.has(&["object-type", "objecttype", "pinfile"], |_| true) && case.is(ErrorKind::Unsupported)
            || case.has(&["type"], |value| value == "secretkey") && case.bad("no object type")
    }),
    ("p11-kit keeps a vendor's attribute in the query for its caller, we have no use for one", |case| {
        let known = |name: &str| PATH.contains(&name) || QUERY.contains(&name);
        case.query.iter().any(|(name, _)| !known(name)) && case.is(ErrorKind::Unsupported)
    }),
    ("p11-kit drops raw blanks, Cosign keeps them", |case| {
        case.text.contains(' ')
            && (case.ours.is_ok()
                || case.bad("letters, digits")
                || case.has(&["slot-id", "library-version", "type"], |value| value.contains(' ')))
    }),
    ("for p11-kit a slot number that overflows wraps, and none is 0", |case| {
        let number =
            |value: &str| value.parse::<u64>().is_err() && value.bytes().all(|byte| byte.is_ascii_digit());
        case.has(&["slot-id"], number) && case.bad("\"slot-id\"")
    }),
    (
        "p11-kit takes no encoded digit or letter where RFC 7512 lists them; RFC 3986 2.3 and Cosign do",
        |case| {
            case.has(&["slot-id", "library-version", "type"], |value| value.contains('%'))
                && !case.theirs.read()
        },
    ),
    ("p11-kit leaves it to its caller that a module is an absolute path or a bare name", |case| {
        case.has(&QUERY[..2], |_| true)
            && case.theirs.read()
            && (case.bad("\"module-path\"") || case.bad("\"module-name\""))
    }),
    ("p11-kit leaves pin-source to its caller", |case| {
        let ours =
            case.ours.as_ref().err().is_some_and(|error| error.to_string().contains("\"pin-source\" at"));
        case.has(&["pin-source"], |_| true) && case.theirs.read() && ours
    }),
    ("p11-kit's mark for no version is 255.255", |case| {
        case.has(&["library-version"], |value| value == "255.255") && case.ours.is_ok()
    }),
    ("p11-kit's strings end at a zero byte, and a field that begins with one is absent", |case| {
        case.all().any(|(_, value)| value.contains("%00")) && !case.theirs.refused()
    }),
    (
        "p11-kit marks what no key can match as unknown: an object type or a name outside the grammar",
        |case| {
            let outside = |name: &str| !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            !case.theirs.read()
                && !case.theirs.refused()
                && (case.has(&["type"], |_| true) && case.bad("no object type")
                    || case.all().any(|(name, _)| outside(name)) && case.bad("letters, digits"))
        },
    ),
    (
        "p11-kit marks a value that is longer than its field as unknown, and so do we by matching nothing",
        |case| {
            let long = |value: &str| value.len() > 16;
            case.has(&PATH, long) && case.ours.is_ok() && !case.theirs.read() && !case.theirs.refused()
        },
    ),
];

/// What somebody may get wrong, or p11-kit read in another way: the cases of each rule, by hand.
const ODD: [&str; 62] = [
    "",
    "?",
    "token=a;",
    ";slot-id=1",
    "token=a;;object=b",
    "token",
    "=a",
    "?=a",
    "token=",
    "object=",
    "id=",
    "token=%00a",
    "token=a b",
    "object=a#b",
    "object=é",
    "object=release+key",
    "object=a%3Bb",
    "object=a&b",
    "object=%E2%82%AC",
    "id=%00%01",
    "id=7370",
    "id=%7f%",
    "id=%zz",
    "token=a%20",
    "token=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "token=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "serial=xxxxxxxxxxxxxxxxx",
    "token=a;token=b",
    "slot-id=",
    "slot-id=+5",
    "slot-id=007",
    "slot-id=18446744073709551616",
    "slot-id=1%31",
    "library-version=3",
    "library-version=3.",
    "library-version=.3",
    "library-version=1.2.3",
    "library-version=256",
    "library-version=0.01",
    "library-version=255.255",
    "type=secret-key",
    "type=secretkey",
    "type=x",
    "type=%63ert",
    "object-type=cert",
    "label=x",
    "x-foo=x",
    "Token=x",
    "tok%65n=x",
    "pin-value=1",
    "module-name=a",
    "?token=a",
    "?pin-value=1&pin-source=/x",
    "?module-path=/a;b",
    "?module-path=/a&module-name=b",
    "?module-path=a",
    "?module-name=a/b",
    "?pin-source=file:/a?b",
    "?pin-source=file:///a%20b",
    "?pin-source=|/bin/pass%20x",
    "?vendor-bbb=x",
    "?pin-source=zz",
];

/// Most are as they should be, a few have one odd name, value or mark.
fn generated() -> impl Strategy<Value = String> {
    let one_of = |names: &[&'static str]| {
        let each: Vec<_> = names.iter().map(|name| attribute(name)).collect();
        prop::strategy::Union::new(each)
    };
    let each: Vec<_> = PATH.iter().map(|name| prop::option::weighted(0.15, attribute(name))).collect();
    let path = each.prop_shuffle().prop_map(|path| path.into_iter().flatten().collect::<Vec<_>>());
    let pair = |names: &[&'static str]| prop::option::weighted(0.4, one_of(names));
    let query = (pair(&QUERY[..2]), pair(&QUERY[2..]))
        .prop_map(|(module, pin)| [module, pin].into_iter().flatten().collect::<Vec<_>>());
    let stray = "(label|x-foo|vendor-1|Token|object-type|pinfile|id |tok%65n)=[a-z]{0,3}|token|".boxed();
    let stray = prop::strategy::Union::new([stray, one_of(&PATH).boxed(), one_of(&QUERY).boxed()]);
    let stray = prop::option::weighted(0.06, (any::<prop::sample::Index>(), stray));
    (path, query, stray.clone(), stray).prop_map(|(mut path, mut query, in_path, in_query)| {
        for (list, stray) in [(&mut path, in_path), (&mut query, in_query)] {
            if let Some((at, piece)) = stray {
                list.insert(at.index(list.len() + 1), piece);
            }
        }
        let mark = if query.is_empty() { "" } else { "?" };
        format!("pkcs11:{}{mark}{}", path.join(";"), query.join("&"))
    })
}

/// `name=value`, the value seldom odd.
fn attribute(name: &'static str) -> BoxedStrategy<String> {
    let (plain, odd) = match name {
        "slot-id" => ("0|00[1-9]|[1-9][0-9]{0,15}", "1844674407370955161[4-6]|[0-9]{21}|-1|%31|1 2|"),
        "library-version" => ("[0-9]{1,2}(\\.[0-9]{1,2})?", "[0-9]{3}\\.[0-9]{1,3}|255\\.255|%31|1\\.|1 2|"),
        "type" => ("public|private|cert|secret-key|data", "secretkey|key|cer%74|Data|"),
        "module-path" => ("/[a-z/.:?|]{0,9}(%20|%C3%A9)?[a-z]", "[a-z./;]{0,4}|/a%00b|/%zz"),
        "module-name" => ("[a-z0-9-]{1,9}(%20x)?", "[a-z./;]{0,4}|a%00b|%2F"),
        "pin-value" => ("([0-9a-zA-Z?/|+=]|%26){0,8}", "1;2|1%002|%zz"),
        "pin-source" => {
            ("(file:|file://)?/[a-z?/]{0,6}[a-z]|env:[A-Z]{1,4}|\\|/[a-z]{1,4}(%20x){0,2}", "[a-z:/;]{0,6}")
        }
        _ => (
            "([a-zA-Z0-9.~:+&='()@,-]|%[1-9a-fA-F][0-9a-fA-F]|%0[1-9]|%C3%A9|€){0,6}",
            "([a-z /\"#]|%00|%zz|%){0,4}|x{15,34}",
        ),
    };
    let value = prop::strategy::Union::new_weighted(vec![(30, plain.boxed()), (1, odd.boxed())]);
    value.prop_map(move |value| format!("{name}={value}")).boxed()
}

/// What p11-kit made of a URI.
struct Theirs {
    code: String,
    unknown: bool,
    fields: Vec<String>,
}

impl Theirs {
    /// Refused by its grammar.
    fn refused(&self) -> bool {
        self.code != "0"
    }

    /// Read, with all of it understood.
    fn read(&self) -> bool {
        !self.refused() && !self.unknown
    }
}

/// The fields of ours in the form of `p11kit_uri.c`.
fn fields(uri: &Pkcs11Uri) -> Vec<String> {
    let bytes = |bytes: Option<&[u8]>| bytes.map_or("-".to_owned(), |bytes| format!("={}", hex(bytes)));
    // PKCS#11 v3.0 3.1, 3.2 and 3.4: padded with blanks.
    let padded = |field: &Option<Vec<u8>>, width: usize| {
        let field = field.clone().map(|mut bytes| {
            bytes.resize(bytes.len().max(width), b' ');
            bytes
        });
        bytes(field.as_deref())
    };
    let (value, source) = match &uri.pin {
        None => (None, None),
        Some(UriPin::Value(secret)) => (Some(secret.expose().to_vec()), None),
        Some(UriPin::Source(PinSource::File(path))) => {
            (None, Some(path.as_os_str().as_encoded_bytes().to_vec()))
        }
        Some(UriPin::Source(PinSource::Variable(name))) => (None, Some(format!("env:{name}").into_bytes())),
        Some(UriPin::Source(PinSource::Command(words))) => {
            (None, Some(format!("|{}", words.join(" ")).into_bytes()))
        }
    };
    // PKCS#11 v3.0, CK_OBJECT_CLASS.
    let class = uri.kind.map(|kind| match kind {
        ObjectType::Data => "0",
        ObjectType::Certificate => "1",
        ObjectType::Public => "2",
        ObjectType::Private => "3",
        ObjectType::SecretKey => "4",
    });
    let (major, minor) = uri.library_version.unwrap_or((255, 255));
    vec![
        padded(&uri.token, 32),
        padded(&uri.manufacturer, 32),
        padded(&uri.serial, 16),
        padded(&uri.model, 16),
        padded(&uri.slot_manufacturer, 32),
        padded(&uri.slot_description, 64),
        padded(&uri.library_manufacturer, 32),
        padded(&uri.library_description, 32),
        bytes(uri.object.as_deref()),
        bytes(uri.id.as_deref()),
        bytes(uri.module_path.as_ref().map(|path| path.as_os_str().as_encoded_bytes())),
        bytes(uri.module_name.as_ref().map(|name| name.as_bytes())),
        bytes(value.as_deref()),
        bytes(source.as_deref()),
        class.unwrap_or("-").to_owned(),
        uri.slot_id.unwrap_or(u64::MAX).to_string(),
        format!("{major}.{minor}"),
    ]
}

/// What p11-kit makes of each URI, or `None` after saying what is missing.
fn p11kit(uris: &[String]) -> Option<Vec<Theirs>> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = directory.path().join("p11kit_uri");
    let mut flags = Command::new("pkg-config");
    let flags = flags.args(["--cflags", "--libs", "p11-kit-1"]).stdin(Stdio::null()).output();
    let Some(flags) = flags.ok().filter(|flags| flags.status.success()) else {
        support::missing("p11-kit (libp11-kit-dev)");
        return None;
    };
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pkcs11/p11kit_uri.c");
    let mut compile = Command::new("cc");
    compile.args(["-Wall", "-Werror", source, "-o"]).arg(&program);
    compile.args(support::stdout(&flags).split_whitespace()).stdin(Stdio::null());
    match compile.output() {
        Ok(output) => assert!(output.status.success(), "{compile:?}: {}", support::stderr(&output)),
        Err(_) => {
            support::missing("cc, a C compiler");
            return None;
        }
    }
    // A file, since a pipe would fill in both directions.
    let input = directory.path().join("uris");
    fs::write(&input, uris.join("\n") + "\n").expect("our own file");
    let output =
        support::succeed(Command::new(&program).stdin(fs::File::open(&input).expect("our own file")));
    let theirs: Vec<_> = support::stdout(&output).lines().map(read_line).collect();
    assert_eq!(theirs.len(), uris.len(), "a line each");
    Some(theirs)
}

fn read_line(line: &str) -> Theirs {
    let mut words = line.split(' ').map(str::to_owned);
    let (code, unknown) = (words.next().expect("a code"), words.next().expect("a mark") == "1");
    let mut fields: Vec<_> = words.collect();
    // Only the path of a file: p11-kit hands the source on as it stands.
    let source = &mut fields[SOURCE];
    for start in ["file:///", "file:/"].map(|start| format!("={}", hex(start.as_bytes()))) {
        if let Some(path) = source.strip_prefix(&start) {
            *source = format!("=2f{path}");
        }
    }
    Theirs { code, unknown, fields }
}

/// Where `pin-source` stands among the fields.
const SOURCE: usize = 13;

#[test]
fn reads_what_p11_kit_reads_but_for_the_differences_listed() {
    let mut uris: Vec<String> = ODD.iter().map(|rest| format!("pkcs11:{rest}")).collect();
    uris.extend(published("valid"));
    uris.extend(published("invalid"));
    let by_hand = uris.len();
    let (mut runner, strategy) = (TestRunner::deterministic(), generated());
    uris.extend((0..GENERATED).map(|_| strategy.new_tree(&mut runner).expect("a URI").current()));
    let Some(theirs) = p11kit(&uris) else { return };
    let (mut unexplained, mut used, mut agreed) = (Vec::new(), [0; DIFFERENCES.len()], 0);
    for (at, (text, theirs)) in uris.iter().zip(theirs).enumerate() {
        let case = Case::new(text, theirs);
        if case.agrees() {
            agreed += usize::from(at >= by_hand && case.ours.is_ok());
            continue;
        }
        match DIFFERENCES.iter().position(|(_, explains)| explains(&case)) {
            Some(line) => used[line] += 1,
            None => unexplained.push(format!(
                "{text}\n   ours: {:?}\n theirs: {} {} {:?}",
                case.ours, case.theirs.code, case.theirs.unknown, case.theirs.fields
            )),
        }
    }
    assert!(unexplained.is_empty(), "{} differ:\n{}", unexplained.len(), unexplained.join("\n"));
    for ((reason, _), used) in DIFFERENCES.iter().zip(used) {
        assert!(used > 0, "no URI shows it: {reason}");
    }
    assert!(agreed > GENERATED / 2, "only {agreed} of {GENERATED} are read by both");
}
