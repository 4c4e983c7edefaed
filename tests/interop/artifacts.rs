//! What Cosign's older and experimental flags for images do: artifacts that refer to the image, signatures beside the registry,
//! SBOMs signed for themselves.

use std::process::Output;

use countersign_core::KeyType;

use super::rig::{self, Rig};
use crate::support;
use crate::support::registry::{BOTH, Registry};

const SIGN: [&str; 6] =
    ["sign", "-y", "--tlog-upload=false", "--use-signing-config=false", "--new-bundle-format=false", "--key"];
const VERIFY: [&str; 3] = ["verify", "--insecure-ignore-tlog", "--key"];
const SIDES: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

fn run(rig: &Rig, by_us: bool, arguments: &[&str]) -> Output {
    let mut command = if by_us { rig.ours(arguments) } else { rig.cosign(arguments) };
    // Cosign wants it for the mode of OCI 1.1.
    command.env("COSIGN_EXPERIMENTAL", "1").output().expect("it starts")
}

fn succeed(rig: &Rig, by_us: bool, arguments: &[&str]) -> Output {
    let output = run(rig, by_us, arguments);
    assert!(output.status.success(), "by us {by_us}: {arguments:?}: {}", rig::said(&output));
    output
}

fn keys() -> (String, String, String) {
    (rig::sealed_by_ours(KeyType::P256), rig::public(KeyType::P256), rig::public(KeyType::Rsa2048))
}

#[test]
fn signatures_in_artifacts_that_refer_to_the_image_are_read_by_both() {
    let Some(rig) = Rig::new() else { return };
    let (key, public, stranger) = keys();
    for offers in BOTH {
        let Some(registry) = Registry::start(offers) else { return };
        for (signed_by_us, verified_by_us) in SIDES {
            let name = format!("app-{signed_by_us}-{verified_by_us}");
            let image = format!("{}@{}", registry.name(&name), registry.image(&name, "v1", &name));
            let mode = ["--registry-referrers-mode", "oci-1-1", "-a", "a=b", &image];
            succeed(&rig, signed_by_us, &[&SIGN[..], &[&key], &mode].concat());
            let layout = ["--experimental-oci11", "--new-bundle-format=false"];
            // Ours reads what refers to the image whatever the flags say.
            let layout = if verified_by_us { &layout[..0] } else { &layout[..] };
            let verify = |key: &str, note: &str| {
                run(&rig, verified_by_us, &[&VERIFY[..], &[key, "-a", note], layout, &[&image]].concat())
            };
            let what = format!("{offers:?} signed by us {signed_by_us}, verified by us {verified_by_us}");
            let answer = verify(&public, "a=b");
            assert!(answer.status.success(), "{what}: {}", rig::said(&answer));
            assert!(!verify(&stranger, "a=b").status.success(), "{what}: another key");
            assert!(!verify(&public, "a=c").status.success(), "{what}: another annotation");
            if signed_by_us && verified_by_us {
                let again = run(&rig, true, &[&SIGN[..], &[&key], &mode].concat());
                assert!(rig::said(&again).contains("nothing to do"), "{}", rig::said(&again));
                // There is no tag of the older layout, and a bundle is another thing.
                let tag = format!("{}.sig", image.split('@').nth(1).unwrap().replace(':', "-"));
                assert!(registry.read(&name, &tag).is_none());
            }
        }
    }
}

#[test]
fn sboms_in_artifacts_are_found() {
    let Some(rig) = Rig::new() else { return };
    rig.write("sbom", b"SPDXVersion: SPDX-2.3\n");
    for offers in BOTH {
        let Some(registry) = Registry::start(offers) else { return };
        for by_us in [true, false] {
            let name = format!("sbom-{by_us}");
            let image = format!("{}@{}", registry.name(&name), registry.image(&name, "v1", &name));
            let mode = ["--sbom", "sbom", "--registry-referrers-mode", "oci-1-1", &image];
            succeed(&rig, by_us, &[&["attach", "sbom"][..], &mode].concat());
            let found = succeed(&rig, true, &["download", "sbom", &image]);
            assert_eq!(support::stdout(&found), "SPDXVersion: SPDX-2.3\n", "{offers:?} {by_us}");
            let tree = succeed(&rig, true, &["tree", "--registry-referrers-mode", "oci-1-1", &image]);
            assert!(support::stdout(&tree).contains("artifact.sbom.v1+json"), "{}", support::stdout(&tree));
        }
    }
}

