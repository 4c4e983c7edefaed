//! Registries that lie, or break down: nothing that they say is used unproven, and nothing ends in silence.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_core::HashAlgorithm;
use serde_json::{Value, json};
use wait4::Wait4;

use super::world::{SIGN, VERIFY, World, said};
use crate::support::exchange::{Message, forward};
use crate::support::front::{Front, answer, cut};
use crate::support::registry::{INDEX, MANIFEST, Offers};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A signed image behind a front, by its name there.
fn behind(
    world: &World,
    offers: &[&str],
    rule: impl Fn(&Message, usize) -> Option<Message> + Send + Sync + 'static,
) -> (Front, String) {
    let image = world.signed("app", offers);
    let front = Front::new(world.registry.address(), rule);
    let name = format!("{}/app@{}", front.address(), image.split('@').nth(1).unwrap());
    (front, name)
}

fn refuse(world: &World, name: &str, code: i32, words: &str) -> String {
    world.refuse(&[&VERIFY[..], &["--key", "key.pub", name]].concat(), code, words)
}

/// E.2 23
#[test]
fn a_manifest_or_blob_that_is_another_on_the_way_is_not_used() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let address = world.registry.address().to_owned();
    for (part, words) in
        [("/manifests/sha256:", "answers with another"), ("/blobs/sha256:", "is something else")]
    {
        let backend = address.clone();
        let (_front, name) = behind(&world, &["--again"], move |request, _| {
            request.path().contains(part).then(|| {
                let mut answer = forward(&backend, request);
                // The same length, and still JSON.
                let text = String::from_utf8_lossy(&answer.body).replacen("sigstore", "sigstora", 1);
                answer.body = text.into_bytes();
                answer
            })
        });
        refuse(&world, &name, 12, words);
    }
}

