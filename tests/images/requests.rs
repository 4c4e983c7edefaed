//! How many requests each command makes: what a registry counts, and bills.

use super::world::{SIGN, VERIFY, World};
use crate::support::exchange::{Message, forward};
use crate::support::front::{Front, answer};
use crate::support::registry::Offers;

fn front(world: &World) -> Front {
    Front::new(world.registry.address(), |_, _| None)
}

#[test]
fn verifying_asks_three_times_by_digest_and_four_by_tag() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    world.signed("app", &[]);
    let digest = world.registry.image("app", "v1", "app");
    let front = front(&world);
    let verify = |name: String| {
        world.succeed(&[&VERIFY[..], &["--key", "key.pub", &name]].concat());
        front.asked()
    };
    let by_digest = verify(format!("{}/app@{digest}", front.address()));
    assert_eq!(by_digest.len(), 3, "{by_digest:?}");
    assert!(by_digest[0].contains("/referrers/") && by_digest[2].contains("/blobs/"), "{by_digest:?}");
    let by_tag = verify(format!("{}/app:v1", front.address()));
    assert_eq!(by_tag.len(), 4, "{by_tag:?}");
    // Without a signature: the list and the older tag.
    world.registry.image("app", "v2", "unsigned");
    let unsigned = world.registry.image("app", "v2", "unsigned");
    let name = format!("{}/app@{unsigned}", front.address());
    world.refuse(&[&VERIFY[..], &["--key", "key.pub", &name]].concat(), 10, "no signatures");
    let asked = front.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[test]
fn what_is_no_signature_is_not_fetched() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world.signed("app", &[]);
    world.write("predicate", "anything");
    for _ in 0..3 {
        let attest = ["attest", "-y", "--tlog-upload=false", "--key", "key.pem", "--predicate", "predicate"];
        world.succeed(&[&attest[..], &["--again", &image]].concat());
    }
    let front = front(&world);
    let name = format!("{}/app@{}", front.address(), image.split('@').nth(1).unwrap());
    world.succeed(&[&VERIFY[..], &["--key", "key.pub", &name]].concat());
    // No list of referrers, the index in its place, one manifest, one bundle.
    let asked = front.asked();
    assert_eq!(asked.len(), 4, "{asked:?}");
}

#[test]
fn signing_writes_once_and_looks_whether_it_is_found() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let front = front(&world);
    let digest = world.registry.image("app", "v1", "app");
    let name = format!("{}/app@{digest}", front.address());
    world.succeed(&[&SIGN[..], &["--key", "key.pem", &name]].concat());
    let asked = front.asked();
    let count = |word: &str| asked.iter().filter(|one| one.starts_with(word)).count();
    // The image; what is there already; two blobs, each looked for; the manifest; and the list once more.
    assert_eq!((count("GET"), count("HEAD"), count("POST"), count("PUT")), (3, 2, 2, 3), "{asked:?}");
    // Every signature of an image is one more list and manifest; the configuration is there.
    world.succeed(&[&SIGN[..], &["--key", "other.pem", &name]].concat());
    let asked = front.asked();
    assert_eq!(asked.iter().filter(|one| one.starts_with("PUT")).count(), 2, "{asked:?}");
}

#[test]
fn what_a_registry_moved_on_its_own_host_is_found_there() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let image = world.signed("app", &[]);
    let backend = world.registry.address().to_owned();
    let front = Front::new("", move |request, _| {
        let path = request.path();
        let Some(moved) = path.strip_prefix("/moved") else {
            return Some(answer(307, &[("location", &format!("/moved{path}"))], b""));
        };
        let there = Message { start: format!("GET {moved} HTTP/1.1"), ..request.clone() };
        Some(forward(&backend, &there))
    });
    let name = format!("{}/app@{}", front.address(), image.split('@').nth(1).unwrap());
    world.succeed(&[&VERIFY[..], &["--key", "key.pub", &name]].concat());
    assert_eq!(front.take().len(), 6);
    // Without end it is no answer.
    let front = Front::new("", |request, _| Some(answer(307, &[("location", request.path())], b"")));
    let name = format!("{}/app@{}", front.address(), image.split('@').nth(1).unwrap());
    world.refuse(&[&VERIFY[..], &["--key", "key.pub", &name]].concat(), 1, "without end");
}