#[test]
fn sboms_of_images_are_signed_for_themselves() {
    let Some(rig) = Rig::new() else { return };
    let (key, public, stranger) = keys();
    rig.write("sbom", b"SPDXVersion: SPDX-2.3\n");
    for offers in BOTH {
        let Some(registry) = Registry::start(offers) else { return };
        for (signed_by_us, verified_by_us) in SIDES {
            let name = format!("own-{signed_by_us}-{verified_by_us}");
            let image = format!("{}@{}", registry.name(&name), registry.image(&name, "v1", &name));
            let verify = |key: &str, more: &[&str]| {
                let layout = ["--new-bundle-format=false", &image];
                run(&rig, verified_by_us, &[&VERIFY[..], &[key], more, &layout].concat())
            };
            assert!(!verify(&public, &["--attachment", "sbom"]).status.success(), "there is none");
            succeed(&rig, signed_by_us, &["attach", "sbom", "--sbom", "sbom", &image]);
            succeed(&rig, signed_by_us, &[&SIGN[..], &[&key, "--attachment", "sbom", &image]].concat());
            let what = format!("{offers:?} signed by us {signed_by_us}, verified by us {verified_by_us}");
            let answer = verify(&public, &["--attachment", "sbom"]);
            assert!(answer.status.success(), "{what}: {}", rig::said(&answer));
            assert!(!verify(&stranger, &["--attachment", "sbom"]).status.success(), "{what}: another key");
            // The image itself is not signed.
            assert!(!verify(&public, &[]).status.success(), "{what}: the image");
        }
    }
}

#[test]
fn signatures_that_never_were_in_a_registry_are_read_by_both() {
    let Some(rig) = Rig::new() else { return };
    let (key, public, stranger) = keys();
    let [Some(registry), ..] = BOTH.map(Registry::start) else { return };
    for (signed_by_us, verified_by_us) in SIDES {
        let name = format!("detached-{signed_by_us}-{verified_by_us}");
        let image = format!("{}@{}", registry.name(&name), registry.image(&name, "v1", &name));
        let other = format!("{}@{}", registry.name(&name), registry.image(&name, "v2", "other"));
        let (signature, payload) = (format!("{name}.sig"), format!("{name}.payload"));
        let files =
            ["--output-signature", &signature, "--output-payload", &payload, "--upload=false", &image];
        succeed(&rig, signed_by_us, &[&SIGN[..], &[&key], &files].concat());
        let verify = |key: &str, image: &str, more: &[&str]| {
            let given = ["--new-bundle-format=false", "--signature", &signature, image];
            run(&rig, verified_by_us, &[&VERIFY[..], &[key], more, &given].concat())
        };
        let what = format!("signed by us {signed_by_us}, verified by us {verified_by_us}");
        for more in [&["--payload", payload.as_str()][..], &[]] {
            let answer = verify(&public, &image, more);
            assert!(answer.status.success(), "{what} {more:?}: {}", rig::said(&answer));
            assert!(!verify(&stranger, &image, more).status.success(), "{what}: another key");
            assert!(!verify(&public, &other, more).status.success(), "{what}: another image");
        }
        rig.write("changed-payload", &[rig.read(&payload), b" ".to_vec()].concat());
        let answer = verify(&public, &image, &["--payload", "changed-payload"]);
        assert!(!answer.status.success(), "{what}: other claims");
    }
}