/// E.2 21
#[test]
fn lists_without_end_and_too_long_are_refused() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let (front, name) = behind(&world, &[], |request, _| {
        request.path().contains("/referrers/").then(|| {
            let body = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string();
            answer(200, &[("link", r#"</v2/app/referrers/again?page=2>; rel="next""#)], body.as_bytes())
        })
    });
    refuse(&world, &name, 1, "more than 100 pages");
    assert!(front.take().len() <= 101);
    let many = |count: usize| {
        let one = json!({"mediaType": MANIFEST, "digest": format!("sha256:{}", "0".repeat(64)), "size": 2, "artifactType": BUNDLE});
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": vec![one; count]}).to_string()
    };
    let (front, name) = behind(&world, &["--again"], move |request, _| {
        request.path().contains("/referrers/").then(|| answer(200, &[], many(10_000).as_bytes()))
    });
    refuse(&world, &name, 1, "at most 1000");
    assert_eq!(front.take().len(), 1);
}

/// E.2 21: however much is sent, no more of it is held than is judged: some 390 MB here, 1.5 GB without the bounds.
#[test]
fn bundles_of_any_number_and_size_take_no_more_memory() {
    const MOST: u64 = 640 << 20;
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    // JSON that takes sixteen times its length, each another one.
    let junk = |number: usize| {
        let mut text = format!(r#"{{"mediaType":"{BUNDLE}","junk":[{number}"#);
        text.push_str(&",0".repeat(4 << 20));
        text + "]}"
    };
    let image = world.signed("app", &[]);
    let (mut blobs, mut manifests, mut entries) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for number in 0..24 {
        let digest = |text: &str| HashAlgorithm::Sha256.digest(text.as_bytes()).to_string();
        let text = junk(number);
        let layer = json!({"mediaType": BUNDLE, "digest": digest(&text), "size": text.len()});
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE, "config": layer, "layers": [layer]});
        let manifest = manifest.to_string();
        entries.push(json!({"mediaType": MANIFEST, "digest": digest(&manifest), "size": manifest.len(), "artifactType": BUNDLE}));
        blobs.insert(digest(&text), number);
        manifests.insert(digest(&manifest), manifest);
    }
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
    let front = Front::new(world.registry.address(), move |request, _| {
        let name = request.path().rsplit('/').next().unwrap_or_default();
        if request.path().contains("/referrers/") {
            return Some(answer(200, &[], list.as_bytes()));
        }
        let manifest = manifests.get(name).map(|manifest| answer(200, &[], manifest.as_bytes()));
        manifest.or_else(|| blobs.get(name).map(|number| answer(200, &[], junk(*number).as_bytes())))
    });
    let name = format!("{}/app@{}", front.address(), image.split('@').nth(1).unwrap());
    let mut command =
        world.command(&[&VERIFY[..], &["--key", "key.pub", "--timeout", "10m", &name]].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let used = child.wait4().expect("a child can be waited for");
    assert_eq!(used.status.code(), Some(12), "{said}");
    assert!(said.contains("values") && said.contains("and 18 more"), "{said}");
    assert!(used.rusage.maxrss < MOST, "it takes {} bytes", used.rusage.maxrss);
}

/// E.2 21: 10,000 layers, and sizes that are not so.
#[test]
fn layers_without_number_and_false_sizes_are_refused() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let layer = |size: u64| json!({"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": format!("sha256:{}", "0".repeat(64)), "size": size, "annotations": {"dev.cosignproject.cosign/signature": "MEQ="}});
    let manifest = |layers: Vec<Value>| {
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": layer(2), "layers": layers}).to_string()
    };
    for (body, words, code) in [
        (manifest(vec![layer(2); 10_000]), "at most 1000", 1),
        (manifest(vec![layer(1 << 40)]), "at most 134217728 are taken", 12),
        (manifest(vec![layer(u64::MAX)]), "at most 134217728 are taken", 12),
    ] {
        let (front, name) = behind(&world, &["--again"], move |request, _| {
            request
                .path()
                .ends_with(".sig")
                .then(|| answer(200, &[("content-type", MANIFEST)], body.as_bytes()))
        });
        let verify = [&VERIFY[..], &["--new-bundle-format=false", "--key", "key.pub", &name]].concat();
        world.refuse(&verify, code, words);
        assert!(front.take().len() <= 2);
    }
    // More bytes than were announced, and fewer.
    for (more, words) in [(true, "larger than"), (false, "is said to have")] {
        let backend = world.registry.address().to_owned();
        let (_front, name) = behind(&world, &["--again", "--format", "legacy"], move |request, _| {
            (request.start.starts_with("GET") && request.path().contains("/blobs/")).then(|| {
                let mut answer = forward(&backend, request);
                if more {
                    answer.body.extend_from_slice(&[b' '; 100])
                } else {
                    answer.body.truncate(10)
                }
                answer
            })
        });
        let verify = [&VERIFY[..], &["--new-bundle-format=false", "--key", "key.pub", &name]].concat();
        world.refuse(&verify, 12, words);
    }
}

/// E.2 24: what the registry refuses to show is never taken for nothing.
#[test]
fn a_list_that_is_refused_is_an_error_and_not_a_look_at_the_older_layout() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    for (status, words) in
        [(401, "status 401"), (403, "status 403"), (500, "status 500"), (302, "status 302")]
    {
        let (front, name) = behind(&world, &["--again", "--format", "both"], move |request, _| {
            let headers = [("location", "http://127.0.0.1:9/elsewhere")];
            request.path().contains("/referrers/").then(|| answer(status, &headers, b"{}"))
        });
        refuse(&world, &name, 1, words);
        assert!(
            front.asked().iter().all(|path| path.contains("/referrers/")),
            "{status}: another layout was read"
        );
    }
    let (_front, name) = behind(&world, &["--again", "--format", "both"], |request, _| {
        request.path().contains("/referrers/").then(|| answer(200, &[], b"<html>"))
    });
    refuse(&world, &name, 1, "list what refers to");
}

#[test]
fn trouble_of_the_moment_passes_and_a_throttle_is_named() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let (front, name) = behind(&world, &[], |_, number| match number {
        0 => Some(answer(503, &[], b"")),
        2 => Some(answer(429, &[("retry-after", "0")], b"")),
        4 => Some(cut()),
        _ => None,
    });
    world.succeed(&[&VERIFY[..], &["--key", "key.pub", &name]].concat());
    assert_eq!(front.take().len(), 6);
    let (_front, name) = behind(&world, &["--again"], |_, _| {
        Some(answer(
            429,
            &[("retry-after", "0")],
            br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#,
        ))
    });
    refuse(&world, &name, 1, "TOOMANYREQUESTS, slow down");
}

