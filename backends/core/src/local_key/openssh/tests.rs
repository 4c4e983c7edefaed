//! Keys are made, encrypted and converted by OpenSSH and OpenSSL at test time; only what those refuse to write is put
//! together here.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use pkcs8::der::Encode;
use pkcs8::der::asn1::ObjectIdentifier;
use proptest::prelude::*;

use super::*;
use crate::algorithm::KeyType;
use crate::error::{Error, ErrorKind};
use crate::limits::MAX_BCRYPT_ROUNDS;
use crate::public_key::PublicKey;

/// Where the count of bcrypt rounds stands in a file encrypted with aes256-ctr: behind the magic, two names and a salt.
const ROUNDS_AT: usize = MAGIC.len() + (4 + 10) + (4 + 6) + 4 + (4 + 16);
const NONE: &[u8] = b"none";

fn no_password() -> Result<Secret> {
    Err(Error::new(ErrorKind::PinRequired, "asked for a password"))
}

fn right() -> Result<Secret> {
    Ok(Secret::new(b"right".to_vec()))
}

/// Runs a program that the base system has; its absence fails the test.
fn run(program: &str, arguments: &[&str], directory: &Path) -> Vec<u8> {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(directory).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn generate(kind: &str, bits: &str, password: &str, more: &[&str], directory: &Path) -> Vec<u8> {
    let _ = std::fs::remove_file(directory.join("key"));
    let always = ["-q", "-a", "2", "-t", kind, "-b", bits, "-N", password, "-f", "key"];
    run("ssh-keygen", &[&always[..], more].concat(), directory);
    std::fs::read(directory.join("key")).unwrap()
}

/// OpenSSH's own conversion of the public half. It has none for Ed25519.
fn converted(directory: &Path) -> PublicKey {
    let pem = run("ssh-keygen", &["-e", "-m", "PKCS8", "-f", "key.pub"], directory);
    PublicKey::from_pem_or_der(&pem).unwrap()
}

fn container(pem: &[u8]) -> Vec<u8> {
    pem::parse(pem).unwrap().into_contents()
}

fn kind_of(result: Result<LocalKey>) -> ErrorKind {
    result.err().map(|error| error.kind()).unwrap_or_else(|| panic!("it was read"))
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A container around these parts.
fn written(cipher: &[u8], kdf: &[u8], options: &[u8], keys: u32, outer: &[u8], section: &[u8]) -> Vec<u8> {
    let head = [MAGIC, &string(cipher), &string(kdf), &string(options), &keys.to_be_bytes()].concat();
    [head, string(outer), string(section)].concat()
}

#[test]
fn reads_p521_and_p256_keys_whatever_the_length_of_the_scalar() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (bits, count) in [("521", 12), ("256", 8), ("384", 2)] {
        for _ in 0..count {
            let key = parse(&generate("ecdsa", bits, "", &[], at), no_password).unwrap();
            assert_eq!(key.public_key(), &converted(at));
            run("ssh-keygen", &["-q", "-p", "-a", "2", "-P", "", "-N", "right", "-f", "key"], at);
            let sealed = std::fs::read(at.join("key")).unwrap();
            assert_eq!(parse(&sealed, right).unwrap().public_key(), key.public_key());
        }
    }
}

#[test]
fn reads_scalars_with_many_leading_zero_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (key_type, oid) in [
        (KeyType::P256, "1.2.840.10045.3.1.7"),
        (KeyType::P384, "1.3.132.0.34"),
        (KeyType::P521, "1.3.132.0.35"),
    ] {
        let width = key_type.field_bytes().unwrap();
        for zeros in [1, 2, 9] {
            let scalar = [vec![0; zeros], vec![0x93; width - zeros]].concat();
            let der = sec1::EcPrivateKey {
                private_key: &scalar,
                parameters: Some(sec1::EcParameters::NamedCurve(ObjectIdentifier::new_unwrap(oid))),
                public_key: None,
            };
            std::fs::write(at.join("der"), der.to_der().unwrap()).unwrap();
            // OpenSSL computes the public half, OpenSSH writes its own form.
            run("openssl", &["ec", "-inform", "DER", "-in", "der", "-out", "key"], at);
            run("openssl", &["ec", "-in", "key", "-pubout", "-out", "public"], at);
            std::fs::set_permissions(at.join("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
            run("ssh-keygen", &["-q", "-p", "-P", "", "-N", "", "-f", "key"], at);
            let pem = std::fs::read(at.join("key")).unwrap();
            assert!(pem.starts_with(b"-----BEGIN OPENSSH PRIVATE KEY"));
            let key = parse(&pem, no_password).unwrap_or_else(|error| panic!("{key_type}, {zeros}: {error}"));
            let public = PublicKey::from_pem_or_der(&std::fs::read(at.join("public")).unwrap()).unwrap();
            assert_eq!(key.public_key(), &public);
        }
    }
}

#[test]
fn reads_every_cipher_with_the_right_password_only() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (cipher, authenticated) in [
        ("aes256-ctr", false),
        ("aes192-ctr", false),
        ("aes128-ctr", false),
        ("aes256-cbc", false),
        ("aes192-cbc", false),
        ("aes128-cbc", false),
        ("aes256-gcm@openssh.com", true),
        ("aes128-gcm@openssh.com", true),
        ("chacha20-poly1305@openssh.com", true),
    ] {
        for (kind, bits) in [("ecdsa", "521"), ("rsa", "2048")] {
            let pem = generate(kind, bits, "right", &["-Z", cipher], at);
            assert!(container(&pem)[MAGIC.len() + 4..].starts_with(cipher.as_bytes()), "{cipher}");
            let key = parse(&pem, right).unwrap_or_else(|error| panic!("{cipher} {kind}: {error}"));
            assert_eq!(key.public_key(), &converted(at), "{cipher}");
            for wrong in [&b"wrong"[..], b"", b"right\0", b"righ"] {
                let result = parse(&pem, || Ok(Secret::new(wrong.to_vec())));
                assert_eq!(kind_of(result), ErrorKind::WrongPin { tries_left: None }, "{cipher} {wrong:?}");
            }
            // A changed section is known by its tag, or else by the check integers at its beginning.
            let mut changed = container(&pem);
            let end = changed.len();
            let at = if authenticated { end - 1 } else { end - section_bytes(&changed) };
            changed[at] ^= 1;
            let result = parse_container(&changed, right);
            assert_eq!(kind_of(result), ErrorKind::WrongPin { tries_left: None }, "{cipher}");
        }
    }
    let pem = generate("ecdsa", "256", "right", &["-Z", "3des-cbc"], at);
    let error = parse(&pem, no_password).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.cause().unwrap().contains("3des-cbc"), "{error}");
    // The hint works.
    run("ssh-keygen", &["-q", "-p", "-P", "right", "-N", "right", "-Z", "aes256-ctr", "-f", "key"], at);
    assert!(parse(&std::fs::read(at.join("key")).unwrap(), right).is_ok());
}

