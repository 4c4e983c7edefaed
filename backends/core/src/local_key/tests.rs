//! Tests of private key forms. Foreign forms are made by OpenSSL and OpenSSH at test time.

use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::secret::Secret;

fn no_password() -> Result<Secret> {
    Err(Error::new(ErrorKind::PinRequired, "asked for a password"))
}

fn password() -> Result<Secret> {
    Ok(Secret::new(b"right".to_vec()))
}

/// Runs a program that the base system has; its absence fails the test.
fn run(program: &str, arguments: &[&str], directory: &Path) {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::null());
    assert!(command.status().is_ok_and(|status| status.success()), "{program} {arguments:?}");
}

fn read(directory: &Path, name: &str) -> Vec<u8> {
    std::fs::read(directory.join(name)).unwrap()
}

#[test]
fn sealed_keys_open_with_their_password_only() {
    for (key_type, text) in
        [(KeyType::P256, &b"right"[..]), (KeyType::Rsa2048, b""), (KeyType::Ed25519, b"\xff\n")]
    {
        let key = LocalKey::generate(key_type).unwrap();
        let sealed = seal(&key, &Secret::new(text.to_vec())).unwrap();
        let opened = parse(sealed.as_bytes(), || Ok(Secret::new(text.to_vec()))).unwrap();
        assert_eq!(opened.public_key(), key.public_key());
        let wrong = parse(sealed.as_bytes(), || Ok(Secret::new(b"wrong".to_vec()))).err().unwrap();
        assert_eq!(wrong.kind(), ErrorKind::WrongPin { tries_left: None });
        // Cosign's older label says the same.
        let older = sealed.replace("ENCRYPTED SIGSTORE", "ENCRYPTED COSIGN");
        assert_eq!(form(older.as_bytes()).unwrap(), Form::Cosign);
    }
}

fn with_params(n: u64, r: u32, p: u32) -> Vec<u8> {
    let json = format!(
        r#"{{"kdf":{{"name":"scrypt","params":{{"N":{n},"r":{r},"p":{p}}},"salt":"{}"}},"cipher":{{"name":"nacl/secretbox","nonce":"{}"}},"ciphertext":"AAAA"}}"#,
        "A".repeat(43) + "=",
        "A".repeat(32)
    );
    pem::encode(&pem::Pem::new("ENCRYPTED SIGSTORE PRIVATE KEY", json)).into_bytes()
}

#[test]
fn hostile_scrypt_costs_are_refused_before_the_password_is_asked() {
    for (n, r, p) in [
        (1 << 30, 8, 1),
        (65536, 8, 64),
        (65536, 1024, 1),
        (2, 8, 1),
        (65535, 8, 1),
        (0, 0, 0),
        (16384, 8, 1),
    ] {
        let error = parse(&with_params(n, r, p), no_password).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "N={n} r={r} p={p}: {error}");
    }
    for n in [32768, 65536, 131_072] {
        assert_eq!(
            parse(&with_params(n, 8, 1), no_password).err().unwrap().kind(),
            ErrorKind::PinRequired,
            "N={n}"
        );
    }
}