/// E.2 26: a header says that the registry keeps the list, and it does not.
#[test]
fn a_subject_header_alone_proves_nothing() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let digest = world.registry.image("app", "v1", "app");
    let backend = world.registry.address().to_owned();
    let front = Front::new(world.registry.address(), move |request, _| {
        request.start.starts_with("PUT").then(|| {
            let mut answer = forward(&backend, request);
            answer.headers.push(("oci-subject".to_owned(), "sha256:0".to_owned()));
            answer
        })
    });
    let name = format!("{}/app@{digest}", front.address());
    world.succeed(&[&SIGN[..], &["--key", "key.pem", &name]].concat());
    world.succeed(&[&VERIFY[..], &["--key", "key.pub", &name]].concat());
    assert!(world.registry.read("app", &digest.replace(':', "-")).is_some(), "the index stands for the list");
}

/// A registry that keeps a list takes the signature and lists it never.
#[test]
fn a_signature_that_nobody_finds_is_no_success() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let digest = world.registry.image("app", "v1", "app");
    let front = Front::new(world.registry.address(), |request, _| {
        request.path().contains("/referrers/").then(|| {
            answer(
                200,
                &[],
                json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string().as_bytes(),
            )
        })
    });
    let name = format!("{}/app@{digest}", front.address());
    world.refuse(&[&SIGN[..], &["--key", "key.pem", &name]].concat(), 1, "nobody finds it");
}

/// Somebody who does not look writes over the index each time.
#[test]
fn an_entry_that_is_lost_every_time_is_no_success() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let digest = world.registry.image("app", "v1", "app");
    let tag = digest.replace(':', "-");
    let writes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&writes);
    let front = Front::new(world.registry.address(), move |request, _| {
        if !request.path().ends_with(&format!("/manifests/{tag}")) {
            return None;
        }
        if request.start.starts_with("PUT") {
            counted.fetch_add(1, Ordering::SeqCst);
            return Some(answer(201, &[], b""));
        }
        Some(answer(
            200,
            &[("content-type", INDEX)],
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string().as_bytes(),
        ))
    });
    let name = format!("{}/app@{digest}", front.address());
    let sign = [&SIGN[..], &["--timeout", "20s", "--key", "key.pem", &name]].concat();
    let output = world.run(&sign);
    assert!(!output.status.success(), "{}", said(&output));
    assert!(writes.load(Ordering::SeqCst) > 3, "it tries again");
}

/// Whatever ends the run, nothing refers to what is not there.
#[test]
fn an_interrupted_push_leaves_nothing_that_refers_to_nothing() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    for (layout, tag_ending) in [("bundle", ""), ("legacy", ".sig")] {
        // The connection is cut for good at each of the first requests in turn.
        for at in 1..10 {
            let repository = format!("cut-{layout}-{at}");
            let digest = world.registry.image(&repository, "v1", &repository);
            let front = Front::new(world.registry.address(), move |_, number| (number >= at).then(cut));
            let name = format!("{}/{repository}@{digest}", front.address());
            let output = world.run(
                &[&SIGN[..], &["--format", layout, "--timeout", "5s", "--key", "key.pem", &name]].concat(),
            );
            assert!(!output.status.success(), "{layout} {at}: {}", said(&output));
            let tag = format!("{}{tag_ending}", digest.replace(':', "-"));
            let Some(listed) = world.registry.read(&repository, &tag) else { continue };
            for part in ["manifests", "layers"] {
                for one in listed[part].as_array().into_iter().flatten() {
                    let digest = one["digest"].as_str().unwrap();
                    let kind = if part == "manifests" { "manifests" } else { "blobs" };
                    let found =
                        world.registry.ask("GET", &format!("/v2/{repository}/{kind}/{digest}"), "", b"");
                    assert_eq!(found.status(), 200, "{layout} {at}: {digest} is not there");
                }
            }
        }
    }
}