/// The size of the private section of a file without a tag.
fn section_bytes(container: &[u8]) -> usize {
    let mut file = Cursor::new(container);
    file.take(MAGIC.len()).unwrap();
    (0..3).for_each(|_| assert!(file.string().is_ok()));
    file.u32().unwrap();
    file.string().unwrap();
    file.string().unwrap().len()
}

#[test]
fn reads_ed25519_and_rsa() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for password in ["", "right"] {
        let key =
            parse(&generate("ed25519", "256", password, &["-C", "a comment of some length"], at), right);
        let line = std::fs::read_to_string(at.join("key.pub")).unwrap();
        let blob = line.split(' ').nth(1).unwrap();
        let blob = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, blob).unwrap();
        assert!(key.unwrap().public_key().spki_der().ends_with(&blob[blob.len() - 32..]));
        for bits in ["2048", "3072", "4096"] {
            let key = parse(&generate("rsa", bits, password, &[], at), right).unwrap();
            assert_eq!(key.public_key(), &converted(at));
        }
    }
    let error = parse(&generate("rsa", "1024", "right", &[], at), no_password).err().unwrap();
    assert_eq!((error.kind(), error.what()), (ErrorKind::Unsupported, "cannot use the private key"));
}

#[test]
fn bounds_the_cost_before_the_password_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let good = container(&generate("ed25519", "256", "right", &[], directory.path()));
    assert_eq!(good[ROUNDS_AT..ROUNDS_AT + 4], 2_u32.to_be_bytes());
    for (rounds, expected) in [
        (MAX_BCRYPT_ROUNDS, ErrorKind::PinRequired),
        (MAX_BCRYPT_ROUNDS + 1, ErrorKind::Unsupported),
        (u32::MAX, ErrorKind::Unsupported),
        (0, ErrorKind::Integrity),
    ] {
        let mut bytes = good.clone();
        bytes[ROUNDS_AT..ROUNDS_AT + 4].copy_from_slice(&rounds.to_be_bytes());
        assert_eq!(kind_of(parse_container(&bytes, no_password)), expected, "{rounds} rounds");
    }
    let outer = [string(b"ssh-ed25519"), string(&[0; 32])].concat();
    let options = |salt: usize| [string(&vec![1; salt]), 16_u32.to_be_bytes().to_vec()].concat();
    for (salt, section, expected) in [
        (256, 64, ErrorKind::PinRequired),
        (257, 64, ErrorKind::Unsupported),
        (0, 64, ErrorKind::Integrity),
        (16, 0, ErrorKind::Integrity),
        (16, 65, ErrorKind::Integrity),
        (16, MAX_PART_BYTES, ErrorKind::PinRequired),
        (16, MAX_PART_BYTES + 16, ErrorKind::Unsupported),
    ] {
        let bytes = written(b"aes256-ctr", b"bcrypt", &options(salt), 1, &outer, &vec![0; section]);
        assert_eq!(kind_of(parse_container(&bytes, no_password)), expected, "{salt} {section}");
    }
}