#[test]
fn reads_openssls_forms() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (name, arguments) in [
        ("p256", vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("p384", vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("p521", vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
        ("rsa", vec!["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        ("ed25519", vec!["-algorithm", "ED25519"]),
    ] {
        run("openssl", &[&["genpkey", "-out", name][..], &arguments].concat(), at);
        run("openssl", &["pkey", "-in", name, "-outform", "DER", "-out", "der"], at);
        run("openssl", &["pkey", "-in", name, "-pubout", "-out", "public"], at);
        let public = PublicKey::from_pem_or_der(&read(at, "public")).unwrap();
        for plain in [name, "der"] {
            assert_eq!(
                parse(&read(at, plain), no_password).unwrap().public_key(),
                &public,
                "{name}, {plain}"
            );
        }
        for kdf in [&["-iter", "2048"][..], &["-scrypt"]] {
            let seal = [
                "pkcs8",
                "-topk8",
                "-in",
                name,
                "-out",
                "sealed",
                "-v2",
                "aes-256-cbc",
                "-passout",
                "pass:right",
            ];
            run("openssl", &[&seal[..], kdf].concat(), at);
            let sealed = read(at, "sealed");
            assert_eq!(parse(&sealed, password).unwrap().public_key(), &public, "{name}, {kdf:?}");
            let wrong = parse(&sealed, || Ok(Secret::new(b"wrong".to_vec()))).err().unwrap();
            assert_eq!(wrong.kind(), ErrorKind::WrongPin { tries_left: None });
        }
        if name != "ed25519" {
            run("openssl", &["pkey", "-in", name, "-traditional", "-out", "old"], at);
            assert_eq!(
                parse(&read(at, "old"), no_password).unwrap().public_key(),
                &public,
                "{name}, traditional"
            );
            run(
                "openssl",
                &["pkey", "-in", name, "-traditional", "-aes256", "-passout", "pass:right", "-out", "old"],
                at,
            );
            let error = parse(&read(at, "old"), password).err().unwrap();
            assert!(error.next_step().unwrap().contains("pkcs8 -topk8"), "{error}");
        }
    }
    run(
        "openssl",
        &["pkcs8", "-topk8", "-in", "rsa", "-out", "sealed", "-v2", "des3", "-passout", "pass:right"],
        at,
    );
    let error = parse(&read(at, "sealed"), password).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "triple DES: {error}");
    // The parameters stand in a block of their own before the key.
    run("openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-out", "with-parameters"], at);
    assert!(parse(&read(at, "with-parameters"), no_password).is_ok());
}

#[test]
fn reads_opensshs_form() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (name, kind, bits) in [
        ("a", "ed25519", "256"),
        ("b", "ecdsa", "256"),
        ("c", "ecdsa", "384"),
        ("d", "ecdsa", "521"),
        ("e", "rsa", "3072"),
    ] {
        run("ssh-keygen", &["-q", "-t", kind, "-b", bits, "-N", "right", "-f", name], at);
        let key = parse(&read(at, name), password).unwrap_or_else(|error| panic!("{kind} {bits}: {error}"));
        let wrong = parse(&read(at, name), || Ok(Secret::new(b"wrong".to_vec()))).err().unwrap();
        assert_eq!(wrong.kind(), ErrorKind::WrongPin { tries_left: None });
        // OpenSSH's own conversion, where it has one, gives the same public key.
        run("ssh-keygen", &["-q", "-p", "-P", "right", "-N", "", "-f", name], at);
        assert_eq!(parse(&read(at, name), no_password).unwrap().public_key(), key.public_key());
        if kind != "ed25519" {
            run("ssh-keygen", &["-q", "-p", "-m", "PKCS8", "-P", "", "-N", "", "-f", name], at);
            assert_eq!(parse(&read(at, name), no_password).unwrap().public_key(), key.public_key());
        }
    }
}

#[test]
fn refuses_types_and_sizes_outside_the_table() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for arguments in [
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"][..],
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2560"],
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
        &["-algorithm", "X25519"],
        &["-algorithm", "ED448"],
        &["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    ] {
        run("openssl", &[&["genpkey", "-out", "key"][..], arguments].concat(), at);
        let error = parse(&read(at, "key"), no_password).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{arguments:?}: {error}");
    }
}

#[test]
fn refuses_damaged_and_foreign_files() {
    let key = LocalKey::generate(KeyType::P256).unwrap();
    let sealed = seal(&key, &Secret::new(Vec::new())).unwrap();
    for end in [0, 10, 60, 200, sealed.len() - 40] {
        assert!(parse(&sealed.as_bytes()[..end], no_password).is_err(), "cut at {end}");
    }
    let error = parse(key.public_key().to_pem().as_bytes(), no_password).err().unwrap();
    assert!(error.next_step().unwrap().contains("private half"));
    let pkcs8 = key.to_pkcs8().unwrap();
    for end in [0, 1, pkcs8.len() / 2, pkcs8.len() - 1] {
        assert!(parse(&pkcs8[..end], no_password).is_err(), "cut at {end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    /// Whatever is changed in a good key, reading ends in a key or an error, and asks at most once.
    #[test]
    fn any_change_is_read_or_refused(
        which in 0_usize..4, at in 0_usize..2000, bytes in proptest::collection::vec(any::<u8>(), 0..6), cut in 0_usize..6,
    ) {
        static KEYS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let keys = KEYS.get_or_init(|| {
            let key = LocalKey::generate(KeyType::P256).unwrap();
            let other = LocalKey::generate(KeyType::Ed25519).unwrap();
            vec![
                seal(&key, &Secret::new(Vec::new())).unwrap().into_bytes(),
                key.to_pkcs8().unwrap().to_vec(),
                pem::encode(&pem::Pem::new("PRIVATE KEY", other.to_pkcs8().unwrap().to_vec())).into_bytes(),
                key.public_key().to_pem().into_bytes(),
            ]
        });
        let mut text = keys[which].clone();
        let at = at % (text.len() + 1);
        let end = (at + cut).min(text.len());
        text.splice(at..end, bytes);
        let _ = parse(&text, no_password);
        let _ = PublicKey::from_pem_or_der(&text);
    }
}
