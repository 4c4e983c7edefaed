//! `trusted-root create` and `signing-config create`: what is refused, and that nothing is written then.

use super::world::{World, openssl};

const LOG: &str = "url=https://log,public-key=key.pub,start-time=2025-01-01T00:00:00Z";

/// A world with a root and a chain in both orders.
fn world() -> Option<World> {
    let world = World::new()?;
    let new = ["req", "-x509", "-new", "-key", "/dev/stdin", "-days", "9", "-subj"];
    let pem = |subject: &str| openssl(&[&new[..], &[subject]].concat(), &world.read("key.pem"));
    let (one, other) = (pem("/CN=one"), pem("/CN=other"));
    world.write("one.pem", &one);
    world.write("broken-chain.pem", one + &other);
    world.write("junk", "junk");
    Some(world)
}

#[test]
fn a_trusted_root_of_damaged_parts_is_not_written() {
    let Some(world) = world() else { return };
    let log = |change: (&str, &str)| LOG.replace(change.0, change.1);
    let authority = |file: &str| format!("url=https://ca,certificate-chain={file}");
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("--rekor", log(("url=https://log,", "")), &["cannot use --rekor", "the field url is missing"]),
        ("--rekor", log(("https://log", "log")), &["url=log", "https://log.example.com"]),
        ("--rekor", log((",start-time=2025-01-01T00:00:00Z", "")), &["the field start-time is missing"]),
        (
            "--rekor",
            log(("2025-01-01T00:00:00Z", "yesterday")),
            &["start-time=yesterday is no time", "RFC 3339"],
        ),
        ("--rekor", format!("{LOG},end-time=2024-01-01T00:00:00Z"), &["not after its start"]),
        ("--rekor", format!("{LOG},surprise=1"), &["there is no field \"surprise\"", "public-key"]),
        ("--rekor", format!("{LOG},url=https://other"), &["the field url stands twice"]),
        ("--rekor", format!("{LOG},url"), &["\"url\" is no name=value"]),
        ("--ctfe", log(("key.pub", "key.pem")), &["cannot use the public key key.pem"]),
        ("--ctfe", log(("key.pub", "absent")), &["absent", "no such file"]),
        ("--ctfe", log(("key.pub", "junk")), &["cannot use the public key junk"]),
        ("--fulcio", authority("junk"), &["cannot use the certificates junk"]),
        ("--fulcio", authority("broken-chain.pem"), &["CN=one was not issued by CN=other", "the root last"]),
        ("--tsa", authority("one.pem"), &["does not begin with the certificate that signs timestamps"]),
        ("--tsa", "url=https://tsa".to_owned(), &["the field certificate-chain is missing"]),
    ];
    for (flag, value, words) in cases {
        world.refuse(&["trusted-root", "create", "--out", "root.json", flag, &value], words);
    }
    world.refuse(&["trusted-root", "create", "--no-default-tsa"], &["--with-default-services"]);
    world.refuse(&["trusted-root", "create", "--rekor", LOG, "--rekor-key", "key.pub"], &["--rekor-key"]);
    world.refuse(&["trusted-root", "create", "--rekor-url", "https://log"], &["--rekor-key"]);
    assert!(!world.path("root.json").exists());
}

#[test]
fn a_signing_config_that_nobody_could_use_is_not_written() {
    let Some(world) = world() else { return };
    let service = "url=https://log,api-version=2,start-time=2025-01-01T00:00:00Z,operator=op";
    let change = |from: &str, to: &str| service.replace(from, to);
    let cases: Vec<(Vec<&str>, String, &[&str])> = vec![
        (
            vec!["--rekor-config=ANY"],
            change("api-version=2", "api-version=0"),
            &["api-version=0 is no version"],
        ),
        (vec!["--rekor-config=ANY"], change(",operator=op", ""), &["the field operator is missing"]),
        (vec!["--rekor-config=ANY"], change("https", "ftp"), &["url=ftp://log"]),
        (vec!["--rekor-config=EXACT:2"], service.to_owned(), &["exactly 2 are to be asked, and 1 are named"]),
        (vec!["--rekor-config=EXACT"], service.to_owned(), &["expected ANY, ALL or EXACT:COUNT"]),
        (vec!["--rekor-config=ANY:1"], service.to_owned(), &["expected ANY, ALL or EXACT:COUNT"]),
        (vec!["--rekor-config=EXACT:0"], service.to_owned(), &["expected ANY, ALL or EXACT:COUNT"]),
        (vec![], service.to_owned(), &["--rekor-config"]),
        (vec!["--rekor-config=ANY", "--no-default-tsa"], service.to_owned(), &["it begins with nothing"]),
        (
            vec!["--rekor-config=ANY", "--base-config=junk"],
            service.to_owned(),
            &["cannot begin with that signing config"],
        ),
        (
            vec!["--rekor-config=ANY", "--base-config=other.json"],
            service.to_owned(),
            &["its media type is \"x\""],
        ),
        (vec!["--rekor-config=ANY", "--base-config=absent"], service.to_owned(), &["absent"]),
    ];
    world.write("other.json", r#"{"mediaType":"x"}"#);
    for (flags, value, words) in cases {
        let create = ["signing-config", "create", "--out", "config.json", "--rekor", &value];
        world.refuse(&[&create[..], &flags].concat(), words);
    }
    assert!(!world.path("config.json").exists());
}

#[test]
fn a_file_that_is_named_is_written_whole_and_over_another() {
    let Some(world) = world() else { return };
    world.write("root.json", "old");
    world.run(&["trusted-root", "create", "--rekor", LOG, "--out", "root.json"]).ok().says(&["root.json"]);
    let printed = world.run(&["trusted-root", "create", "--rekor", LOG]).ok().stdout;
    assert_eq!(world.read("root.json"), printed.trim_end());
    world.refuse(
        &["trusted-root", "create", "--rekor", LOG, "--out", "absent/root.json"],
        &["absent/root.json"],
    );
}