#[test]
fn refuses_other_types_and_forms_before_the_password_is_asked() {
    let bcrypt = [string(&[1; 16]), 16_u32.to_be_bytes().to_vec()].concat();
    for (name, why) in [
        (&b"sk-ssh-ed25519@openssh.com"[..], "FIDO"),
        (b"sk-ecdsa-sha2-nistp256@openssh.com", "FIDO"),
        (b"ssh-dss", "OpenSSH key type ssh-dss"),
        (b"ssh-ed25519-cert-v01@openssh.com", "OpenSSH key type ssh-ed25519-cert"),
        (b"\x1b[2J\xff", "OpenSSH key type \\x1b[2J\\xff"),
        (&[b'x'; 5000], "OpenSSH key type xxx"),
    ] {
        let bytes = written(b"aes256-ctr", b"bcrypt", &bcrypt, 1, &string(name), &[0; 64]);
        let error = parse_container(&bytes, no_password).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let cause = error.cause().unwrap();
        assert!(cause.contains(why) && cause.len() < 200, "{error}");
    }
    let ed25519 = [string(b"ssh-ed25519"), string(&[0; 32])].concat();
    for (cipher, kdf, options, keys, expected) in [
        (&b"aes256-ctr"[..], &b"bcrypt"[..], &bcrypt[..], 0, ErrorKind::Unsupported),
        (b"aes256-ctr", b"bcrypt", &bcrypt, 2, ErrorKind::Unsupported),
        (b"aes256-ctr", b"scrypt", &bcrypt, 1, ErrorKind::Unsupported),
        (b"rot13", b"bcrypt", &bcrypt, 1, ErrorKind::Unsupported),
        (NONE, b"bcrypt", &bcrypt, 1, ErrorKind::Integrity),
        (b"aes256-ctr", NONE, b"", 1, ErrorKind::Integrity),
        (NONE, NONE, b"x", 1, ErrorKind::Integrity),
        (b"aes256-ctr", b"bcrypt", &[&bcrypt[..], b"x"].concat(), 1, ErrorKind::Integrity),
    ] {
        let bytes = written(cipher, kdf, options, keys, &ed25519, &[0; 64]);
        assert_eq!(kind_of(parse_container(&bytes, no_password)), expected, "{cipher:?} {kdf:?} {keys}");
    }
}

/// One plain container of each type, by OpenSSH.
fn plain() -> &'static [(Vec<u8>, PublicKey)] {
    static KEYS: OnceLock<Vec<(Vec<u8>, PublicKey)>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048")]
            .into_iter()
            .map(|(kind, bits)| {
                let bytes = container(&generate(kind, bits, "", &["-C", ""], directory.path()));
                let public = parse_container(&bytes, no_password).unwrap().public_key().clone();
                (bytes, public)
            })
            .collect()
    })
}

