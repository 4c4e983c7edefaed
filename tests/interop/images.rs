//! Images that one tool signed and the other verifies: in registries with and without lists of referrers, in both layouts, with
//! every kind of key.

use std::process::{Command, Output};

use countersign_core::KeyType;

use super::rig::{self, Rig};
use crate::support;
use crate::support::registry::{BOTH, Offers, Registry};
use crate::support::sigstore::Sigstore;
use crate::support::tokens::{PIN, Rig as _, SoftHsm, TOKEN};

const KEYS: [KeyType; 5] = [KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Rsa2048, KeyType::Ed25519];

/// What both tools need to work without services. Ours knows the last flag too.
const SIGN: [&str; 4] = ["sign", "-y", "--tlog-upload=false", "--use-signing-config=false"];
const ATTEST: [&str; 4] = ["attest", "-y", "--tlog-upload=false", "--use-signing-config=false"];
const VERIFY: [&str; 2] = ["verify", "--insecure-ignore-tlog"];
const VERIFY_ATTESTATION: [&str; 2] = ["verify-attestation", "--insecure-ignore-tlog"];

/// The layouts, as both tools' flag says them.
const LAYOUTS: [&str; 2] = ["--new-bundle-format=true", "--new-bundle-format=false"];

/// What Cosign v3.1.3 does not verify. It checks with SHA-256 whatever the key, and files sign with the curve's own hash; ours
/// does that in bundles, and signs the older layout with SHA-256. With Ed25519 it signs a digest and checks the whole.
fn cosign_refuses(case: &Case) -> bool {
    match case.key {
        KeyType::P384 | KeyType::P521 => !case.by_us || case.layout.ends_with("true"),
        KeyType::Ed25519 => !case.by_us,
        _ => false,
    }
}

struct Case {
    offers: Offers,
    key: KeyType,
    layout: &'static str,
    by_us: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for offers in BOTH {
        for key in KEYS {
            for layout in LAYOUTS {
                for by_us in [true, false] {
                    cases.push(Case { offers, key, layout, by_us });
                }
            }
        }
    }
    cases
}

fn run(rig: &Rig, by_us: bool, arguments: &[&str]) -> Output {
    if by_us { rig.ours(arguments) } else { rig.cosign(arguments) }.output().expect("it starts")
}

