//! Certificates beside keys and keys that go: what a token holds afterwards, and what bundles carry.

use std::fs;

use super::commands::{World, refused_sign};
use crate::support::tokens::{PIN, Rig, SoftHsm};
use crate::support::{self, stderr, stdout};

const KEY: &str = "pkcs11:token=countersign;object=rsa2048";
const OTHER: &str = "pkcs11:token=countersign;object=p384";

/// Makes `NAME.pem` for the public key in `key.pub`, by OpenSSL: issued by a root of its own, or self-issued.
fn certificate(world: &World, name: &str, self_issued: bool) -> String {
    let openssl = |arguments: &[&str]| {
        let mut openssl = support::openssl().unwrap();
        support::succeed(openssl.args(arguments).current_dir(world.path("")));
    };
    let subject = format!("/CN={name}");
    let issuer = if self_issued { subject.clone() } else { "/CN=root".to_owned() };
    openssl(&[
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj",
        &issuer,
    ]);
    let file = format!("{name}.pem");
    openssl(&[
        "x509",
        "-new",
        "-force_pubkey",
        "key.pub",
        "-subj",
        &subject,
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-days",
        "30",
        "-out",
        &file,
    ]);
    file
}

fn world() -> Option<(SoftHsm, World)> {
    let token = SoftHsm::new()?;
    let world = World::new(&token);
    fs::write(world.path("key.pub"), world.ok(&["public-key", "--key", KEY], None).stdout).unwrap();
    Some((token, world))
}

fn cosign(world: &World, arguments: &[&str]) -> Option<std::process::Output> {
    Some(support::run(&mut world.prepare(support::cosign()?, arguments, Some(PIN))))
}

#[test]
fn a_certificate_lies_beside_its_key_and_signatures_carry_it() {
    let Some((token, world)) = world() else { return };
    let issued = certificate(&world, "issued", false);
    world.refuse(&["keys", "certificate", KEY], None, &["no certificate", "import-certificate"]);
    world.refuse(&["keys", "import-certificate", OTHER, &issued], Some(PIN), &["it is for the key"]);
    world.refuse(&["keys", "import-certificate", KEY, "key.pub"], Some(PIN), &["\"PUBLIC KEY\""]);
    world.refuse(&["keys", "import-certificate", KEY, "blob"], Some(PIN), &["one X.509 certificate"]);
    world.ok(&["keys", "import-certificate", KEY, &issued], Some(PIN));
    let pem = fs::read_to_string(world.path(&issued)).unwrap();
    assert_eq!(stdout(&world.ok(&["keys", "certificate", KEY], None)), pem);
    let tool = support::pkcs11_tool();
    if let Some(mut tool) = tool {
        let list = ["--module", token.module().to_str().unwrap(), "--list-objects", "--type", "cert"];
        let listed = support::run(&mut world.prepare(
            {
                tool.arg("--login");
                tool.args(["--pin", PIN]);
                tool
            },
            &list,
            None,
        ));
        let listed = stdout(&listed);
        assert!(listed.contains("CN=issued") && listed.contains("rsa2048"), "{listed}");
    }

    // RSA signatures are deterministic: what Cosign writes with this certificate is what we write.
    let key = format!("{KEY}?module-path={}&pin-value={PIN}", token.module().display());
    let sign = ["sign-blob", "--tlog-upload=false", "--use-signing-config=false", "--key", &key];
    for format in ["--new-bundle-format=true", "--new-bundle-format=false"] {
        world.ok(&[&sign[..], &[format, "--bundle", "ours.json", "blob"]].concat(), None);
        let ours = fs::read(world.path("ours.json")).unwrap();
        if let Some(signed) =
            cosign(&world, &[&sign[..], &[format, "--bundle", "theirs.json", "blob"]].concat())
        {
            assert!(signed.status.success(), "{}", stderr(&signed));
            assert_eq!(
                String::from_utf8(ours).unwrap(),
                fs::read_to_string(world.path("theirs.json")).unwrap()
            );
        }
        // The key alone still verifies it, though Cosign wants the certificate's root for the newer format.
        let verify = ["verify-blob", "--insecure-ignore-tlog", "--key", "key.pub", "--bundle", "ours.json"];
        world.ok(&[&verify[..], &["blob"]].concat(), None);
        assert!(!world.run(&[&verify[..], &["changed"]].concat(), None).status.success());
    }
    // Without a word of certificates Cosign verifies it with the key.
    let mut command = world.prepare(support::countersign(), &sign, None);
    command.args(["--bundle", "bare.json", "blob"]).env("COSIGN_PKCS11_IGNORE_CERTIFICATE", "1");
    support::succeed(&mut command);
    assert!(fs::read_to_string(world.path("bare.json")).unwrap().contains("\"publicKey\""));
    let verify =
        ["verify-blob", "--insecure-ignore-tlog", "--key", "key.pub", "--bundle", "bare.json", "blob"];
    if let Some(verified) = cosign(&world, &verify) {
        assert!(verified.status.success(), "{}", stderr(&verified));
    }
}

#[test]
fn a_certificate_is_replaced_only_when_told() {
    let Some((_token, world)) = world() else { return };
    let (first, second) = (certificate(&world, "first", false), certificate(&world, "second", true));
    world.ok(&["keys", "import-certificate", KEY, &first], Some(PIN));
    // The same again changes nothing and asks nothing.
    world.ok(&["keys", "import-certificate", KEY, &first], None);
    world.refuse(&["keys", "import-certificate", KEY, &second], Some(PIN), &["CN=first", "-y"]);
    assert_eq!(world.ok(&["keys", "certificate", KEY], None).stdout, fs::read(world.path(&first)).unwrap());
    world.ok(&["keys", "import-certificate", "-y", KEY, &second], Some(PIN));
    assert_eq!(world.ok(&["keys", "certificate", KEY], None).stdout, fs::read(world.path(&second)).unwrap());
    // A self-issued certificate says nothing that the key does not.
    world.sign(KEY, "bundle.json", Some(PIN));
    assert!(fs::read_to_string(world.path("bundle.json")).unwrap().contains("\"publicKey\""));
}

#[test]
fn deletes_one_key_with_all_that_belongs_to_it_when_told() {
    let Some((_token, world)) = world() else { return };
    let issued = certificate(&world, "issued", false);
    world.ok(&["keys", "import-certificate", KEY, &issued], Some(PIN));
    let listed = || {
        let mut lines: Vec<_> =
            stdout(&world.ok(&["keys", "list", "pkcs11:"], None)).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let before = listed();
    world.refuse(&["keys", "delete", KEY], Some(PIN), &["not confirmed", "-y", "private key", "certificate"]);
    world.refuse(&["keys", "delete", "-y", "pkcs11:token=countersign"], Some(PIN), &["it names no key"]);
    world.refuse(
        &["keys", "delete", "-y", "pkcs11:object=absent"],
        Some(PIN),
        &["no private key has this label"],
    );
    assert_eq!(listed(), before);
    let said = stderr(&world.ok(&["keys", "delete", "-y", KEY], Some(PIN)));
    assert_eq!(said.matches("Deleted the ").count(), 3, "{said}");
    let left: Vec<_> = before.into_iter().filter(|line| !line.contains("object=rsa2048")).collect();
    assert_eq!(listed(), left);
    world.refuse(&refused_sign(KEY), Some(PIN), &["no private key has this label"]);
    world.sign(OTHER, "other.json", Some(PIN));
}
