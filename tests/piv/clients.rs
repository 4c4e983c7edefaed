//! The same card through tools that know nothing of us: Yubico's ykman, and the PKCS#11 modules of Yubico and OpenSC under our
//! own PKCS#11 backend.

use std::fs;
use std::path::Path;

use super::world::World;
use crate::support::cards::{in_rig, ykman};
use crate::support::{self, stdout};

#[test]
fn ykman_reads_what_we_wrote_and_we_read_what_it_wrote() {
    if !in_rig("piv::clients::ykman_reads_what_we_wrote_and_we_read_what_it_wrote", &["--firmware", "5.7.1"])
    {
        return;
    }
    let (world, Some(_)) = (World::new(), ykman()) else { return };
    let ykman = |arguments: &[&str]| stdout(&world.tool(ykman().unwrap(), arguments));
    let made = world.ok(&["piv-tool", "generate-key", "-f", "--touch-policy", "never"], None).stdout;
    let theirs = ykman(&["piv", "keys", "export", "9c", "-"]);
    assert_eq!(theirs, String::from_utf8(made).unwrap());
    let info = ykman(&["piv", "keys", "info", "9c"]);
    assert!(info.contains("ECCP256") && info.contains("ALWAYS") && info.contains("GENERATED"), "{info}");
    // Theirs: a key made elsewhere, a certificate, another management key behind the PIN.
    world.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"]);
    world.openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]);
    let factory = "010203040506070801020304050607080102030405060708";
    ykman(&["piv", "keys", "import", "-m", factory, "-P", "123456", "9a", "key.pem"]);
    ykman(&["piv", "access", "change-management-key", "-g", "-p", "-m", factory, "-P", "123456", "-f"]);
    let sign = ["sign-blob", "--tlog-upload=false", "--key", "piv:slot=9a", "--bundle", "b.json", "blob"];
    world.ok(&sign, Some("123456"));
    let verify = ["verify-blob", "--insecure-ignore-tlog", "--bundle", "b.json", "--key", "key.pub", "blob"];
    world.ok(&verify, None);
    world.cosign(&verify, true);
    // The key that ykman put behind the PIN opens the card for us.
    world.ok(&["piv-tool", "generate-key", "--slot", "9d", "-f", "--touch-policy", "never"], Some("123456"));
    assert!(ykman(&["piv", "keys", "info", "9d"]).contains("GENERATED"));
    let ours = world.ok(&["public-key", "--key", "piv:slot=9d"], None).stdout;
    fs::write(world.path("d.pub"), ours).unwrap();
    ykman(&["piv", "certificates", "generate", "-P", "123456", "-s", "CN=theirs", "9d", "d.pub"]);
    let certificate = world.ok(&["keys", "certificate", "piv:slot=9d"], None).stdout;
    fs::write(world.path("d.pem"), certificate).unwrap();
    let subject = stdout(&world.openssl(&["x509", "-in", "d.pem", "-noout", "-subject"]));
    assert!(subject.contains("CN = theirs"), "{subject}");
}

#[test]
fn the_card_signs_through_pkcs11_modules_too() {
    if !in_rig("piv::clients::the_card_signs_through_pkcs11_modules_too", &["--firmware", "5.4.3"]) {
        return;
    }
    let world = World::new();
    world.ok(
        &[
            "piv-tool",
            "generate-key",
            "--slot",
            "9a",
            "-f",
            "--touch-policy",
            "never",
            "--pin-policy",
            "once",
        ],
        None,
    );
    let key = world.ok(&["public-key", "--key", "piv:slot=9a"], None).stdout;
    fs::write(world.path("key.pub"), &key).unwrap();
    // Both modules show a key only beside a certificate.
    world.openssl(&[
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj",
        "/CN=ca",
    ]);
    world.openssl(&[
        "x509",
        "-new",
        "-force_pubkey",
        "key.pub",
        "-subj",
        "/CN=card",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-out",
        "cert.pem",
    ]);
    world.ok(&["keys", "import-certificate", "piv:slot=9a", "cert.pem"], None);
    for (module, object) in [("libykcs11.so", "id=%01"), ("opensc-pkcs11.so", "id=%01")] {
        let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
        let Some(path) =
            folders.iter().map(|folder| format!("{folder}/{module}")).find(|path| Path::new(path).exists())
        else {
            support::missing(module);
            continue;
        };
        let uri = format!("pkcs11:{object}?module-path={path}");
        let mut command = support::countersign();
        command.args(["sign-blob", "--tlog-upload=false", "--key", &uri, "--bundle", "p11.json", "blob"]);
        command.current_dir(world.path("")).env("COSIGN_PKCS11_PIN", "123456");
        let signed = support::run(&mut command);
        assert!(signed.status.success(), "{module}: {}", support::stderr(&signed));
        world.ok(
            &["verify-blob", "--insecure-ignore-tlog", "--bundle", "p11.json", "--key", "key.pub", "blob"],
            None,
        );
    }
}