#[test]
fn each_tool_verifies_the_images_that_the_other_signed() {
    let Some(rig) = Rig::new() else { return };
    let registries = BOTH.map(Registry::start);
    let [Some(listing), Some(tagging)] = registries else { return };
    let failures = rig::in_parallel(&cases(), |case| {
        let registry = if case.offers == Offers::Referrers { &listing } else { &tagging };
        let name =
            format!("image-{}-{}-{}", case.key, case.layout.contains("true"), case.by_us).to_lowercase();
        let image = format!("{}@{}", registry.name(&name), registry.image(&name, "v1", &name));
        let other = format!("{}@{}", registry.name(&name), registry.image(&name, "v2", "another"));
        let sealed = if case.by_us { rig::sealed_by_ours(case.key) } else { rig::sealed_by_cosign(case.key) };
        let signed = run(
            &rig,
            case.by_us,
            &[&SIGN[..], &[case.layout, "-a", "env=prod", "--key", &sealed, &image]].concat(),
        );
        let what = format!("{:?} {name}", case.offers);
        if !signed.status.success() {
            // With Ed25519 Cosign does not even end signing a bundle.
            let known = !case.by_us && case.key == KeyType::Ed25519;
            return if known { vec![] } else { vec![format!("{what}: {}", rig::said(&signed))] };
        }
        let mut failures = Vec::new();
        let public = rig::public(case.key);
        for by_us in [true, false] {
            let verify = |key: &str, annotation: &str, image: &str| {
                run(
                    &rig,
                    by_us,
                    &[&VERIFY[..], &[case.layout, "-a", annotation, "--key", key, image]].concat(),
                )
            };
            let answer = verify(&public, "env=prod", &image);
            let known = !by_us && cosign_refuses(case);
            if answer.status.success() == known {
                failures.push(format!("{what} verified by us {by_us}: {}", rig::said(&answer)));
            }
            let stranger =
                rig::public(if case.key == KeyType::P256 { KeyType::Rsa2048 } else { KeyType::P256 });
            for (why, answer) in [
                ("another key", verify(&stranger, "env=prod", &image)),
                ("another annotation", verify(&public, "env=test", &image)),
                ("another image", verify(&public, "env=prod", &other)),
            ] {
                if answer.status.success() {
                    failures.push(format!("{what} verified by us {by_us}: accepts {why}"));
                }
            }
        }
        failures
    });
    let failures: Vec<_> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_tool_verifies_the_others_attestations_of_images() {
    let Some(rig) = Rig::new() else { return };
    rig.write("predicate", br#"{"scanner":{"uri":"x"},"metadata":{"scanStartedOn":"2026-01-01T00:00:00Z","scanFinishedOn":"2026-01-01T00:00:00Z"}}"#);
    let (key, public) = (rig::sealed_by_ours(KeyType::P256), rig::public(KeyType::P256));
    for offers in BOTH {
        let Some(registry) = Registry::start(offers) else { return };
        for (number, (layout, by_us)) in
            LAYOUTS.into_iter().flat_map(|layout| [(layout, true), (layout, false)]).enumerate()
        {
            let name = format!("attested-{number}");
            let image = format!("{}@{}", registry.name(&name), registry.image(&name, "v1", &name));
            let other = format!("{}@{}", registry.name(&name), registry.image(&name, "v2", "another"));
            let given = [layout, "--key", &key, "--predicate", "predicate", "--type", "vuln", &image];
            let attested = run(&rig, by_us, &[&ATTEST[..], &given].concat());
            assert!(attested.status.success(), "{offers:?} {layout} {by_us}: {}", rig::said(&attested));
            for verified_by_us in [true, false] {
                let verify = |kind: &str, image: &str| {
                    let given = [layout, "--key", &public, "--type", kind, image];
                    run(&rig, verified_by_us, &[&VERIFY_ATTESTATION[..], &given].concat())
                };
                let answer = verify("vuln", &image);
                let what = format!("{offers:?} {layout} made by us {by_us}, verified by us {verified_by_us}");
                assert!(answer.status.success(), "{what}: {}", rig::said(&answer));
                // The envelopes that both print are one; an empty name of a key may be left out.
                let printed = support::stdout(&answer).replace(r#""keyid":"","#, "");
                let printed: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
                let ours = run(
                    &rig,
                    true,
                    &[&VERIFY_ATTESTATION[..], &[layout, "--key", &public, "--type", "vuln", &image]]
                        .concat(),
                );
                let ours: serde_json::Value = serde_json::from_str(&support::stdout(&ours)).expect("JSON");
                assert_eq!(printed, ours, "{what}");
                assert!(!verify("slsaprovenance1", &image).status.success(), "{what}: accepts another type");
                assert!(!verify("vuln", &other).status.success(), "{what}: accepts another image");
            }
        }
    }
}

/// What each prints of a signature is one JSON document, but for the name that Cosign's own flags make of it.
#[test]
fn what_verify_prints_is_what_cosign_prints() {
    let Some(rig) = Rig::new() else { return };
    let (key, public) = (rig::sealed_by_ours(KeyType::P256), rig::public(KeyType::P256));
    for offers in BOTH {
        let Some(registry) = Registry::start(offers) else { return };
        for layout in LAYOUTS {
            let name = format!("printed-{}", layout.len());
            registry.image(&name, "v1", &name);
            let image = format!("{}:v1", registry.name(&name));
            for annotation in ["team=a", "team=b"] {
                let sign = [&SIGN[..], &[layout, "-a", annotation, "--key", &key, &image]].concat();
                assert!(run(&rig, true, &sign).status.success());
            }
            for output in ["json", "text"] {
                let verify = [&VERIFY[..], &[layout, "--key", &public, "-o", output, &image]].concat();
                let lines = |by_us| {
                    let answer = run(&rig, by_us, &verify);
                    assert!(answer.status.success(), "{}", rig::said(&answer));
                    let text = support::stdout(&answer);
                    let values = text.lines().filter(|line| !line.is_empty());
                    let values =
                        values.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
                    let mut values: Vec<_> = values
                        .flat_map(|value| value.as_array().cloned().unwrap_or_else(|| vec![value]))
                        .collect();
                    values.sort_by_key(ToString::to_string);
                    values
                };
                assert_eq!(lines(true), lines(false), "{offers:?} {layout} {output}");
            }
        }
    }
}

/// Without a log: the one library of another maker that needs none.
#[test]
fn sigstore_js_takes_our_signatures_of_images() {
    let Some(rig) = Rig::new() else { return };
    let Some(program) = super::clients::verifier("sigstore-js") else { return };
    let Some(registry) = Registry::start(Offers::Referrers) else { return };
    rig.write("root.json", br#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#);
    for key in KEYS {
        let name = format!("js-{key}").to_lowercase();
        let image = format!("{}@{}", registry.name(&name), registry.image(&name, "v1", &name));
        let sealed = rig::sealed_by_ours(key);
        let signed = run(&rig, true, &[&SIGN[..], &["--key", &sealed, &image]].concat());
        assert!(signed.status.success(), "{name}: {}", rig::said(&signed));
        let bundle = support::stdout(&run(&rig, true, &["download", "signature", &image]));
        rig.write("bundle", bundle.as_bytes());
        // The name of the statement's type, with one letter changed.
        let changed = bundle.replacen("eyJfdHlwZSI6", "eyJfdHlwYSI6", 1);
        rig.write("changed-bundle", changed.as_bytes());
        let verify = |bundle: &str, public: &str| {
            let mut command = Command::new(&program);
            command.args(["root.json", public, bundle, rig::ARTIFACT, "0"]).current_dir(rig.path(""));
            command.output().expect("it starts")
        };
        let answer = verify("bundle", &rig::public(key));
        // Of an envelope it takes SHA-256 whatever the curve, as Cosign does.
        let accepts = !matches!(key, KeyType::P384 | KeyType::P521);
        assert_eq!(answer.status.success(), accepts, "{name}: {}", rig::said(&answer));
        let stranger = if key == KeyType::P256 { KeyType::Rsa2048 } else { KeyType::P256 };
        assert!(!verify("bundle", &rig::public(stranger)).status.success(), "{name}: another key");
        assert_ne!(bundle, changed);
        assert!(!verify("changed-bundle", &rig::public(key)).status.success(), "{name}: another statement");
    }
}

/// A key in an HSM, by its URI alone, in both layouts at once.
#[test]
fn a_token_signs_images_and_cosign_verifies_them() {
    let Some(rig) = Rig::new() else { return };
    let Some(token) = SoftHsm::new() else { return };
    rig.write_public_keys(&token);
    for offers in BOTH {
        let Some(registry) = Registry::start(offers) else { return };
        for key in [KeyType::P256, KeyType::Rsa2048] {
            let name = format!("token-{key}").to_lowercase();
            let image = format!("{}@{}", registry.name(&name), registry.image(&name, "v1", &name));
            let (label, module) = (rig::label(key), token.module().display());
            let uri = format!("pkcs11:token={TOKEN};object={label}?module-path={module}&pin-value={PIN}");
            let sign = [&SIGN[..], &["--format", "both", "--key", &uri, &image]].concat();
            let output = rig.ours(&sign).envs(token.environment()).output().expect("it starts");
            assert!(output.status.success(), "{name}: {}", rig::said(&output));
            let public = rig::public_of_token(key);
            for (layout, by_us) in LAYOUTS.into_iter().flat_map(|layout| [(layout, true), (layout, false)]) {
                let verify = [&VERIFY[..], &[layout, "--key", &public, &image]].concat();
                let answer = run(&rig, by_us, &verify);
                assert!(answer.status.success(), "{name} {layout} by us {by_us}: {}", rig::said(&answer));
            }
            // And what Cosign signs with the token, ours verifies.
            let sign = [&SIGN[..], &["-a", "by=cosign", "--key", &uri, &image]].concat();
            let output = rig.cosign(&sign).envs(token.environment()).output().expect("it starts");
            assert!(output.status.success(), "{name}: {}", rig::said(&output));
            let verify = [&VERIFY[..], &["-a", "by=cosign", "--key", &public, &image]].concat();
            let answer = run(&rig, true, &verify);
            assert!(answer.status.success(), "{name}: {}", rig::said(&answer));
        }
    }
}

/// With a log and a timestamp authority: each tool verifies the other's, and other makers' libraries take ours.
#[test]
fn witnessed_images_verify_everywhere() {
    let Some(services) = Sigstore::shared() else { return };
    let Some(rig) = Rig::new() else { return };
    let (key, public) = (rig::sealed_by_ours(KeyType::P256), rig::public(KeyType::P256));
    for offers in BOTH {
        let Some(registry) = Registry::start(offers) else { return };
        for by_us in [true, false] {
            let name = format!("witnessed-{by_us}");
            let image = format!("{}@{}", registry.name(&name), registry.image(&name, "v1", &name));
            let witnessed =
                ["--signing-config", services.signing_config(), "--trusted-root", services.trusted_root()];
            let sign = [&["sign", "-y", "--key", &key][..], &witnessed, &[&image]].concat();
            let signed = run(&rig, by_us, &sign);
            assert!(signed.status.success(), "{offers:?} {name}: {}", rig::said(&signed));
            // Signed once, with this evidence: there is nothing to do.
            if by_us {
                let again = run(&rig, true, &sign);
                assert!(rig::said(&again).contains("nothing to do"), "{}", rig::said(&again));
            }
            for verified_by_us in [true, false] {
                let verify = [
                    "verify",
                    "--key",
                    &public,
                    "--trusted-root",
                    services.trusted_root(),
                    "--use-signed-timestamps",
                ];
                let answer = run(&rig, verified_by_us, &[&verify[..], &[&image]].concat());
                assert!(
                    answer.status.success(),
                    "{offers:?} {name} by us {verified_by_us}: {}",
                    rig::said(&answer)
                );
            }
            // Another maker's library finds the manifest's digest in the statement. (sigstore-js takes no envelopes that a log
            // of version 2 holds.)
            if let (true, Some(program)) = (by_us, super::clients::verifier("sigstore-go")) {
                let digest = image.split('@').nth(1).unwrap();
                let manifest = registry.ask("GET", &format!("/v2/{name}/manifests/{digest}"), "", b"").body;
                rig.write("manifest", &manifest);
                let bundle = support::stdout(&run(&rig, true, &["download", "signature", &image]));
                rig.write("downloaded", bundle.as_bytes());
                let verify = |artifact: &str| {
                    let mut command = Command::new(&program);
                    command.args([services.trusted_root(), &public, "downloaded", artifact]);
                    command.current_dir(rig.path("")).output().expect("it starts")
                };
                let answer = verify("manifest");
                assert!(answer.status.success(), "{offers:?} {name}: {}", rig::said(&answer));
                assert!(!verify(rig::CHANGED).status.success(), "sigstore-go takes another image");
            }
            // Without a log there is no proof of one.
            let bare = format!("{}@{}", registry.name(&name), registry.image(&name, "v2", "bare"));
            assert!(run(&rig, true, &[&SIGN[..], &["--key", &key, &bare]].concat()).status.success());
            let verify = ["verify", "--key", &public, "--trusted-root", services.trusted_root(), &bare];
            let answer = run(&rig, true, &verify);
            assert_eq!(answer.status.code(), Some(12), "{}", rig::said(&answer));
        }
    }
}
