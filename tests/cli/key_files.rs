//! Key files that cannot be used: damaged, hostile, of the wrong half, of the wrong kind.

use std::process::Stdio;

use wait4::Wait4;

use super::world::{PASSWORD, SIGN, VERIFY, World, openssl};

fn sign(key: &str) -> Vec<&str> {
    [&SIGN[..], &["--key", key, "blob"]].concat()
}

#[test]
fn refuses_a_truncated_key_before_it_asks_for_the_password() {
    let Some(world) = World::sealed() else { return };
    let key = world.read("cosign.key");
    for end in [0, 20, 44, key.len() / 2, key.len() - 40, key.len() - 10] {
        world.write("cut.key", &key[..end]);
        world.refuse(&sign("cut.key"), &["cut.key"]).says_nothing_of(&["password"]);
    }
    // PEM that is whole around JSON that is not.
    let json = json_of(&key);
    world.write("cut.key", pem(&json[..json.len() / 2]));
    world.refuse(&sign("cut.key"), &["cut.key"]).says_nothing_of(&["password"]);
    let plain = world.read("key.pem");
    world.write("cut.pem", &plain[..plain.len() / 2]);
    world.refuse(&sign("cut.pem"), &["cut.pem"]);
}

/// The file chooses how much memory the password hashing takes, so it must not be free to choose.
#[test]
fn refuses_hostile_scrypt_costs_before_password_and_memory() {
    let Some(world) = World::sealed() else { return };
    let program = world.script("program", &format!("touch asked; echo {PASSWORD}"));
    let source = format!("command:{program}");
    let json = json_of(&world.read("cosign.key"));
    let costs = [
        (1_u64 << 30, 8, 1),
        (1 << 18, 8, 1),
        (2, 8, 1),
        (0, 8, 1),
        (65_537, 8, 1),
        (u64::MAX, 8, 1),
        (65_536, 1 << 20, 1),
        (65_536, 0, 1),
        (65_536, 8, 1 << 20),
        (65_536, 8, 0),
    ];
    for (n, r, p) in costs {
        let hostile = json.replace(r#""N":65536,"r":8,"p":1"#, &format!(r#""N":{n},"r":{r},"p":{p}"#));
        world.write("hostile.key", pem(&hostile));
        let words = [&format!("N={n}, r={r}, p={p}"), "hostile.key", "hint: N is 32768, 65536 or 131072"];
        for arguments in [sign("hostile.key"), vec!["public-key", "--key", "hostile.key"]] {
            world.refuse(&[&arguments[..], &["--password-source", &source]].concat(), &words);
        }
        assert!(!world.exists("asked"), "asked for the password of a key that cannot be opened");
        let mut command =
            world.command(&[&sign("hostile.key")[..], &["--password-source", &source]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("setsid starts");
        let used = child.wait4().expect("a child can be waited for");
        // The least that any of the large ones asks for is 256 MiB.
        assert!(used.rusage.maxrss < 200 << 20, "N={n}, r={r}, p={p} takes {} bytes", used.rusage.maxrss);
    }
}

#[test]
fn refuses_the_public_half_for_signing() {
    let Some(world) = World::sealed() else { return };
    let words = ["key.pub", "holds no private key", "hint: signing needs the private half"];
    world.refuse(&sign("key.pub"), &words);
}

#[test]
fn verifies_with_the_private_half_given_its_password() {
    let Some(world) = World::sealed() else { return };
    world.sign("blob");
    let arguments = [&VERIFY[..], &["--key", "cosign.key", "blob"]].concat();
    world.refuse(&arguments, &["cannot get the password for cosign.key"]);
    world.end(world.command(&arguments).env("COSIGN_PASSWORD", PASSWORD)).ok().says(&["Verified OK"]);
}

#[test]
fn refuses_what_is_no_key() {
    let Some(world) = World::sealed() else { return };
    let request = ["req", "-x509", "-key", "/dev/stdin", "-subj", "/CN=test", "-days", "1"];
    world.write("certificate.pem", openssl(&request, &world.read("key.pem")));
    world.write("text", "this is no key\n");
    world.write("empty", "");
    world.write("pgp", "-----BEGIN PGP PRIVATE KEY BLOCK-----\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n");
    world.write("old.pem", "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n");
    world.write("large", vec![b'A'; 257 * 1024]);
    std::fs::create_dir(world.path("directory")).expect("a directory");
    for (key, words) in [
        ("certificate.pem", &["\"CERTIFICATE\" holds no private key", "hint: "][..]),
        ("text", &["neither PEM nor DER"]),
        ("empty", &["empty"]),
        ("pgp", &["\"PGP PRIVATE KEY BLOCK\" is no key form we read"]),
        ("old.pem", &["old PEM form", "hint: convert it with: openssl pkcs8"]),
        ("large", &["larger than 262144 bytes"]),
        (
            "directory",
            &["it is a directory", "hint: list the keys in it with: countersign keys list directory"],
        ),
        ("absent", &["hint: give the path of a key file"]),
    ] {
        world.refuse(&sign(key), &[&[key], words].concat());
        if key != "certificate.pem" {
            world.refuse(&[&VERIFY[..], &["--key", key, "blob"]].concat(), &[key]);
        }
    }
    world.refuse(&sign("https://p"), &["the scheme https is not built yet", "hint: this version serves"]);
    world.refuse(&sign("nonsense://x"), &["no backend serves the scheme nonsense"]);
    world.refuse(&sign("env://ABSENT"), &["ABSENT", "not set", "hint: export ABSENT"]);
}

#[test]
fn keeps_key_files_that_exist() {
    let Some(world) = World::sealed() else { return };
    world.write("cosign.pub", "precious");
    for arguments in [&["generate-key-pair"][..], &["import-key-pair", "--key", "key.pem", "-o", "cosign"]] {
        let mut command = world.command(arguments);
        let words = ["cosign.key and cosign.pub", "it exists", "hint: choose another --output-key-prefix"];
        world.refuse_command(command.env("COSIGN_PASSWORD", PASSWORD), &words);
        let mut command = world.command(&[arguments, &["-y"]].concat());
        world.end(command.env("COSIGN_PASSWORD", PASSWORD)).ok();
        assert!(world.read("cosign.pub").starts_with("-----BEGIN PUBLIC KEY-----"));
        world.write("cosign.pub", "precious");
    }
    let modes = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        world.path(name).metadata().expect("a key file").permissions().mode() & 0o777
    };
    assert_eq!(modes("cosign.key"), 0o600);
}

/// E.2 21: the limit is a refusal, not a cut: the first part of a file could be a key of its own.
#[test]
fn refuses_to_import_a_file_above_the_limit() {
    let Some(world) = World::new() else { return };
    world.write("large.pem", format!("{}{}", world.read("key.pem"), "\n".repeat(300_000)));
    world.refuse(
        &["import-key-pair", "--key", "large.pem"],
        &["cannot import large.pem", "larger than 262144 bytes"],
    );
}

/// The JSON inside Cosign's PEM.
fn json_of(key: &str) -> String {
    use base64::Engine;
    let body: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
    let json = base64::engine::general_purpose::STANDARD.decode(body).expect("a key file's body");
    String::from_utf8(json).expect("JSON is text")
}

fn pem(json: &str) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(json);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let label = "ENCRYPTED SIGSTORE PRIVATE KEY";
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