/// An authority and a certificate of its for the key, by OpenSSL. The issuer of the identity stands in it twice, as Fulcio writes it:
/// Cosign reads the older one here, a bare string.
fn certify(rig: &Rig, key: KeyType) {
    const NAMES: &str = "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\nsubjectAltName=email:dev@example.com\n\
        1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:https://issuer.example\n1.3.6.1.4.1.57264.1.1=DER:68:74:74:70:73:3a:2f:2f:69:73:73:75:65:72:2e:65:78:61:6d:70:6c:65\n";
    rig.write("ext", NAMES.as_bytes());
    let plain = rig::plain(key);
    for arguments in [
        &[
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj",
            "/CN=own", "-days", "2",
        ][..],
        &["req", "-new", "-key", &plain, "-subj", "/CN=dev", "-out", "csr"],
        &[
            "x509",
            "-req",
            "-in",
            "csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-out",
            "leaf.pem",
            "-days",
            "2",
            "-extfile",
            "ext",
        ],
    ] {
        support::succeed(&mut rig.openssl(arguments));
    }
}

#[test]
fn a_certificate_beside_the_registry_says_who_signed() {
    let Some(rig) = Rig::new() else { return };
    let (key, ..) = keys();
    let [Some(registry), ..] = BOTH.map(Registry::start) else { return };
    certify(&rig, KeyType::P256);
    let image = format!("{}@{}", registry.name("app"), registry.image("app", "v1", "app"));
    succeed(&rig, true, &[&SIGN[..], &[&key, &image]].concat());
    let stranger = format!("{}@{}", registry.name("other"), registry.image("other", "v1", "other"));
    let other = rig::sealed_by_ours(KeyType::Rsa2048);
    succeed(&rig, true, &[&SIGN[..], &[&other, &stranger]].concat());
    for by_us in [true, false] {
        let verify = |who: &str, more: &[&str], image: &str| {
            let base =
                ["verify", "--insecure-ignore-tlog", "--insecure-ignore-sct", "--new-bundle-format=false"];
            let named =
                ["--certificate-oidc-issuer", "https://issuer.example", "--certificate-identity", who, image];
            run(&rig, by_us, &[&base[..], more, &named].concat())
        };
        let given = ["--certificate", "leaf.pem", "--certificate-chain", "ca.pem"];
        let answer = verify("dev@example.com", &given, &image);
        assert!(answer.status.success(), "by us {by_us}: {}", rig::said(&answer));
        assert!(!verify("else@example.com", &given, &image).status.success(), "by us {by_us}: another name");
        assert!(!verify("dev@example.com", &given, &stranger).status.success(), "by us {by_us}: another key");
        let none = verify("dev@example.com", &given[2..], &image);
        assert!(!none.status.success(), "by us {by_us}: without a certificate");
    }
    // One that comes with its own certificate has no use for another.
    let sign = [&SIGN[..], &[&key, "--certificate", "leaf.pem", "--certificate-chain", "ca.pem"]].concat();
    let certified = format!("{}@{}", registry.name("own"), registry.image("own", "v1", "own"));
    succeed(&rig, true, &[&sign[..], &[&certified]].concat());
    let verify = |certificate: &str| {
        let who = [
            "--certificate-identity",
            "dev@example.com",
            "--certificate-oidc-issuer",
            "https://issuer.example",
        ];
        let given = [
            "--insecure-ignore-sct",
            "--certificate",
            certificate,
            "--certificate-chain",
            "ca.pem",
            &certified,
        ];
        run(&rig, true, &[&["verify", "--insecure-ignore-tlog"][..], &who, &given].concat())
    };
    assert!(verify("leaf.pem").status.success(), "{}", rig::said(&verify("leaf.pem")));
    let answer = verify("ca.pem");
    assert_eq!(answer.status.code(), Some(12), "{}", rig::said(&answer));
    assert!(rig::said(&answer).contains("another certificate"), "{}", rig::said(&answer));
}