#[test]
fn refuses_halves_of_different_keys() {
    let directory = tempfile::tempdir().unwrap();
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "521"), ("rsa", "2048")] {
        let [(outer, section), (other, _)] = [(), ()].map(|()| {
            let bytes = container(&generate(kind, bits, "", &[], directory.path()));
            let mut file = Cursor::new(&bytes);
            file.take(MAGIC.len()).unwrap();
            (0..3).for_each(|_| assert!(file.string().is_ok()));
            file.u32().unwrap();
            (file.string().unwrap().to_vec(), file.string().unwrap().to_vec())
        });
        assert!(parse_container(&written(NONE, NONE, b"", 1, &outer, &section), no_password).is_ok());
        let mixed = written(NONE, NONE, b"", 1, &other, &section);
        assert_eq!(kind_of(parse_container(&mixed, no_password)), ErrorKind::Integrity, "{kind}");
        // The public half inside the section, exchanged alone: Ed25519 and ECDSA hold it as the last field outside.
        if kind != "rsa" {
            let size = if kind == "ed25519" { 32 } else { 2 * bits.parse::<usize>().unwrap().div_ceil(8) };
            let (own, foreign) = (&outer[outer.len() - size..], &other[other.len() - size..]);
            let place = section.windows(size).position(|window| window == own).unwrap();
            let mut section = section.clone();
            section[place..place + size].copy_from_slice(foreign);
            for outer in [&outer, &other] {
                let mixed = written(NONE, NONE, b"", 1, outer, &section);
                assert_eq!(kind_of(parse_container(&mixed, no_password)), ErrorKind::Integrity, "{kind}");
            }
        }
    }
}

#[test]
fn refuses_wrong_checks_padding_and_trailing_bytes() {
    for (bytes, _) in plain() {
        let end = bytes.len();
        let section = end - section_bytes(bytes);
        for at in [section, section + 7, end - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            assert_eq!(kind_of(parse_container(&changed, no_password)), ErrorKind::Integrity, "byte {at}");
        }
        assert!(parse_container(&[&bytes[..], b"\0"].concat(), no_password).is_err());
    }
}

#[test]
fn refuses_scalars_that_are_zero_negative_or_too_long() {
    let (bytes, _) = &plain()[1];
    let section = &bytes[bytes.len() - section_bytes(bytes)..];
    let mut fields = Cursor::new(section);
    let head = fields.take(8).unwrap();
    let public = (0..3).flat_map(|_| string(fields.string().unwrap())).collect::<Vec<_>>();
    let good = fields.positive().unwrap();
    let outer = public.clone();
    let with = |scalar: &[u8]| {
        let mut section = [head, &public, &string(scalar), &string(b"")].concat();
        section.extend((1..=8).take((8 - section.len() % 8) % 8));
        parse_container(&written(NONE, NONE, b"", 1, &outer, &section), no_password)
    };
    assert!(with(&[&[0], good].concat()).is_ok());
    let full = [0xff; 32];
    for bad in [
        &b""[..],
        b"\0",
        b"\x01",
        &full,
        &[&[0][..], &full].concat(),
        &[&[1][..], good].concat(),
        &[&[0][..], &[0x7f; 5000]].concat(),
    ] {
        assert_eq!(kind_of(with(bad)), ErrorKind::Integrity, "{} bytes", bad.len());
    }
}

#[test]
fn refuses_every_truncation() {
    for (bytes, _) in plain() {
        for end in 0..bytes.len() {
            assert!(parse_container(&bytes[..end], no_password).is_err(), "cut at {end}");
        }
        let pem = pem::encode(&pem::Pem::new("OPENSSH PRIVATE KEY", bytes.clone()));
        for end in 0..pem.trim_end().len() {
            assert!(parse(&pem.as_bytes()[..end], no_password).is_err(), "text cut at {end}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    /// Whatever is changed in a good key, reading ends in an error or in that same key.
    #[test]
    fn any_change_is_refused_or_changes_nothing(
        which in 0_usize..5, at in any::<prop::sample::Index>(), cut in 0_usize..6,
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..6),
            any::<u32>().prop_map(|number| number.to_be_bytes().to_vec()),
            (0_u32..600).prop_map(|number| number.to_be_bytes().to_vec()),
        ],
    ) {
        let (good, public) = &plain()[which];
        let mut changed = good.clone();
        let at = at.index(good.len());
        changed.splice(at..(at + cut).min(good.len()), bytes);
        if let Ok(key) = parse_container(&changed, no_password) {
            prop_assert_eq!(key.public_key(), public);
        }
    }

    /// Bytes without any order, behind a good beginning.
    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(parse_container(&bytes, no_password).is_err());
        let begun = written(NONE, NONE, b"", 1, &bytes, &bytes);
        prop_assert!(parse_container(&begun, no_password).is_err());
    }
}

#[test]
fn integers_are_positive_and_trimmed() {
    let positive = |bytes: &[u8]| Cursor::new(&string(bytes)).positive().map(<[u8]>::to_vec).ok();
    assert_eq!(positive(b"\0\x80"), Some(vec![0x80]));
    assert_eq!(positive(b"\0\0\x01\0"), Some(vec![1, 0]));
    for bad in [&b""[..], b"\0\0", b"\x80", &[1; 2050]] {
        assert_eq!(positive(bad), None);
    }
}
